/** A naive model of the delivery queue, and the commands that drive both and compare them. */
import fc from "fast-check";
import { expect } from "vitest";
import type { DeliveryQueue } from "../../publisher/protocol/delivery-queue.ts";
import type { BlockRun } from "../../shared/protocol/block-run.ts";

/** A step of a history: it changes queue and model and compares what can be seen of both. */
export type QueueCommand = fc.Command<QueueModel, DeliveryQueue>;

const MOST_RUNS = 32;
const FILES = [new Uint8Array(1), new Uint8Array(1)] as const;

/** The queue in plain sets: nothing is merged, sorted or counted cleverly. */
export class QueueModel {
  /** For each thing, the blocks not taken yet by what asked for them, oldest request first. */
  readonly owed = new Map<string, Map<string, Set<number>>>();
  /** Things that took less than they were offered and were not marked ready since. */
  readonly waiting = new Set<string>();
  /** How many runs the bound pushed out. */
  pushedOut = 0;
  /** For each thing that could have its turn, the others that had theirs since. */
  private readonly overtakers = new Map<string, Set<string>>();

  blocksOwedTo(thing: string): number {
    return [...(this.owed.get(thing)?.values() ?? [])].reduce((sum, blocks) => sum + blocks.size, 0);
  }

  readyThings(): string[] {
    return [...this.owed.keys()].filter((thing) => !this.waiting.has(thing));
  }

  add(thing: string, run: BlockRun): void {
    const owed = this.owed.get(thing) ?? new Map<string, Set<number>>();
    this.owed.set(thing, owed);
    for (const [key, blocks] of owed) {
      if (key === keyOf(run) || bytesOf(key) !== bytesOf(keyOf(run))) continue;
      for (const blockId of run.blockIds) blocks.delete(blockId);
      if (blocks.size === 0) owed.delete(key);
    }
    owed.set(keyOf(run), new Set([...(owed.get(keyOf(run)) ?? []), ...run.blockIds]));
    for (const key of [...owed.keys()].slice(0, Math.max(0, owed.size - MOST_RUNS))) {
      this.pushedOut++;
      owed.delete(key);
    }
    this.followReady();
  }

  markReady(thing: string): void {
    this.waiting.delete(thing);
    this.followReady();
  }

  /** Takes blocks of the thing's oldest request; `undefined` forgets the request. */
  take(thing: string, blockIds: Iterable<number> | undefined): void {
    this.countTurn(thing);
    const owed = this.owed.get(thing);
    const [key, blocks] = [...(owed ?? [])][0] ?? [];
    if (owed === undefined || key === undefined || blocks === undefined) throw new Error(`${thing} is owed nothing`);
    for (const blockId of blockIds ?? [...blocks]) blocks.delete(blockId);
    if (blocks.size === 0) owed.delete(key);
    else this.waiting.add(thing);
    if (owed.size === 0) this.owed.delete(thing);
    this.followReady();
  }

  /** Whoever waits for a turn sees every other thing go first at most once. */
  private countTurn(thing: string): void {
    this.overtakers.delete(thing);
    for (const [other, seen] of this.overtakers) {
      expect([...seen], `${other} could go, and ${thing} has a second turn`).not.toContain(thing);
      seen.add(thing);
    }
  }

  private followReady(): void {
    const ready = this.readyThings();
    for (const thing of this.overtakers.keys()) if (!ready.includes(thing)) this.overtakers.delete(thing);
    for (const thing of ready) if (!this.overtakers.has(thing)) this.overtakers.set(thing, new Set());
  }
}

/** A request is accepted. */
class AddCommand implements QueueCommand {
  private readonly thing: string;
  private readonly added: BlockRun;

  constructor(thing: string, added: BlockRun) {
    this.thing = thing;
    this.added = added;
  }

  check = (): boolean => true;

  run(model: QueueModel, queue: DeliveryQueue): void {
    const before = model.blocksOwedTo(this.thing);
    model.add(this.thing, this.added);
    const dropped = queue.add(this.thing, this.added);
    expect(dropped).toBe(before + this.added.blockIds.length - model.blocksOwedTo(this.thing));
    expect(queue.size).toBe(model.owed.size);
  }

  toString(): string {
    return `add(${this.thing}, ${keyOf(this.added)}, [${this.added.blockIds}])`;
  }
}

/** The transport says that a thing can take more. */
class MarkReadyCommand implements QueueCommand {
  private readonly thing: string;

