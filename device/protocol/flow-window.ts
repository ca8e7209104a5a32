/** How many bytes may be asked for ahead: what the link holds in one round trip, found from the answers themselves. No IO. */

/** How a {@link FlowWindow} is bounded. */
export interface FlowWindowOptions {
  readonly blockSizeBytes: number;
  /** Most bytes asked for ahead, whatever the link holds. */
  readonly maxBytes: number;
}

/** The state of delivery at the moment a request is sent; handed back with the request's answers. */
export interface SendMark {
  readonly sentAtMs: number;
  readonly deliveredBytes: number;
  /** When the newest of those bytes had arrived, in milliseconds; the sending itself after an idle time. */
  readonly deliveredAtMs: number;
  /** Nothing was asked for before: the round trip is the link's own. */
  readonly isAlone: boolean;
}

/** The window before anything was measured, in bytes: a file of 256 KiB takes three requests on a link that holds it. */
const INITIAL_BYTES = 65_536;
/** The window is never less than so many blocks. */
const LEAST_BLOCKS = 2;
/** Two bandwidth-delay products: one on its way, one asked for. */
const GAIN = 2;
/**
 * The shortest round trip that is reckoned with, in milliseconds. Below it both ends take what comes in batches, and a
 * window for less would ask for a few blocks at a time.
 */
const SHORTEST_ROUND_TRIP_MS = 1;
/** Bytes that come within so many round trips of their request... */
const SOON_ROUND_TRIPS = 1.125;
/** ...show that a link holds about so many times as many in one round trip: the window grows to it at once. */
const SOON_GAIN = 8;
/** How many rounds a measured rate counts. */
const RATE_ROUNDS = 10;
/** The window stops doubling when so many rounds did not bring a quarter more. */
const PLATEAU_ROUNDS = 3;
const PLATEAU_GROWTH = 1.25;
/** After how many rounds the round trip of the link itself is measured again, and after how many when it seems to have grown. */
const REMEASURE_ROUNDS = 64;
const DOUBT_ROUNDS = 10;

/**
 * Estimates the bandwidth-delay product as BBR does (draft-ietf-ccwg-bbr: delivery-rate samples, a maximum of rates and a
 * minimum of round trips), because on a lossy link a lost message says nothing about congestion. It doubles every round
 * trip, or grows by what came at once, until the rate stops growing, and then follows the estimate. A timeout forgets what was measured.
 *
 * The least round trip is out of date once the link's own grew beyond what the window spans: each estimate would be lower
 * than the one before it. So a round trip above that is doubted, and measured again with one block alone, for which the
 * link idles once.
 */
export class FlowWindow {
  private readonly options: FlowWindowOptions;
  private deliveredBytes = 0;
  private deliveredAtMs = 0;
  private leastRoundTripMs = Number.POSITIVE_INFINITY;
  /** Highest rate of each of the last rounds, in bytes per millisecond; the newest last. */
  private rates: number[] = [0];
  /** Kept, because it is looked at for every block. */
  private highestRate = 0;
  private roundEndsAtBytes = 0;
  private starting = true;
  private plateauRate = 0;
  private plateauRounds = 0;
  private roundLeastMs = Number.POSITIVE_INFINITY;
  private roundsSinceMeasured = 0;
  private remeasuring = false;
  private grownBytes: number;

  constructor(options: FlowWindowOptions) {
    this.options = options;
    this.grownBytes = INITIAL_BYTES;
  }

  /** Bytes that may be asked for and not yet arrived; at least two blocks, at most the bound, which is at least one. */
  get bytes(): number {
    const { blockSizeBytes, maxBytes } = this.options;
    if (this.remeasuring) return blockSizeBytes;
    const target = this.starting ? this.grownBytes : this.productBytes + blockSizeBytes;
    return Math.max(blockSizeBytes, Math.min(maxBytes, Math.max(target, LEAST_BLOCKS * blockSizeBytes)));
  }

  /** Notes a sending; `idle` says that nothing was asked for before it. */
  markSent(nowMs: number, idle: boolean): SendMark {
    if (idle) this.deliveredAtMs = nowMs;
    const { deliveredBytes, deliveredAtMs } = this;
    return { sentAtMs: nowMs, deliveredBytes, deliveredAtMs, isAlone: idle };
  }

