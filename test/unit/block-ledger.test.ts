import { describe, expect, it } from "vitest";
import { BlockLedger, type Outstanding } from "../../device/protocol/block-ledger.ts";
import type { SendMark } from "../../device/protocol/flow-window.ts";
import { bitmapOf, range } from "../support/session-driver.ts";

const MARK: SendMark = { sentAtMs: 0, deliveredBytes: 0, deliveredAtMs: 0, isAlone: true };

/** Ten blocks of 256 bytes; the last one has 100. */
function tenBlocks(held: readonly number[] = []): BlockLedger {
  return new BlockLedger(9 * 256 + 100, 256, bitmapOf(held));
}

function ask(ledger: BlockLedger, token: string, blockIds: readonly number[], isProbe = false): Outstanding {
  ledger.ask(token, blockIds, MARK, isProbe);
  return ledger.findOutstanding(token) as Outstanding;
}

function missing(ledger: BlockLedger): number[] {
  return [...ledger.findMissing(100, 1_000_000)];
}

describe("a block ledger that is opened", () => {
  it("counts what is held and ignores bits past the end", () => {
    const ledger = new BlockLedger(9 * 256 + 100, 256, Uint8Array.of(0x03, 0xff));
    expect({ blocks: ledger.blockCount, held: ledger.heldCount }).toEqual({ blocks: 10, held: 4 });
    expect(missing(ledger)).toEqual(range(2, 8));
  });

  it("takes a bitmap that is shorter than the file for one that ends with zeros", () => {
    expect(missing(new BlockLedger(10 * 256, 256, Uint8Array.of(0xff)))).toEqual([8, 9]);
  });

  it("is complete at once when the file has no bytes", () => {
    expect(new BlockLedger(0, 256, new Uint8Array()).complete).toBe(true);
  });

  it("keeps a bitmap of its own", () => {
    const held = bitmapOf([0]);
    const ledger = new BlockLedger(10 * 256, 256, held);
    ledger.arrive(1, 256, undefined);
    expect(held).toEqual(bitmapOf([0]));
  });
});

describe("what is missing", () => {
  it("is the lowest blocks first, as many as are wanted", () => {
    expect([...tenBlocks([1, 3]).findMissing(3, 10_000)]).toEqual([0, 2, 4]);
  });

  it("stays within the bytes, but is at least one block", () => {
    expect([...tenBlocks().findMissing(10, 600)]).toEqual([0, 1]);
    expect([...tenBlocks().findMissing(10, 1)]).toEqual([0]);
  });

  it("counts the last block with its own length", () => {
    expect([...tenBlocks(range(0, 8)).findMissing(10, 356)]).toEqual([8, 9]);
  });

  it("leaves out what is asked for already", () => {
    const ledger = tenBlocks();
    ask(ledger, "a", [0, 2, 4]);
    expect(missing(ledger)).toEqual([1, 3, 5, 6, 7, 8, 9]);
  });
});

describe("an arriving block", () => {
  it("is new once and a duplicate after that", () => {
    const ledger = tenBlocks();
    const request = ask(ledger, "a", [0]);
    expect(ledger.arrive(0, 256, request)).toBe("new");
    expect(ledger.arrive(0, 256, request)).toBe("duplicate");
    expect({ held: ledger.heldCount, asked: ledger.askedBytes }).toEqual({ held: 1, asked: 0 });
  });

  it("is kept when nobody asked for it", () => {
    const ledger = tenBlocks();
    expect(ledger.arrive(7, 256, undefined)).toBe("new");
    expect({ held: ledger.heldCount, asked: ledger.askedBytes }).toEqual({ held: 1, asked: 0 });
  });

  it.each([
    { blockId: 10, sizeBytes: 256, why: "past the end" },
    { blockId: 10, sizeBytes: 0, why: "past the end and empty" },
    { blockId: 2 ** 40, sizeBytes: 256, why: "far past the end" },
    { blockId: 3, sizeBytes: 255, why: "too short" },
    { blockId: 3, sizeBytes: 257, why: "too long" },
    { blockId: 3, sizeBytes: 0, why: "empty" },
    { blockId: 9, sizeBytes: 256, why: "last, and as long as the others" },
  ])("is impossible when it is $why, and stays asked for", ({ blockId, sizeBytes }) => {
    const ledger = tenBlocks();
    const request = ask(ledger, "a", range(0, 10));
    expect(ledger.arrive(blockId, sizeBytes, request)).toBe("impossible");
    expect({ held: ledger.heldCount, asked: ledger.askedBytes }).toEqual({ held: 0, asked: ledger.sizeBytes });
    expect(ledger.giveUpOvertaken()).toBe(0);
  });

  it("takes its own length off what is asked for", () => {
    const ledger = tenBlocks();
    const request = ask(ledger, "a", [8, 9]);
    expect(ledger.askedBytes).toBe(356);
    ledger.arrive(9, 100, request);
    expect(ledger.askedBytes).toBe(256);
  });
});

