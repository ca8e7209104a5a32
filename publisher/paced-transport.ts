/** A transport around another one that gives each thing its blocks at a steady rate. */
import type { Clock, Timer } from "../shared/clock.ts";
import { blockLength } from "../shared/protocol/blocks.ts";
import { MAX_BLOCK_SIZE_BYTES, MAX_RESPONSE_BYTES } from "../shared/protocol/limits.ts";
import type { BlockRun, PublisherHandlers, PublisherTransport } from "../shared/transport.ts";
import { DueList } from "./protocol/due-list.ts";
import { RateBook } from "./protocol/rate-book.ts";

/** How a {@link PacedTransport} paces. */
export interface Pace {
  /** Payload bytes of blocks that one thing gets in a second; 1024 to 16777216. */
  readonly bytesPerSecond: number;
  readonly clock: Clock;
  /** Called for each offer of which something has to wait. */
  readonly delayed?: (thing: string, waitMs: number) => void;
}

/** What is saved up while nothing is sent, as a part of a second: it makes good a late timer, and is no burst to speak of. */
const BURST_SECONDS = 0.1;
/** Who would wait for less waits so long, in milliseconds: a wake-up for each small block costs more than it smooths. */
const SHORTEST_WAIT_MS = 4;

/**
 * Lets a block pass when its thing has earned all of it. A thing never gets more than the rate times the time, and once
 * a tenth of a second's worth, one answer (131,072 bytes) at most, or its largest block. One timer for all that wait.
 */
export class PacedTransport implements PublisherTransport {
  private readonly inner: PublisherTransport;
  private readonly pace: Pace;
  private readonly rates: RateBook;
  private readonly waiting = new DueList();
  private handlers: PublisherHandlers | undefined;
  private timer: Timer | undefined;
  private timerAtMs = 0;

  constructor(inner: PublisherTransport, pace: Pace) {
    this.inner = inner;
    this.pace = pace;
    const burst = Math.min(pace.bytesPerSecond * BURST_SECONDS, MAX_RESPONSE_BYTES);
    this.rates = new RateBook({ perSecond: pace.bytesPerSecond, burst, largest: MAX_BLOCK_SIZE_BYTES });
  }

  start(handlers: PublisherHandlers): Promise<void> {
    this.handlers = handlers;
    return this.inner.start(handlers);
  }

  stop(): Promise<void> {
    this.handlers = undefined;
    this.timer?.cancel();
    this.timer = undefined;
    return this.inner.stop();
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    this.inner.sendMessage(thing, topic, payload);
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number | undefined {
    const nowMs = this.pace.clock.monotonicMs();
    const firstBytes = bytesAt(run, from);
    const credit = this.rates.credit(thing, firstBytes, nowMs);
    const end = endOfAffordable(run, from, credit);
    let taken: number | undefined = 0;
    if (end > from) {
      taken = this.offer(thing, run, from, end);
      if (taken === undefined) return undefined;
      this.rates.use(thing, bytesBetween(run, from, from + taken), firstBytes, nowMs);
    }
    // What is left of an offer that was not taken as a whole is called for by the inner transport.
    if (end < run.blockIds.length && taken === end - from) this.callLater(thing, bytesAt(run, end), nowMs);
    return taken;
  }

  private offer(thing: string, run: BlockRun, from: number, end: number): number | undefined {
    if (end === run.blockIds.length) return this.inner.sendBlocks(thing, run, from);
    return this.inner.sendBlocks(thing, { ...run, blockIds: run.blockIds.subarray(from, end) }, 0);
  }

  private callLater(thing: string, blockBytes: number, nowMs: number): void {
    const waitMs = Math.max(this.rates.waitMs(thing, blockBytes, nowMs), SHORTEST_WAIT_MS);
    this.pace.delayed?.(thing, waitMs);
    this.waiting.add(thing, nowMs + waitMs);
    this.arm(nowMs);
  }

  private arm(nowMs: number): void {
    const earliestMs = this.waiting.earliestMs;
    if (this.handlers === undefined || earliestMs === undefined) return;
    if (this.timer !== undefined && this.timerAtMs <= earliestMs) return;
    this.timer?.cancel();
    this.timerAtMs = earliestMs;
    this.timer = this.pace.clock.setTimer(Math.max(0, earliestMs - nowMs), () => this.wake());
  }

  private wake(): void {
    this.timer = undefined;
    const { clock } = this.pace;
    for (const thing of this.waiting.takeDue(clock.monotonicMs())) this.handlers?.deviceReady(thing);
    this.arm(clock.monotonicMs());
  }
}

/** The index after the last block, from `from` on, of those that `bytes` pay for. */
function endOfAffordable(run: BlockRun, from: number, bytes: number): number {
  let end = from;
  for (let left = bytes; end < run.blockIds.length; end++) {
    left -= bytesAt(run, end);
    if (left < 0) break;
  }
  return end;
}

function bytesBetween(run: BlockRun, from: number, end: number): number {
  let bytes = 0;
  for (let index = from; index < end; index++) bytes += bytesAt(run, index);
  return bytes;
}

function bytesAt({ blockIds, fileBytes, blockSizeBytes }: BlockRun, index: number): number {
  return blockLength(blockIds[index] as number, fileBytes.length, blockSizeBytes);
}