  /** Notes new bytes; `mark` is that of the request they answer, when that is known. */
  markDelivered(sizeBytes: number, mark: SendMark | undefined, nowMs: number): void {
    this.deliveredBytes += sizeBytes;
    this.deliveredAtMs = nowMs;
    if (this.starting) this.grow(sizeBytes, mark, nowMs);
    if (mark === undefined) return;
    const elapsedMs = Math.max(
      nowMs - mark.deliveredAtMs,
      this.leastRoundTripMs === Infinity ? 0 : this.leastRoundTripMs,
    );
    if (elapsedMs > 0) this.noteRate((this.deliveredBytes - mark.deliveredBytes) / elapsedMs);
    if (mark.deliveredBytes >= this.roundEndsAtBytes) this.endRound();
  }

  /** Notes the time from a request, whose mark it is, to its first answer, in milliseconds. */
  measureRoundTrip(roundTripMs: number, { isAlone }: SendMark): void {
    this.roundLeastMs = Math.min(this.roundLeastMs, roundTripMs);
    if (this.remeasuring && isAlone) {
      this.remeasuring = false;
      this.roundsSinceMeasured = 0;
      this.leastRoundTripMs = roundTripMs;
    }
    this.leastRoundTripMs = Math.min(this.leastRoundTripMs, roundTripMs);
  }

  /** Notes that nothing arrived in time: the link is not the one that was measured. */
  forget(): void {
    this.grownBytes = Math.max(INITIAL_BYTES, this.bytes / 2);
    this.rates = [0];
    this.highestRate = 0;
    this.leastRoundTripMs = Number.POSITIVE_INFINITY;
    this.starting = true;
    this.remeasuring = false;
    this.roundsSinceMeasured = 0;
    this.plateauRate = 0;
    this.plateauRounds = 0;
  }

  /** Doubles within a round trip, or goes to what the link is seen to hold. */
  private grow(sizeBytes: number, mark: SendMark | undefined, nowMs: number): void {
    const soonMs = this.leastRoundTripMs === Infinity ? 0 : SOON_ROUND_TRIPS * this.leastRoundTripMs;
    const isSoon = mark !== undefined && nowMs - mark.sentAtMs < soonMs;
    const grownBytes = this.grownBytes + (isSoon ? SOON_GAIN - 1 : 1) * sizeBytes;
    this.grownBytes = Math.min(grownBytes, this.options.maxBytes);
  }

  private get productBytes(): number {
    return this.leastRoundTripMs === Infinity ? 0 : GAIN * this.highestRate * this.reckonedRoundTripMs;
  }

  private get reckonedRoundTripMs(): number {
    return Math.max(this.leastRoundTripMs, SHORTEST_ROUND_TRIP_MS);
  }

  private noteRate(rate: number): void {
    const last = this.rates.length - 1;
    this.rates[last] = Math.max(this.rates[last] as number, rate);
    this.highestRate = Math.max(this.highestRate, rate);
  }

  private endRound(): void {
    this.roundEndsAtBytes = this.deliveredBytes;
    const rate = this.highestRate;
    const isBeyondLink = this.isRoundTripDoubtful(rate);
    this.roundLeastMs = Number.POSITIVE_INFINITY;
    this.rates.push(0);
    if (this.rates.length > RATE_ROUNDS && this.rates.shift() === rate) this.highestRate = Math.max(...this.rates);
    if (!this.starting) {
      if (++this.roundsSinceMeasured >= (isBeyondLink ? DOUBT_ROUNDS : REMEASURE_ROUNDS)) this.remeasuring = true;
    } else if (isBeyondLink) {
      // What was asked for waits in a queue already.
      this.starting = false;
    } else if (rate > this.plateauRate * PLATEAU_GROWTH) {
      this.plateauRate = rate;
      this.plateauRounds = 0;
    } else if (++this.plateauRounds >= PLATEAU_ROUNDS) {
      this.starting = false;
    }
  }

  /** Says whether every answer of the round took longer than a window of the estimate explains. */
  private isRoundTripDoubtful(rate: number): boolean {
    const { reckonedRoundTripMs, roundLeastMs } = this;
    const blocksMs = (LEAST_BLOCKS * this.options.blockSizeBytes) / rate;
    return roundLeastMs !== Infinity && roundLeastMs > GAIN * reckonedRoundTripMs + blocksMs;
  }
}
