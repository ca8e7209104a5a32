import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Faults, LinkFault } from "../../device/fleet/faults.ts";
import { type BlockNote, corruptMessage } from "../../device/fleet/linked-messages.ts";

/** What a corrupted note has before its payload, in the link's books. */
const HEAD_BYTES = 32;

function faultsThatDraw(at: number, bit: number): Faults<LinkFault> {
  const draws = [at, bit];
  return { between: () => draws.shift() as number } as unknown as Faults<LinkFault>;
}

describe("a block whose bytes are gone", () => {
  it("has the CRC-32 of the changed bytes after a bit of them changed", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 5_000 }),
        fc.nat(),
        fc.nat({ max: 7 }),
        (bytes, place, bit) => {
          const at = place % bytes.length;
          const note: BlockNote = {
            fileId: 0,
            blockId: 0,
            blockBytes: bytes.length,
            clientToken: undefined,
            crc32: crc32(bytes),
          };
          const changed = bytes.slice();
          changed[at] = (changed[at] as number) ^ (1 << bit);
          expect(corruptMessage(note, faultsThatDraw(HEAD_BYTES + at, bit)).crc32).toBe(crc32(changed));
        },
      ),
    );
  });

  it("is spoiled when the bit was in its name", () => {
    const note: BlockNote = { fileId: 0, blockId: 0, blockBytes: 10, clientToken: undefined, crc32: 1 };
    expect(corruptMessage(note, faultsThatDraw(HEAD_BYTES - 1, 0))).toEqual({ ...note, isSpoiled: true });
  });

  it("leaves a whole message as it was, and changes a copy", () => {
    const message = { topic: "t", payload: Buffer.from([1, 2, 3]), blockBytes: 0 };
    expect([...corruptMessage(message, faultsThatDraw(1, 7)).payload]).toEqual([1, 130, 3]);
    expect([...message.payload]).toEqual([1, 2, 3]);
  });
});
