/** What is still owed to which device, and whose turn it is. No IO. */
import type { BlockRun } from "../../shared/protocol/block-run.ts";

/** The next offer to make: the blocks of `run` from index `from` on, to `thing`. */
export interface Turn {
  readonly thing: string;
  readonly run: BlockRun;
  readonly from: number;
}

/** The blocks of `run` from index `from` on, at least one. */
interface Owed {
  run: BlockRun;
  from: number;
}

/** How many runs a device may have waiting; the oldest gives way to a further one. */
const MAX_RUNS_PER_THING = 32;

/**
 * Keeps the runs owed to each device. Devices that can take more have their turns round-robin, one offer each; within a
 * device, runs go in the order they were asked for. A run never grows, and a block is never owed twice: what a newcomer
 * repeats of waiting runs (same topic, file, block size and bytes) stays with them when the token is the same one, and
 * moves to the newcomer when it is another. So what a device is owed is bounded, whatever it asks.
 */
export class DeliveryQueue {
  private readonly owed = new Map<string, Owed[]>();
  /** Things whose turn it can be, in the order of their turns; a Set keeps insertion order. */
  private readonly ready = new Set<string>();
  private readonly waiting = new Set<string>();

  /** Adds a run behind those that wait; returns how many blocks of the oldest one were pushed out for it. */
  add(thing: string, run: BlockRun): number {
    const runs = this.owed.get(thing);
    const newcomer = runs === undefined ? run : settleOverlaps(runs, run);
    if (newcomer.blockIds.length === 0) return 0;
    if (runs === undefined) this.owed.set(thing, [{ run: newcomer, from: 0 }]);
    else runs.push({ run: newcomer, from: 0 });
    if (!this.waiting.has(thing)) this.ready.add(thing);
    if (runs === undefined || runs.length <= MAX_RUNS_PER_THING) return 0;
    const oldest = runs.shift() as Owed;
    return oldest.run.blockIds.length - oldest.from;
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

  /** Settles an offer: how many blocks were taken, or undefined when the run is to be forgotten. */
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
}

/** Takes from `runs` the blocks that move to `run`, and from `run` those that stay where they are; returns what is left of it. */
function settleOverlaps(runs: Owed[], run: BlockRun): BlockRun {
  let newcomer = run;
  for (let index = runs.length - 1; index >= 0; index--) {
    const owed = runs[index] as Owed;
    if (!asksForSameBytes(owed.run, newcomer) || !overlaps(owed, newcomer.blockIds)) continue;
    const left = owed.run.blockIds.subarray(owed.from);
    if (owed.run.clientToken === newcomer.clientToken) {
      newcomer = { ...newcomer, blockIds: without(newcomer.blockIds, left) };
    } else {
      const blockIds = without(left, newcomer.blockIds);
      if (blockIds.length === 0) runs.splice(index, 1);
      else runs[index] = { run: { ...owed.run, blockIds }, from: 0 };
    }
  }
  return newcomer;
}

function asksForSameBytes(a: BlockRun, b: BlockRun): boolean {
  return (
    a.fileId === b.fileId && a.blockSizeBytes === b.blockSizeBytes && a.topic === b.topic && a.fileBytes === b.fileBytes
  );
}

/** Says whether a run still owes one of some blocks, by a binary search for each that goes on where the last one ended. */
function overlaps({ run, from }: Owed, blockIds: Uint32Array): boolean {
  const owed = run.blockIds;
  // A download goes on where the last request ended: most runs lie before or after the newcomer as a whole.
  const isBefore = (owed[owed.length - 1] as number) < (blockIds[0] ?? 0);
  if (isBefore || (owed[from] as number) > (blockIds[blockIds.length - 1] ?? 0)) return false;
  let low = from;
  for (const blockId of blockIds) {
    let high = owed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((owed[middle] as number) < blockId) low = middle + 1;
      else high = middle;
    }
    if (low === owed.length) return false;
    if (owed[low] === blockId) return true;
  }
  return false;
}

/** The ascending `blockIds` that are not among the ascending `others`. */
function without(blockIds: Uint32Array, others: Uint32Array): Uint32Array {
  let at = 0;
  return blockIds.filter((blockId) => {
    while (at < others.length && (others[at] as number) < blockId) at++;
    return others[at] !== blockId;
  });
}