describe("a later answer that overtakes an earlier one", () => {
  it.each([
    { arrived: [1], lost: [] },
    { arrived: [1, 2], lost: [] },
    { arrived: [1, 2, 3], lost: [0] },
    { arrived: [3], lost: [0] },
    { arrived: [4], lost: [0, 1] },
    { arrived: [9], lost: range(0, 7) },
  ])("gives up $lost once $arrived arrived of ten", ({ arrived, lost }) => {
    const ledger = tenBlocks();
    const request = ask(ledger, "a", range(0, 10));
    for (const blockId of arrived) ledger.arrive(blockId, blockId === 9 ? 100 : 256, request);
    expect(ledger.giveUpOvertaken()).toBe(lost.length);
    expect(missing(ledger)).toEqual(lost);
    expect(ledger.giveUpOvertaken()).toBe(0);
  });

  it("counts across requests in the order they were sent", () => {
    const ledger = tenBlocks();
    ask(ledger, "a", [8]);
    const later = ask(ledger, "b", [0, 1, 2]);
    ledger.arrive(0, 256, later);
    ledger.arrive(1, 256, later);
    expect(ledger.giveUpOvertaken()).toBe(0);
    ledger.arrive(2, 256, later);
    expect(ledger.giveUpOvertaken()).toBe(1);
    expect(missing(ledger)).toContain(8);
  });

  it("needs only one when it answers a probe", () => {
    const ledger = tenBlocks();
    ask(ledger, "a", [0, 1, 2, 3]);
    const probe = ask(ledger, "b", [0, 1], true);
    ledger.arrive(1, 256, probe);
    expect(ledger.giveUpOvertaken()).toBe(2);
    expect(missing(ledger)).toEqual(range(2, 10));
    expect(ledger.askedBytes).toBe(256);
  });

  it("gives up nothing when a duplicate shows it, but for what was asked for before that", () => {
    const ledger = tenBlocks();
    const first = ask(ledger, "a", [0, 1, 2, 3]);
    ledger.arrive(3, 256, first);
    ledger.arrive(3, 256, first);
    expect(ledger.giveUpOvertaken()).toBe(1);
  });

  it("is not seen in the late answer to a request that newer ones replaced", () => {
    const ledger = tenBlocks();
    const first = ask(ledger, "a", [0, 1, 2, 3, 4, 5]);
    ledger.giveUpAll();
    expect(ledger.findOutstanding("a")).toBeUndefined();
    ask(ledger, "b", [0, 1, 2, 3, 4, 5]);
    expect(ledger.arrive(5, 256, "late")).toBe("new");
    expect(ledger.giveUpOvertaken()).toBe(0);
    expect(ledger.askedBytes).toBe(5 * 256);
    expect(first.settled).toBe(6);
  });

  it("is seen without a token, too", () => {
    const ledger = tenBlocks();
    ask(ledger, "a", range(0, 5));
    ledger.arrive(4, 256, undefined);
    expect(ledger.giveUpOvertaken()).toBe(2);
  });
});

describe("blocks that are asked for again", () => {
  it("belong to the newer request and are counted once", () => {
    const ledger = tenBlocks();
    const first = ask(ledger, "a", [0, 1, 2, 3, 4, 5]);
    ask(ledger, "b", [0, 1], true);
    expect(ledger.askedBytes).toBe(6 * 256);
    ledger.arrive(5, 256, first);
    // Of the first request, 2 was overtaken by 5; 0 and 1 are the probe's now.
    expect(ledger.giveUpOvertaken()).toBe(1);
    expect(missing(ledger)).toEqual([2, 6, 7, 8, 9]);
  });

  it("are found oldest first, over all requests", () => {
    const ledger = tenBlocks();
    const first = ask(ledger, "a", [7, 8]);
    ask(ledger, "b", [0, 1]);
    expect([...ledger.findOldestAsked(1)]).toEqual([7]);
    expect([...ledger.findOldestAsked(3)]).toEqual([0, 7, 8]);
    ledger.arrive(7, 256, first);
    expect([...ledger.findOldestAsked(2)]).toEqual([0, 8]);
  });

  it("are none when nothing is asked for", () => {
    expect([...tenBlocks().findOldestAsked(2)]).toEqual([]);
  });
});

describe("giving up", () => {
  it("makes everything that did not arrive missing again", () => {
    const ledger = tenBlocks();
    const first = ask(ledger, "a", [0, 1, 2]);
    ask(ledger, "b", [3, 4]);
    ledger.arrive(1, 256, first);
    expect(ledger.giveUpAll()).toBe(4);
    expect(ledger.askedBytes).toBe(0);
    expect(missing(ledger)).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(ledger.giveUpAll()).toBe(0);
  });

  it("forgets requests once they are settled", () => {
    const ledger = tenBlocks();
    const request = ask(ledger, "a", [0, 1]);
    ledger.arrive(0, 256, request);
    ledger.giveUpOvertaken();
    expect(ledger.findOutstanding("a")).toBe(request);
    ledger.arrive(1, 256, request);
    ledger.giveUpOvertaken();
    expect(ledger.findOutstanding("a")).toBeUndefined();
  });
});
