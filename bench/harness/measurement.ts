/** One measurement of one lane, and what is said of several of them. No IO. */

/** What was delivered and verified in a stretch of time, and what it cost. */
export interface Measurement {
  readonly bytes: number;
  readonly blocks: number;
  readonly seconds: number;
  /** Processor time of everything on the server's side. */
  readonly serverCpuUs: number;
  /** Processor time of the receiver. */
  readonly receiverCpuUs: number;
  /** Time from the beginning to a device's last block, over the devices that finished. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Devices that were asked to finish and did not. */
  readonly unfinished?: number;
  /** Blocks that came more than once, and times that a session's retransmission timer fired. */
  readonly duplicates?: number;
  readonly timeouts?: number;
  /** The share of the processor time spent meanwhile that the machine's host took away. */
  readonly stolenShare?: number;
  /** When its round began: what was measured in the same round of the same lanes has the same. */
  readonly roundBeganMs?: number;
  /** What the receiver allocated, in bytes; NaN when something was collected meanwhile. */
  readonly allocatedBytes?: number;
  /** A figure that is no rate, in the unit its row names. */
  readonly figure?: number;
}

/** A measurement of nothing but a figure. */
export function figureOnly(figure: number): Measurement {
  return { bytes: 0, blocks: 0, seconds: 0, serverCpuUs: 0, receiverCpuUs: 0, figure };
}

/** The median and its spread. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Megabytes (1e6 bytes) a second. */
export function megabytesPerSecond({ bytes, seconds }: Measurement): number {
  return bytes / 1e6 / seconds;
}

/** Of an even count the mean of the middle two; NaN of none. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(middle)] ?? Number.NaN;
  return { median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The least value that at least `share` of the sorted values do not exceed; NaN of none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? Number.NaN;
}
