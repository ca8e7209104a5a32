/** The real service's quotas of a connection that only a broker can apply. */
import type { Clock } from "../shared/clock.ts";
import { AWS_QUOTAS } from "../shared/protocol/quotas.ts";
import type { QuotaLog } from "../shared/quota-log.ts";
import type { ClientLink } from "./client-link.ts";

const CONNECT_INTERVAL_MS = 1000 / AWS_QUOTAS.connectsPerSecond.limit;
const MAX_CLIENT_ID_BYTES = AWS_QUOTAS.clientIdBytes.limit;
const MAX_SUBSCRIPTIONS = AWS_QUOTAS.subscriptions.limit;
const MAX_PER_SUBSCRIBE = AWS_QUOTAS.subscriptionsPerSubscribe.limit;
const LEAST_KEEP_ALIVE = AWS_QUOTAS.leastKeepAliveSeconds.limit;
const MOST_KEEP_ALIVE = AWS_QUOTAS.mostKeepAliveSeconds.limit;

/** How much of a client id goes to the log, in characters. */
const SHOWN_CHARACTERS = 128;

/** What of a CONNECT packet has a quota. */
interface Connect {
  readonly clientId: string;
  keepalive?: number;
}

/** Applies the quotas of CONNECT and SUBSCRIBE, which hold for observers, too. */
export class ConnectionQuotas {
  private readonly log: QuotaLog;
  private readonly clock: Clock;
  /** When a client id last connected; the latest is last. */
  private readonly connectedAtMs = new Map<string, number>();

  constructor(log: QuotaLog, clock: Clock) {
    this.log = log;
    this.clock = clock;
  }

  /** Why a CONNECT is refused, as one clause, or undefined; brings the keep-alive of one that is not into range. */
  refuseConnect(packet: Connect): string | undefined {
    const { clientId } = packet;
    const shown = clientId.slice(0, SHOWN_CHARACTERS);
    const idBytes = Buffer.byteLength(clientId);
    if (idBytes > MAX_CLIENT_ID_BYTES) {
      this.log.exceeded("clientIdBytes", shown, 1, () => ({ value: idBytes }));
      return `a client id has at most ${MAX_CLIENT_ID_BYTES} bytes, not ${idBytes}`;
    }
    if (clientId !== "" && !this.mayConnect(clientId)) {
      this.log.exceeded("connectsPerSecond", shown, 1, () => ({}));
      return "a client id connects once in a second";
    }
    this.fitKeepAlive(packet);
    return undefined;
  }

  /** Why a connection is closed after a SUBSCRIBE, as one clause, or undefined. */
  refuseSubscribe({ clientId }: ClientLink, inPacket: number, inAll: number): string | undefined {
    if (inPacket > MAX_PER_SUBSCRIBE) {
      this.log.exceeded("subscriptionsPerSubscribe", clientId, 1, () => ({ value: inPacket }));
      return `a SUBSCRIBE has at most ${MAX_PER_SUBSCRIBE} subscriptions, not ${inPacket}`;
    }
    if (inAll > MAX_SUBSCRIPTIONS) {
      this.log.exceeded("subscriptions", clientId, 1, () => ({ value: inAll }));
      return `a connection has at most ${MAX_SUBSCRIPTIONS} subscriptions, not ${inAll}`;
    }
    return undefined;
  }

  private mayConnect(clientId: string): boolean {
    const nowMs = this.clock.monotonicMs();
    for (const [earlier, atMs] of this.connectedAtMs) {
      if (nowMs - atMs < CONNECT_INTERVAL_MS) break;
      this.connectedAtMs.delete(earlier);
    }
    if (this.connectedAtMs.has(clientId)) return false;
    this.connectedAtMs.set(clientId, nowMs);
    return true;
  }

  /** None at all, or too long a one, is the longest there is. */
  private fitKeepAlive(packet: Connect): void {
    const value = packet.keepalive ?? 0;
    if (value > MOST_KEEP_ALIVE || value === 0) {
      packet.keepalive = MOST_KEEP_ALIVE;
      this.log.exceeded("mostKeepAliveSeconds", packet.clientId, 1, () => ({ value }));
    } else if (value < LEAST_KEEP_ALIVE) {
      packet.keepalive = LEAST_KEEP_ALIVE;
      this.log.exceeded("leastKeepAliveSeconds", packet.clientId, 1, () => ({ value }));
    }
  }
}
