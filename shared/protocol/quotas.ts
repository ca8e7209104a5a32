/** The quotas that the real service puts on a connection (docs/PROTOCOL.md section 4). No IO. */

/** Which quotas are emulated: none, or those of the real service. */
export type QuotaSet = "none" | "aws";

/** A limit, and what happens past it, in one word for the log. */
export interface Quota {
  readonly limit: number;
  readonly effect: "delayed" | "discarded" | "refused" | "closed" | "changed";
}

/** One of {@link AWS_QUOTAS}. */
export type QuotaName = keyof typeof AWS_QUOTAS;

/** The quotas of one connection; rates are per second, sizes in bytes, the keep-alive in seconds. */
export const AWS_QUOTAS = {
  throughputBytesPerSecond: { limit: 512 * 1024, effect: "delayed" },
  publishesPerSecond: { limit: 100, effect: "discarded" },
  payloadBytes: { limit: 128 * 1024, effect: "discarded" },
  topicBytes: { limit: 256, effect: "discarded" },
  subscriptions: { limit: 50, effect: "closed" },
  subscriptionsPerSubscribe: { limit: 8, effect: "closed" },
  connectsPerSecond: { limit: 1, effect: "refused" },
  clientIdBytes: { limit: 128, effect: "refused" },
  leastKeepAliveSeconds: { limit: 30, effect: "changed" },
  mostKeepAliveSeconds: { limit: 1200, effect: "changed" },
} as const satisfies Readonly<Record<string, Quota>>;
