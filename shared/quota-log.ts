/** The log lines of emulated quotas: the real service does the same and says nothing. */
import type { Clock } from "./clock.ts";
import { LineBudget } from "./line-budget.ts";
import type { Log, LogFields } from "./log.ts";
import { AWS_QUOTAS, type QuotaName } from "./protocol/quotas.ts";

/** A client and a quota have one line in this time, and then one that counts what went uncounted. */
const WINDOW_MS = 5000;

/** Makes a line's fields, which is only done for a line that is written. */
export type DescribeExcess = () => LogFields;

/** Writes one line for each client and quota in five seconds, and at its end one that counts the others. */
export class QuotaLog {
  private readonly log: Log;
  private readonly lines: LineBudget<string>;
  private readonly totals = new Map<QuotaName, number>();

  constructor(log: Log, clock: Clock) {
    this.log = log;
    const ended = (key: string, count: number): void => {
      const [quota, client] = splitKey(key);
      this.write("quota exceeded again", quota, { client, count });
    };
    this.lines = new LineBudget({ clock, maxPerWindow: 1, windowMs: WINDOW_MS, ended });
  }

  /**
   * Notes that a quota was exceeded `count` times. `client` is the thing, or a client id that may be none. Where one
   * value stands against the limit, it is the field `value`.
   */
  exceeded(quota: QuotaName, client: string, count: number, describe: DescribeExcess): void {
    this.totals.set(quota, (this.totals.get(quota) ?? 0) + count);
    if (!this.lines.admits(`${quota} ${client}`, count)) return;
    this.write("quota exceeded", quota, { client, count, ...describe() });
  }

  /** Says now what was left out. */
  close(): void {
    this.lines.close();
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
