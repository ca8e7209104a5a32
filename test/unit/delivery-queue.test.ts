/** Who is owed what, in which order, and when: the delivery queue in small histories. */
import { describe, expect, it } from "vitest";
import { DeliveryQueue, type Turn } from "../../publisher/protocol/delivery-queue.ts";
import type { BlockRun } from "../../shared/protocol/block-run.ts";

const BYTES = new Uint8Array(1);

function run(blockIds: readonly number[], rest: Partial<BlockRun> = {}): BlockRun {
  return {
    topic: "topic",
    format: "cbor",
    clientToken: "rdy",
    fileId: 0,
    blockSizeBytes: 256,
    fileBytes: BYTES,
    blockIds: Uint32Array.from(blockIds),
    ...rest,
  };
}

/** What is offered: the thing, the token and the blocks. */
function shown({ thing, run: { clientToken, blockIds }, from }: Turn): unknown[] {
  return [thing, clientToken, [...blockIds.subarray(from)]];
}

/** Makes the next offer; `taken` says how much of it is taken, all by default. */
function offer(queue: DeliveryQueue, taken?: number | "nobody"): unknown[] | undefined {
  const turn = queue.next();
  if (turn === undefined) return undefined;
  queue.settle(turn, taken === "nobody" ? undefined : (taken ?? turn.run.blockIds.length - turn.from));
  return shown(turn);
}

function offers(queue: DeliveryQueue): unknown[] {
  const made: unknown[] = [];
  for (let next = offer(queue); next !== undefined; next = offer(queue)) made.push(next);
  return made;
}

/** Looks inside: the things for which something is kept. */
function things(queue: DeliveryQueue): string[] {
  return [...(Reflect.get(queue, "owed") as ReadonlyMap<string, unknown>).keys()];
}

describe("an offer", () => {
  it("is not made when nothing is owed, and a wake-up of a stranger leaves nothing behind", () => {
    const queue = new DeliveryQueue();
    queue.markReady("stranger");
    expect(queue.next()).toBeUndefined();
    expect(things(queue)).toEqual([]);
  });

  it("goes on where the last one ended, once the device can take more", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2, 3, 4]));
    expect(offer(queue, 3)).toEqual(["a", "rdy", [1, 2, 3, 4]]);
    expect(offer(queue)).toBeUndefined();
    queue.markReady("a");
    expect(offer(queue)).toEqual(["a", "rdy", [4]]);
    expect(things(queue)).toEqual([]);
  });

  it("is not repeated before a wake-up when nothing was taken", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1]));
    expect(offer(queue, 0)).toBeDefined();
    expect(offer(queue)).toBeUndefined();
    queue.markReady("a");
    expect(offer(queue)).toEqual(["a", "rdy", [1]]);
  });

  it("is not made to a device that has not called when a further request arrives", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2]));
    offer(queue, 1);
    queue.add("a", run([9], { clientToken: "other" }));
    expect(offer(queue)).toBeUndefined();
    queue.markReady("a");
    expect(offers(queue)).toEqual([
      ["a", "rdy", [2]],
      ["a", "other", [9]],
    ]);
  });

  it("drops a run that nobody receives, and only that one", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2]));
    queue.add("a", run([1], { topic: "elsewhere" }));
    offer(queue, "nobody");
    expect(offers(queue)).toEqual([["a", "rdy", [1]]]);
    expect(things(queue)).toEqual([]);
  });

  it("is made again after every wake-up, however the turn before it ended", () => {
    for (const taken of [0, 1, 2, "nobody"] as const) {
      const queue = new DeliveryQueue();
      queue.add("a", run([1, 2]));
      offer(queue, taken);
      queue.markReady("a");
      offers(queue);
      queue.add("a", run([3]));
      expect(offers(queue)).toEqual([["a", "rdy", [3]]]);
    }
  });
});

describe("turns", () => {
  it("go round, one run or part of a run each", () => {
    const queue = new DeliveryQueue();
    for (const topic of ["t1", "t2"]) for (const thing of ["a", "b", "c"]) queue.add(thing, run([1], { topic }));
    expect(offers(queue).map((made) => (made as unknown[])[0])).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  it("put who comes back behind those that wait", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2]));
    queue.add("b", run([1, 2]));
    offer(queue, 1);
    queue.markReady("a");
    expect(offers(queue).map((made) => (made as unknown[])[0])).toEqual(["b", "a"]);
  });

  it("are not held up by a device that takes nothing", () => {
    const queue = new DeliveryQueue();
    queue.add("stalled", run([1]));
    queue.add("b", run([1]));
    expect(offer(queue, 0)).toEqual(["stalled", "rdy", [1]]);
    expect(offers(queue)).toEqual([["b", "rdy", [1]]]);
  });
});

