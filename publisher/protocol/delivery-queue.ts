/** What is still owed to which device, and whose turn it is. No IO. */
import type { BlockRun } from "../../shared/protocol/block-run.ts";

/** The next offer to make: the blocks of `run` from index `from` on, to `thing`. */
export interface Turn {
  readonly thing: string;
  readonly run: BlockRun;
  readonly from: number;
}

interface Owed {
  run: BlockRun;
  from: number;
}

/** How many different requests a device may have waiting; the oldest gives way to a further one. */
const MAX_RUNS_PER_THING = 32;

/**
 * Keeps the runs owed to each device. Devices that can take more have their turns round-robin, one offer each; within a
 * device, runs go in the order they were asked for. Blocks that a newer request asks for again are sent once: a request
 * that repeats a waiting one (same topic, token, file, block size and bytes) is merged into it, any other takes the
 * blocks over. So what a device is owed is bounded, whatever it asks.
 */
export class DeliveryQueue {
  private readonly owed = new Map<string, Owed[]>();
  /** Things whose turn it can be, in the order of their turns; a Set keeps insertion order. */
  private readonly ready = new Set<string>();
  private readonly waiting = new Set<string>();

  /** Adds a run; returns how many blocks of older runs it merged with, took over or pushed out. */
  add(thing: string, run: BlockRun): number {
    const runs = this.owed.get(thing) ?? [];
    let dropped = 0;
    let merged = false;
    for (const owed of runs) {
      if (!asksForSameBytes(owed.run, run)) continue;
      if (!merged && owed.run.clientToken === run.clientToken) {
        dropped += mergeInto(owed, run);
        merged = true;
      } else {
        dropped += takeOver(owed, run);
      }
    }
    if (!merged) runs.push({ run, from: 0 });
    const kept = runs.filter((owed) => owed.from < owed.run.blockIds.length);
    while (kept.length > MAX_RUNS_PER_THING) {
      const oldest = kept.shift() as Owed;
      dropped += oldest.run.blockIds.length - oldest.from;
    }
    this.owed.set(thing, kept);
    if (!this.waiting.has(thing)) this.ready.add(thing);
    return dropped;
  }

  /** Notes that a device can take more. */
  markReady(thing: string): void {
    this.waiting.delete(thing);
    if (this.owed.has(thing)) this.ready.add(thing);
  }

  /** The next offer, or undefined when nobody can take anything. Its outcome must be settled before the next call. */
  next(): Turn | undefined {
    for (const thing of this.ready) {
      const first = this.owed.get(thing)?.[0];
      if (first !== undefined) return { thing, run: first.run, from: first.from };
      this.ready.delete(thing);
    }
    return undefined;
  }

  /** Settles an offer: how many blocks were taken, or undefined when nobody receives the run. */
  settle(turn: Turn, taken: number | undefined): void {
    const { thing } = turn;
    const runs = this.owed.get(thing);
    const first = runs?.[0];
    if (runs === undefined || first === undefined) return;
    this.ready.delete(thing);
    first.from += taken ?? first.run.blockIds.length;
    const finished = first.from >= first.run.blockIds.length;
    if (finished) runs.shift();
    if (runs.length === 0) this.owed.delete(thing);
    else if (finished) this.ready.add(thing);
    else this.waiting.add(thing);
  }

  /** How many things are owed something. */
  get size(): number {
    return this.owed.size;
  }
}

function asksForSameBytes(a: BlockRun, b: BlockRun): boolean {
  return (
    a.fileId === b.fileId && a.blockSizeBytes === b.blockSizeBytes && a.topic === b.topic && a.fileBytes === b.fileBytes
  );
}

/** Adds the blocks of `run` to what is left of an older one; returns how many both asked for. */
function mergeInto(owed: Owed, run: BlockRun): number {
  const left = owed.run.blockIds.subarray(owed.from);
  const union = new Uint32Array(left.length + run.blockIds.length);
  let count = 0;
  let a = 0;
  let b = 0;
  while (a < left.length || b < run.blockIds.length) {
    const fromLeft = left[a] ?? Number.POSITIVE_INFINITY;
    const fromRun = run.blockIds[b] ?? Number.POSITIVE_INFINITY;
    if (fromLeft <= fromRun) a++;
    if (fromRun <= fromLeft) b++;
    union[count++] = Math.min(fromLeft, fromRun);
  }
  owed.run = { ...owed.run, blockIds: union.subarray(0, count) };
  owed.from = 0;
  return left.length + run.blockIds.length - count;
}

/** Removes from what is left of an older run the blocks that `run` asks for; returns how many. */
function takeOver(owed: Owed, run: BlockRun): number {
  const left = owed.run.blockIds.subarray(owed.from);
  let at = 0;
  const rest = left.filter((blockId) => {
    while (at < run.blockIds.length && (run.blockIds[at] as number) < blockId) at++;
    return run.blockIds[at] !== blockId;
  });
  if (rest.length === left.length) return 0;
  owed.run = { ...owed.run, blockIds: rest };
  owed.from = 0;
  return left.length - rest.length;
}
