/** Base64, hex and block arithmetic against Node's own and against plain counting. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64Length, writeBase64 } from "../../shared/protocol/base64.ts";
import { blockLength, countBlocks } from "../../shared/protocol/blocks.ts";
import { decodeBase64, decodeHex, encodeHex } from "../../shared/protocol/json.ts";

const bytes = fc.uint8Array({ maxLength: 200 });

describe("base64", () => {
  it("is written as Node writes it, at an offset, and nowhere else", () => {
    fc.assert(
      fc.property(bytes, fc.nat({ max: 20 }), (value, offset) => {
        const expected = Buffer.from(value).toString("base64");
        expect(base64Length(value.length)).toBe(expected.length);
        const target = Buffer.alloc(offset + expected.length + 4, "#");
        expect(writeBase64(target, offset, value)).toBe(offset + expected.length);
        expect(target.toString()).toBe(`${"#".repeat(offset)}${expected}####`);
        expect(Uint8Array.from(decodeBase64(expected) ?? [])).toEqual(value);
      }),
    );
  });

  it("is decoded only where encoding the result gives the same text", () => {
    const texts = fc.oneof(
      fc.base64String({ maxLength: 12 }),
      fc.string({ unit: fc.constantFrom(..."AQgw/+=-_ \n"), maxLength: 12 }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const decoded = decodeBase64(text);
        const canonical = Buffer.from(text, "base64").toString("base64") === text;
        expect(decoded === undefined ? undefined : Buffer.from(decoded).toString("base64")).toBe(
          canonical ? text : undefined,
        );
      }),
      { numRuns: 1000 },
    );
  });
});

describe("hex", () => {
  it("comes back from either case, with or without 0x", () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom("", "0x", "0X"), fc.boolean(), (value, prefix, upper) => {
        const digits = encodeHex(value);
        expect(digits).toBe(Buffer.from(value).toString("hex"));
        expect(decodeHex(prefix + (upper ? digits.toUpperCase() : digits))).toEqual(value);
      }),
    );
  });

  it("encodes a view as itself, not as the buffer behind it", () => {
    expect(encodeHex(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toBe("0203");
  });

  it("is nothing with an odd number of digits or another character", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."09afAFxXg ="), maxLength: 8 }), (text) => {
        const sound = /^(0[xX])?([0-9a-fA-F]{2})*$/.test(text);
        expect(decodeHex(text) !== undefined).toBe(sound);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("blocks", () => {
  it("cover the file once, all of them full but the last", () => {
    fc.assert(
      fc.property(fc.nat({ max: 200_000 }), fc.integer({ min: 256, max: 131_072 }), (size, blockSize) => {
        const count = countBlocks(size, blockSize);
        let total = 0;
        for (let block = 0; block < count; block++) {
          const length = blockLength(block, size, blockSize);
          expect(length).toBeGreaterThan(0);
          if (block < count - 1) expect(length).toBe(blockSize);
          total += length;
        }
        expect(total).toBe(size);
        expect(blockLength(count, size, blockSize)).toBe(0);
        expect(blockLength(count + 98_304, size, blockSize)).toBe(0);
      }),
    );
  });
});
