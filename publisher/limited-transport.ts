/** A publisher's transport with the pace and the quotas that a person asked for around it. */
import type { Clock } from "../shared/clock.ts";
import { AWS_QUOTAS } from "../shared/protocol/quotas.ts";
import type { QuotaLog } from "../shared/quota-log.ts";
import type { PublisherTransport } from "../shared/transport.ts";
import { PacedTransport } from "./paced-transport.ts";
import { QuotaTransport } from "./quota-transport.ts";

/** What limits what a thing gets. */
export interface TransportLimits {
  readonly clock: Clock;
  /** Payload bytes of blocks that one thing gets in a second. */
  readonly paceBytesPerSecond?: number | undefined;
  /** Present: messages have the real service's quotas, and it is told of what they do. */
  readonly quotaLog?: QuotaLog | undefined;
}

const QUOTA_PACE = AWS_QUOTAS.throughputBytesPerSecond.limit;

/** Puts limits around a transport; without any it is the transport itself, so that there is nothing to pay for. */
export function limitTransport(inner: PublisherTransport, limits: TransportLimits): PublisherTransport {
  const { clock, quotaLog, paceBytesPerSecond: pace } = limits;
  if (quotaLog === undefined) {
    return pace === undefined ? inner : new PacedTransport(inner, { bytesPerSecond: pace, clock });
  }
  // A block waits for its turn first: what is discarded is what would leave now.
  const counted = new QuotaTransport(inner, clock, quotaLog);
  if (pace !== undefined && pace <= QUOTA_PACE) return new PacedTransport(counted, { bytesPerSecond: pace, clock });
  const delayed = (thing: string, waitMs: number): void => {
    quotaLog.exceeded("throughputBytesPerSecond", thing, 1, () => ({ waitMs: Math.round(waitMs) }));
  };
  return new PacedTransport(counted, { bytesPerSecond: QUOTA_PACE, clock, delayed });
}
