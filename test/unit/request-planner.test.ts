import { describe, expect, it } from "vitest";
import { BlockLedger } from "../../device/protocol/block-ledger.ts";
import { blocksPerAnswer, formatGet, planBlocks } from "../../device/protocol/request-planner.ts";
import { bitmapOf, range } from "../support/session-driver.ts";

const MARK = { sentAtMs: 0, deliveredBytes: 0, deliveredAtMs: 0, isAlone: true };

function ledger(blocks: number, blockSizeBytes: number, held: readonly number[] = []): BlockLedger {
  return new BlockLedger(blocks * blockSizeBytes, blockSizeBytes, bitmapOf(held));
}

function plan(books: BlockLedger, windowBytes: number, urgent = false): number[] {
  return [...planBlocks(books, windowBytes, urgent)];
}

describe("the next blocks to ask for", () => {
  it("fill the window", () => {
    expect(plan(ledger(40, 1024), 16_384)).toEqual(range(0, 16));
  });

  it("fit one answer, however large the window is", () => {
    expect(plan(ledger(200, 1024), 1_048_576)).toEqual(range(0, 128));
    expect(plan(ledger(200, 1000), 1_048_576)).toEqual(range(0, 131));
    expect(plan(ledger(200, 65_537), 1_048_576)).toEqual([0]);
    expect(plan(ledger(200, 131_072), 1_048_576)).toEqual([0]);
  });

  it("are at least one while nothing is asked for", () => {
    expect(plan(ledger(40, 1024), 1)).toEqual([0]);
  });

  it("are none while the window has room for less than half of it, unless it is urgent", () => {
    const books = ledger(40, 1024);
    books.ask("a", range(0, 13), MARK, false);
    expect(plan(books, 16_384)).toEqual([]);
    expect(plan(books, 16_384, true)).toEqual([13, 14, 15]);
  });

  it("are none while the window is full, urgent or not", () => {
    const books = ledger(40, 1024);
    books.ask("a", range(0, 16), MARK, false);
    expect(plan(books, 16_384, true)).toEqual([]);
    expect(plan(books, 8192, true)).toEqual([]);
  });

  it("are asked for once half of the window is free", () => {
    const books = ledger(40, 1024);
    books.ask("a", range(0, 8), MARK, false);
    expect(plan(books, 16_384)).toEqual(range(8, 16));
  });

  it("do not wait for half of the window when that is more than one answer", () => {
    const books = ledger(2000, 1024);
    for (const first of range(0, 7)) {
      books.ask(`${first}`, range(128 * first, 128 * first + 128), MARK, false);
    }
    expect(plan(books, 1_048_576)).toEqual(range(896, 1024));
  });

  it("fit one bitmap", () => {
    const far = 98_304;
    const holes = [5, 6, far + 4, far + 5, far + 6];
    const books = ledger(
      far + 10,
      256,
      range(0, far + 10).filter((blockId) => !holes.includes(blockId)),
    );
    expect(plan(books, 1_048_576)).toEqual([5, 6, far + 4]);
    const { blockBitmap } = formatGet(
      { fileId: 0, streamVersion: 0, blockSizeBytes: 256 },
      "t",
      planBlocks(books, 1_048_576, false),
    );
    expect(blockBitmap).toHaveLength(12_288);
  });

  it("are none when nothing is missing", () => {
    expect(plan(ledger(8, 256, range(0, 8)), 16_384, true)).toEqual([]);
  });
});

describe("how many blocks one request may ask for", () => {
  it.each([
    [256, 512],
    [1000, 131],
    [65_536, 2],
    [65_537, 1],
    [131_072, 1],
  ])("with blocks of %i bytes is %i", (blockSizeBytes, most) => {
    expect(blocksPerAnswer(blockSizeBytes)).toBe(most);
  });
});

describe("a request", () => {
  it("names its blocks by the shortest bitmap, with their number beside it", () => {
    const frame = { fileId: 7, streamVersion: 3, blockSizeBytes: 256 };
    expect(formatGet(frame, "t1", [20, 21, 24, 43])).toEqual({
      ...frame,
      clientToken: "t1",
      blockOffset: 20,
      blockCount: 4,
      blockBitmap: Uint8Array.of(0x13, 0x00, 0x80),
    });
  });
});
