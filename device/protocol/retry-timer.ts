/** When to give up waiting for an answer: RFC 6298's timeout from measured round trips, with backoff and jitter. No IO. */

/** The timeout before any round trip was measured, in milliseconds. */
const INITIAL_TIMEOUT_MS = 3_000;
/** Shortest timeout while blocks flow, in milliseconds: longer than a busy publisher takes to come round to each device. */
const FLOOR_MS = 250;
/** Shortest timeout before the first block, in milliseconds: a publisher that reads its storage must not be raced. */
const FIRST_ANSWER_FLOOR_MS = 1_000;
/** Longest timeout, in milliseconds. */
const CEILING_MS = 60_000;
/** Most that jitter adds, as a fraction of the timeout. */
const JITTER = 0.25;

/** Keeps the smoothed round-trip time and its variation (RFC 6298 section 2) and the backoff (section 5). */
export class RetryTimer {
  private readonly randomFraction: () => number;
  private smoothedMs: number | undefined;
  private variationMs = 0;
  private backoff = 1;
  /** Drawn anew whenever a timeout passed, not for each block: what counts is that no two devices agree. */
  private jitter: number;

  constructor(randomFraction: () => number) {
    this.randomFraction = randomFraction;
    this.jitter = this.drawJitter();
  }

  /** Takes in one measured round trip, in milliseconds, of a request that was sent once (Karn's rule is the caller's). */
  measure(roundTripMs: number): void {
    if (this.smoothedMs === undefined) {
      this.smoothedMs = roundTripMs;
      this.variationMs = roundTripMs / 2;
    } else {
      this.variationMs += (Math.abs(this.smoothedMs - roundTripMs) - this.variationMs) / 4;
      this.smoothedMs += (roundTripMs - this.smoothedMs) / 8;
    }
  }

  /** Notes that something new arrived: the next timeout is not backed off. */
  progress(): void {
    this.backoff = 1;
  }

  /** Doubles the next timeouts. */
  backOff(): void {
    this.backoff = Math.min(this.backoff * 2, CEILING_MS / FLOOR_MS);
    this.jitter = this.drawJitter();
  }

  /** How long to wait from now, in milliseconds, jitter included; `flowing` says that blocks have begun to come. */
  nextTimeoutMs(flowing: boolean): number {
    const base = this.smoothedMs === undefined ? INITIAL_TIMEOUT_MS : this.smoothedMs + 4 * this.variationMs;
    const waitMs = Math.min(Math.max(base, flowing ? FLOOR_MS : FIRST_ANSWER_FLOOR_MS) * this.backoff, CEILING_MS);
    return waitMs * this.jitter;
  }

  private drawJitter(): number {
    return 1 + JITTER * this.randomFraction();
  }
}
