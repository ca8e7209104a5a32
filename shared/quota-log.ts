/** The log lines of emulated quotas: the real service does the same and says nothing. */
import type { Clock } from "./clock.ts";
import { LineBudget } from "./line-budget.ts";
import type { Log, LogFields } from "./log.ts";
import { AWS_QUOTAS, type QuotaName } from "./protocol/quotas.ts";

const WINDOW_MS = 5000;
/** Most lines about one quota in a window, whoever they are about. */
const MAX_PER_QUOTA = 100;

/** Makes a line's fields, which is only done for a line that is written. */
export type DescribeExcess = () => LogFields;

/**
 * Writes one line for each client and quota in five seconds, and at its end one that counts the others; and of each
 * quota 100 lines in that time, so that a fleet does not fill the log either. The `count` of all lines add up to the
 * `total` of the last.
 */
export class QuotaLog {
  private readonly log: Log;
  private readonly ofClients: LineBudget<string>;
  private readonly ofQuotas: LineBudget<QuotaName>;
  private readonly totals = new Map<QuotaName, number>();

  constructor(log: Log, clock: Clock) {
    this.log = log;
    const window = { clock, windowMs: WINDOW_MS };
    this.ofClients = new LineBudget({
      ...window,
      maxPerWindow: 1,
      ended: (key, count) => {
        const [quota, client] = splitKey(key);
        if (this.ofQuotas.admits(quota, count)) this.write("quota exceeded again", quota, { client, count });
      },
    });
    this.ofQuotas = new LineBudget<QuotaName>({
      ...window,
      maxPerWindow: MAX_PER_QUOTA,
      ended: (quota, count) => this.write("quota exceeded by others", quota, { count }),
    });
  }

  /**
   * Notes that a quota was exceeded `count` times. `client` is the thing, or a client id that may be none. Where one
   * value stands against the limit, it is the field `value`.
   */
  exceeded(quota: QuotaName, client: string, count: number, describe: DescribeExcess): void {
    this.totals.set(quota, (this.totals.get(quota) ?? 0) + count);
    if (!this.ofClients.admits(`${quota} ${client}`, count) || !this.ofQuotas.admits(quota, count)) return;
    this.write("quota exceeded", quota, { client, count, ...describe() });
  }

  /** Says now what was left out. */
  close(): void {
    this.ofClients.close();
    this.ofQuotas.close();
  }

  private write(message: string, quota: QuotaName, fields: LogFields): void {
    const { limit, effect } = AWS_QUOTAS[quota];
    const level = effect === "delayed" || effect === "changed" ? "info" : "warn";
    this.log[level](message, { quota, limit, effect, ...fields, total: this.totals.get(quota) });
  }
}

function splitKey(key: string): [QuotaName, string] {
  const space = key.indexOf(" ");
  return [key.slice(0, space) as QuotaName, key.slice(space + 1)];
}
