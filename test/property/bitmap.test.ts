/** Bitmap operations against a Set of numbers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  clearBit,
  countBits,
  createBitmap,
  formatBitmap,
  hasAnyBit,
  hasBit,
  nextClearBit,
  nextSetBit,
  setBit,
} from "../../shared/protocol/bitmap.ts";

const steps = (bitCount: number) =>
  fc.array(fc.record({ set: fc.boolean(), bit: fc.nat({ max: bitCount - 1 }) }), { maxLength: 80 });
const scripts = fc
  .integer({ min: 1, max: 300 })
  .chain((bitCount) => fc.record({ bitCount: fc.constant(bitCount), steps: steps(bitCount) }));

function firstOf(from: number, end: number, holds: (bit: number) => boolean): number {
  for (let bit = from; bit < end; bit++) if (holds(bit)) return bit;
  return -1;
}

describe("a bitmap", () => {
  it("is a set of numbers", () => {
    fc.assert(
      fc.property(scripts, ({ bitCount, steps: script }) => {
        const bitmap = createBitmap(bitCount);
        const model = new Set<number>();
        expect(bitmap.length).toBe(Math.floor((bitCount + 7) / 8));
        for (const { set, bit } of script) {
          const had = model.has(bit);
          expect(set ? setBit(bitmap, bit) : clearBit(bitmap, bit)).toBe(set ? !had : had);
          if (set) model.add(bit);
          else model.delete(bit);
        }
        expect(countBits(bitmap)).toBe(model.size);
        for (const { bit } of script) {
          expect(hasAnyBit(bitmap, bit, bit + 9)).toBe([...model].some((each) => each >= bit && each < bit + 9));
        }
        for (let bit = 0; bit < bitCount + 20; bit++) {
          expect(hasBit(bitmap, bit)).toBe(model.has(bit));
          expect(nextSetBit(bitmap, bit)).toBe(firstOf(bit, bitCount, (at) => model.has(at)));
          expect(nextClearBit(bitmap, bit, bitCount)).toBe(firstOf(bit, bitCount, (at) => !model.has(at)));
        }
      }),
    );
  });

  it("names its bits least significant first", () => {
    fc.assert(
      fc.property(fc.nat({ max: 98_303 }), (bit) => {
        const bitmap = createBitmap(98_304);
        expect(setBit(bitmap, bit)).toBe(true);
        expect(bitmap).toHaveLength(12_288);
        expect(bitmap[Math.floor(bit / 8)]).toBe(2 ** (bit % 8));
        expect(nextSetBit(bitmap, 0)).toBe(bit);
        expect(nextSetBit(bitmap, bit + 1)).toBe(-1);
      }),
    );
  });

  it("leaves other bits alone when one outside it is cleared", () => {
    const bitmap = Uint8Array.of(0xff);
    expect(clearBit(bitmap, 8)).toBe(false);
    expect(bitmap).toEqual(Uint8Array.of(0xff));
  });
});

describe("formatBitmap", () => {
  it("names exactly the blocks it was given, from the lowest, in the fewest bytes", () => {
    const ids = fc
      .uniqueArray(fc.oneof(fc.nat({ max: 98_303 }), fc.nat({ max: 100 })), { minLength: 1, maxLength: 60 })
      .map((blocks) => blocks.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(ids, (blocks) => {
        const { blockOffset, blockBitmap } = formatBitmap(blocks);
        const named: number[] = [];
        for (let bit = nextSetBit(blockBitmap, 0); bit >= 0; bit = nextSetBit(blockBitmap, bit + 1)) {
          named.push(blockOffset + bit);
        }
        expect(named).toEqual(blocks);
        expect(blockOffset).toBe(blocks[0]);
        expect(blockBitmap.at(-1)).not.toBe(0);
        expect(formatBitmap(Uint32Array.from(blocks))).toEqual({ blockOffset, blockBitmap });
      }),
    );
  });
});