  constructor(thing: string) {
    this.thing = thing;
  }

  check = (): boolean => true;

  run(model: QueueModel, queue: DeliveryQueue): void {
    model.markReady(this.thing);
    queue.markReady(this.thing);
    expect(queue.size).toBe(model.owed.size);
  }

  toString(): string {
    return `markReady(${this.thing})`;
  }
}

/** An offer: nobody receives it, or some share of it is taken. */
class TurnCommand implements QueueCommand {
  private readonly share: number | undefined;

  constructor(share: number | undefined) {
    this.share = share;
  }

  check = (): boolean => true;

  run(model: QueueModel, queue: DeliveryQueue): void {
    offerNext(model, queue, this.share);
  }

  toString(): string {
    return `turn(${this.share ?? "nobody"})`;
  }
}

/** Makes one offer and compares it with the model; says whether there was one. */
export function offerNext(model: QueueModel, queue: DeliveryQueue, share: number | undefined): boolean {
  const turn = queue.next();
  if (turn === undefined) {
    expect(model.readyThings()).toEqual([]);
    return false;
  }
  expect(model.readyThings()).toContain(turn.thing);
  const [key, blocks] = [...(model.owed.get(turn.thing) ?? [])][0] ?? ["", new Set<number>()];
  const offered = [...turn.run.blockIds.subarray(turn.from)];
  expect(keyOf(turn.run)).toBe(key);
  expect(offered).toEqual([...blocks].sort((left, right) => left - right));
  const taken = share === undefined ? undefined : Math.floor(share * offered.length);
  queue.settle(turn, taken);
  model.take(turn.thing, taken === undefined ? undefined : offered.slice(0, taken));
  expect(queue.size).toBe(model.owed.size);
  return true;
}

/** The things of a history. */
export const QUEUE_THINGS: readonly string[] = ["left", "middle", "right", "busy"];

const things = fc.oneof(fc.constantFrom(...QUEUE_THINGS), fc.constant("busy"));
const tokens = fc.oneof(
  fc.constantFrom(undefined, "rdy", "next"),
  fc.nat({ max: 60 }).map((number) => `t${number}`),
);

/** Runs that often ask for the same bytes, often under the same token, and seldom for the same blocks only. */
const runs: fc.Arbitrary<BlockRun> = fc
  .record({
    streamId: fc.constantFrom("s", "t"),
    clientToken: tokens,
    fileId: fc.constantFrom(0, 1),
    blockSizeBytes: fc.constantFrom(256, 512),
    file: fc.constantFrom(...FILES),
    blockIds: fc.uniqueArray(fc.nat({ max: 60 }), { minLength: 1, maxLength: 6 }),
  })
  .map(({ streamId, clientToken, file, blockIds, ...rest }) => ({
    topic: streamId,
    format: "cbor",
    ...rest,
    ...(clientToken !== undefined && { clientToken }),
    fileBytes: file,
    blockIds: Uint32Array.from(blockIds).sort(),
  }));

/** Histories in which turns are as frequent as requests. */
export const lively = (): fc.Arbitrary<Iterable<QueueCommand>> => commands(4, 4);
/** Histories in which requests pile up. */
export const crowded = (): fc.Arbitrary<Iterable<QueueCommand>> => commands(40, 1);

function commands(adds: number, turns: number): fc.Arbitrary<Iterable<QueueCommand>> {
  const shares = fc.oneof(
    fc.constantFrom(undefined, 0, 1),
    fc.nat({ max: 100 }).map((percent) => percent / 100),
  );
  const command: fc.Arbitrary<QueueCommand> = fc.oneof(
    { weight: adds, arbitrary: fc.tuple(things, runs).map(([thing, run]) => new AddCommand(thing, run)) },
    { weight: turns, arbitrary: shares.map((share) => new TurnCommand(share)) },
    { weight: turns, arbitrary: things.map((thing) => new MarkReadyCommand(thing)) },
  );
  return fc.commands([command], { maxCommands: 150, size: "max" });
}

function keyOf(run: BlockRun): string {
  const bytes = [run.topic, run.fileId, run.blockSizeBytes, FILES.indexOf(run.fileBytes as (typeof FILES)[number])];
  return `${bytes.join(" ")}|${run.clientToken ?? ""}`;
}

function bytesOf(key: string): string {
  return key.slice(0, key.indexOf("|"));
}
