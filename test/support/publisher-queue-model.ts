/** A naive model of the delivery queue, and the commands that drive both and compare them. */
import fc from "fast-check";
import { expect } from "vitest";
import type { DeliveryQueue } from "../../publisher/protocol/delivery-queue.ts";
import type { BlockRun } from "../../shared/protocol/block-run.ts";

/** A step of a history: it changes queue and model and compares what can be seen of both. */
export type QueueCommand = fc.Command<QueueModel, DeliveryQueue>;

const MOST_RUNS = 32;
/** Most blocks that one run of these histories asks for: no run may grow beyond. */
const MOST_BLOCKS = 6;
const FILES = [new Uint8Array(1), new Uint8Array(1)] as const;

/** What is left of one request. */
interface ModelRun {
  /** What makes two requests ask for the same bytes. */
  readonly bytes: string;
  readonly clientToken: string | undefined;
  /** Not taken yet, at least one. */
  readonly blocks: Set<number>;
}

/** The queue in plain sets: nothing is sorted, searched or counted cleverly. */
export class QueueModel {
  /** For each thing, what is left of its requests, oldest first. */
  readonly owed = new Map<string, ModelRun[]>();
  /** Things that took less than they were offered and were not marked ready since. */
  readonly waiting = new Set<string>();
  /** How many runs the bound pushed out. */
  pushedOut = 0;
  /** For each thing that could have its turn, the others that had theirs since. */
  private readonly overtakers = new Map<string, Set<string>>();

  readyThings(): string[] {
    return [...this.owed.keys()].filter((thing) => !this.waiting.has(thing));
  }

  /** Returns how many blocks the bound pushed out. */
  add(thing: string, run: BlockRun): number {
    const { clientToken } = run;
    const blocks = new Set(run.blockIds);
    const older = this.owed.get(thing) ?? [];
    for (const owed of older) {
      if (owed.bytes !== bytesOf(run)) continue;
      // Under the same token the older one keeps what both ask for, under another one the newer has it.
      const [keeps, loses] = owed.clientToken === clientToken ? [owed.blocks, blocks] : [blocks, owed.blocks];
      for (const blockId of keeps) loses.delete(blockId);
    }
    const runs = [...older, { bytes: bytesOf(run), clientToken, blocks }].filter((owed) => owed.blocks.size > 0);
    const tooMany = runs.splice(0, Math.max(0, runs.length - MOST_RUNS));
    this.pushedOut += tooMany.length;
    if (runs.length > 0) this.owed.set(thing, runs);
    this.followReady();
    return tooMany.reduce((sum, owed) => sum + owed.blocks.size, 0);
  }

  markReady(thing: string): void {
    this.waiting.delete(thing);
    this.followReady();
  }

  /** Takes blocks of the thing's oldest request; `undefined` forgets the request. */
  take(thing: string, blockIds: Iterable<number> | undefined): void {
    this.countTurn(thing);
    const runs = this.owed.get(thing);
    const first = runs?.[0];
    if (runs === undefined || first === undefined) throw new Error(`${thing} is owed nothing`);
    for (const blockId of blockIds ?? [...first.blocks]) first.blocks.delete(blockId);
    if (first.blocks.size === 0) runs.shift();
    else this.waiting.add(thing);
    if (runs.length === 0) this.owed.delete(thing);
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
    const asked = [...this.added.blockIds];
    expect(queue.add(this.thing, this.added)).toBe(model.add(this.thing, this.added));
    expect([...this.added.blockIds]).toEqual(asked);
    expectSameThings(model, queue);
  }

  toString(): string {
    return `add(${this.thing}, ${bytesOf(this.added)}, ${this.added.clientToken}, [${this.added.blockIds}])`;
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
    expectSameThings(model, queue);
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
  const first = model.owed.get(turn.thing)?.[0];
  const offered = [...turn.run.blockIds.subarray(turn.from)];
  expect([bytesOf(turn.run), turn.run.clientToken]).toEqual([first?.bytes, first?.clientToken]);
  expect(offered).toEqual([...(first?.blocks ?? [])].sort((left, right) => left - right));
  expect(offered.length).toBeLessThanOrEqual(MOST_BLOCKS);
  const taken = share === undefined ? undefined : Math.floor(share * offered.length);
  queue.settle(turn, taken);
  model.take(turn.thing, taken === undefined ? undefined : offered.slice(0, taken));
  expectSameThings(model, queue);
  return true;
}

/** The things of a history. */
export const QUEUE_THINGS: readonly string[] = ["left", "middle", "right", "busy"];

const things = fc.oneof(fc.constantFrom(...QUEUE_THINGS), fc.constant("busy"));
const tokens = fc.oneof(
  fc.constantFrom(undefined, "rdy", "next"),
  fc.nat({ max: 60 }).map((number) => `t${number}`),
);

const blockIds = (max: number): fc.Arbitrary<number[]> => fc.uniqueArray(fc.nat({ max }), { maxLength: MOST_BLOCKS });

/** Runs that often ask for the same bytes, often under the same token, and seldom for all the same blocks; some ask for none. */
const runs: fc.Arbitrary<BlockRun> = fc
  .record({
    streamId: fc.constantFrom("s", "t"),
    clientToken: tokens,
    fileId: fc.constantFrom(0, 1),
    blockSizeBytes: fc.constantFrom(256, 512),
    file: fc.constantFrom(...FILES),
    blockIds: fc.oneof(blockIds(60), blockIds(9)),
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

/** Looks inside, so that a thing that is kept without being owed anything is seen. */
export function expectSameThings(model: QueueModel, queue: DeliveryQueue): void {
  const owed = Reflect.get(queue, "owed") as ReadonlyMap<string, unknown>;
  expect([...owed.keys()].sort()).toEqual([...model.owed.keys()].sort());
}

function bytesOf({ topic, fileId, blockSizeBytes, fileBytes }: BlockRun): string {
  return [topic, fileId, blockSizeBytes, FILES.indexOf(fileBytes as (typeof FILES)[number])].join(" ");
}
