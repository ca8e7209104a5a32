/** A paced transport between a publisher that owes runs and a transport that notes when it was given what. */
import { PacedTransport } from "../../publisher/paced-transport.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import type { BlockRun } from "../../shared/transport.ts";
import { TestPublisher } from "./broker.ts";
import { type ControlClock, createControlClock } from "./control-clock.ts";
import { RecordingTransport } from "./publisher-rig.ts";

/** Blocks that left together. */
export interface Departure {
  readonly atMs: number;
  readonly thing: string;
  readonly blockIds: readonly number[];
  readonly bytes: number;
  readonly blockSizeBytes: number;
}

/** A transport that notes when it took what. */
class TimedTransport extends RecordingTransport {
  readonly departures: Departure[] = [];
  private readonly clock: ControlClock;

  constructor(clock: ControlClock) {
    super();
    this.clock = clock;
  }

  override sendBlocks(thing: string, run: BlockRun, from: number): number | undefined {
    const taken = super.sendBlocks(thing, run, from);
    if (taken === undefined || taken === 0) return taken;
    const { blockSizeBytes } = run;
    const blockIds = [...run.blockIds.subarray(from, from + taken)];
    this.departures.push({
      atMs: this.clock.monotonicMs(),
      thing,
      blockIds,
      bytes: bytesOf(run, blockIds),
      blockSizeBytes,
    });
    return taken;
  }
}

/** The parts and what they did. */
export interface PacedRig {
  readonly clock: ControlClock;
  readonly inner: RecordingTransport;
  readonly paced: PacedTransport;
  readonly publisher: TestPublisher;
  readonly departures: Departure[];
  /** How many timers were armed. */
  readonly timersArmed: () => number;
  /** The waits that were told of, in milliseconds. */
  readonly waitsMs: number[];
  /** Lets time pass in steps of a millisecond. */
  pass(durationMs: number): void;
}

/** Makes one; `take` says how many of the blocks on offer the inner transport takes, all by default. */
export async function startPacedRig(
  bytesPerSecond: number,
  take: (thing: string, offered: number) => number | undefined = (_thing, offered) => offered,
): Promise<PacedRig> {
  const control = createControlClock(0);
  let timers = 0;
  const setTimer: ControlClock["setTimer"] = (delayMs, callback) => {
    timers++;
    return control.setTimer(delayMs, callback);
  };
  const clock: ControlClock = { ...control, setTimer };
  const waitsMs: number[] = [];
  const inner = new TimedTransport(clock);
  inner.take = take;
  const delayed = (_thing: string, waitMs: number): void => {
    waitsMs.push(waitMs);
  };
  const paced = new PacedTransport(inner, { bytesPerSecond, clock, delayed });
  const publisher = await TestPublisher.start(paced);
  const pass = (durationMs: number): void => {
    for (let step = 0; step < durationMs; step++) control.advance(1);
  };
  return { clock, inner, paced, publisher, departures: inner.departures, timersArmed: () => timers, waitsMs, pass };
}

function bytesOf({ fileBytes, blockSizeBytes }: BlockRun, blockIds: readonly number[]): number {
  return blockIds.reduce((sum, blockId) => sum + blockLength(blockId, fileBytes.length, blockSizeBytes), 0);
}