describe("a request for blocks that are still owed", () => {
  it("leaves them where they are and comes last with the others", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([2, 5, 9]));
    queue.add("a", run([7], { topic: "other" }));
    queue.add("a", run([1, 5, 6, 9, 12]));
    expect(offers(queue)).toEqual([
      ["a", "rdy", [2, 5, 9]],
      ["a", "rdy", [7]],
      ["a", "rdy", [1, 6, 12]],
    ]);
  });

  it("leaves nothing behind when it is repeated as a whole, or asks for nothing", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2, 3]));
    queue.add("a", run([5]));
    queue.add("a", run([2, 3, 5]));
    queue.add("a", run([]));
    queue.add("b", run([]));
    expect(things(queue)).toEqual(["a"]);
    expect(offers(queue)).toEqual([
      ["a", "rdy", [1, 2, 3]],
      ["a", "rdy", [5]],
    ]);
  });

  it("lets no run grow, however many requests follow each other", () => {
    const queue = new DeliveryQueue();
    for (let first = 0; first < 20; first += 2) queue.add("a", run([first, first + 1, first + 2, first + 3]));
    const made = offers(queue) as [string, string, number[]][];
    expect(made.map(([, , blockIds]) => blockIds.length)).toEqual([4, ...Array.from({ length: 9 }, () => 2)]);
    expect(made.flatMap(([, , blockIds]) => blockIds)).toEqual(Array.from({ length: 22 }, (_, block) => block));
  });

  it("brings back what was taken before, and only that", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2, 3, 4]));
    offer(queue, 2);
    queue.add("a", run([1, 3]));
    queue.markReady("a");
    expect(offers(queue)).toEqual([
      ["a", "rdy", [3, 4]],
      ["a", "rdy", [1]],
    ]);
  });

  it("takes the blocks over under a token of its own", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2, 3]));
    queue.add("a", run([2, 4], { clientToken: "later" }));
    expect(offers(queue)).toEqual([
      ["a", "rdy", [1, 3]],
      ["a", "later", [2, 4]],
    ]);
  });

  it("takes the place of one that it contains", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([2, 3]));
    queue.add("a", run([1, 2, 3, 4], { clientToken: "later" }));
    expect(offers(queue)).toEqual([["a", "later", [1, 2, 3, 4]]]);
  });

  it("takes over, of a run that is partly taken, what was not taken", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2, 3, 4]));
    offer(queue, 2);
    queue.add("a", run([1, 3], { clientToken: "later" }));
    queue.markReady("a");
    expect(offers(queue)).toEqual([
      ["a", "rdy", [4]],
      ["a", "later", [1, 3]],
    ]);
  });

  it("leaves to its own kind and takes over from the others", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2]));
    queue.add("a", run([5, 6], { clientToken: "other" }));
    queue.add("a", run([2, 6, 7]));
    expect(offers(queue)).toEqual([
      ["a", "rdy", [1, 2]],
      ["a", "other", [5]],
      ["a", "rdy", [6, 7]],
    ]);
  });

  it("does not mix a request without a token with one that has one", () => {
    const { clientToken: _, ...anonymous } = run([2]);
    const queue = new DeliveryQueue();
    queue.add("a", run([1, 2]));
    queue.add("a", anonymous);
    expect(offers(queue)).toEqual([
      ["a", "rdy", [1]],
      ["a", undefined, [2]],
    ]);
  });

  it.each([
    ["topic", { topic: "other" }],
    ["file", { fileId: 1 }],
    ["block size", { blockSizeBytes: 512 }],
    ["bytes", { fileBytes: new Uint8Array(1) }],
  ])("is a request of its own for another %s", (_name, other) => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1]));
    queue.add("a", run([1], other));
    expect(offers(queue)).toHaveLength(2);
  });

  it("of another thing changes nothing", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([1]));
    queue.add("b", run([1]));
    expect(offers(queue)).toHaveLength(2);
  });

  it("leaves the runs it was given as they were", () => {
    const first = run([1, 2]);
    const second = run([2, 3], { clientToken: "later" });
    const queue = new DeliveryQueue();
    queue.add("a", first);
    queue.add("a", second);
    queue.add("a", run([5]));
    offers(queue);
    expect([[...first.blockIds], [...second.blockIds]]).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });
});

describe("what one thing is owed", () => {
  it("is 32 runs at most: the oldest gives way, however much of it was taken", () => {
    const queue = new DeliveryQueue();
    queue.add("a", run([0, 1, 2], { clientToken: "t0" }));
    offer(queue, 1);
    for (let number = 1; number < 32; number++) {
      expect(queue.add("a", run([10 + number], { clientToken: `t${number}` }))).toBe(0);
    }
    expect(queue.add("a", run([99], { clientToken: "t32" }))).toBe(2);
    queue.markReady("a");
    const tokens = offers(queue).map((made) => (made as unknown[])[1]);
    expect(tokens).toEqual(Array.from({ length: 32 }, (_, index) => `t${index + 1}`));
  });

  it("loses nothing to a request that repeats or replaces an older one", () => {
    const queue = new DeliveryQueue();
    for (let number = 0; number < 32; number++) queue.add("a", run([number], { clientToken: `t${number}` }));
    expect(queue.add("a", run([0], { clientToken: "t0" }))).toBe(0);
    expect(queue.add("a", run([5], { clientToken: "new" }))).toBe(0);
    expect(offers(queue)).toHaveLength(32);
  });
});
