/** CRC-32 combined from blocks against zlib's CRC-32 of the whole. */
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CrcPlan, CrcPlans, combineCrc32 } from "../../device/fleet/crc-combine.ts";
import { VerifyStore } from "../../device/fleet/verify-store.ts";
import { hasBit } from "../../shared/protocol/bitmap.ts";

/** A file that is not empty, a block size (not always one that the protocol allows), and an order of its blocks. */
const files = fc
  .record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 3000 }), blockSizeBytes: fc.integer({ min: 1, max: 700 }) })
  .chain(({ bytes, blockSizeBytes }) => {
    const blockIds = Array.from({ length: Math.ceil(bytes.length / blockSizeBytes) }, (_, blockId) => blockId);
    const orders = fc.shuffledSubarray(blockIds, { minLength: blockIds.length });
    return fc.record({ bytes: fc.constant(bytes), blockSizeBytes: fc.constant(blockSizeBytes), order: orders });
  });

function blockOf(bytes: Uint8Array, blockSizeBytes: number, blockId: number): Uint8Array {
  return bytes.subarray(blockId * blockSizeBytes, (blockId + 1) * blockSizeBytes);
}

describe("combineCrc32", () => {
  it("is the CRC-32 of one part after the other", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.uint8Array({ maxLength: 2000 }), (a, b) => {
        expect(combineCrc32(crc32(a), crc32(b), b.length)).toBe(crc32(b, crc32(a)));
      }),
    );
  });

  it("holds for parts of gigabytes", () => {
    const page = new Uint8Array(4096).fill(0xa5);
    let [expected, grown, bytes] = [crc32(page), crc32(page), page.length];
    for (; bytes < 2 ** 33; bytes *= 2) {
      grown = combineCrc32(grown, grown, bytes);
      if (bytes <= 2 ** 20) {
        const half = new Uint8Array(bytes).fill(0xa5);
        expected = crc32(half, expected);
        expect(grown).toBe(expected);
      }
    }
    // The same length by another way: a page after the other.
    expect(combineCrc32(combineCrc32(grown, crc32(page), page.length), grown, bytes)).toBe(
      combineCrc32(grown, combineCrc32(crc32(page), grown, bytes), page.length + bytes),
    );
  });
});

describe("CrcPlan", () => {
  it("gives contributions whose XOR is the CRC-32 of the file, in any order", () => {
    fc.assert(
      fc.property(files, ({ bytes, blockSizeBytes, order }) => {
        const plan = new CrcPlan(bytes.length, blockSizeBytes);
        const contributions = order.map((blockId) =>
          plan.contribution(blockId, crc32(blockOf(bytes, blockSizeBytes, blockId))),
        );
        expect(contributions.reduce((sum, each) => sum ^ each, 0) >>> 0).toBe(crc32(bytes));
      }),
    );
  });

  it("is shared between those who ask for the same", () => {
    const plans = new CrcPlans();
    const plan = plans.planFor(2_097_152, 4096);
    expect(plans.planFor(2_097_152, 4096)).toBe(plan);
    expect(plans.planFor(2_097_152, 256)).not.toBe(plan);
    for (let size = 1; size <= 64; size++) plans.planFor(size, 256);
    expect(plans.planFor(2_097_152, 4096)).not.toBe(plan);
  });
});

describe("VerifyStore", () => {
  it("accepts the file in any order, with repeated blocks, and nothing that differs by one byte", () => {
    fc.assert(
      fc.property(files, fc.nat(), fc.boolean(), ({ bytes, blockSizeBytes, order }, flip, keepBlockCrcs) => {
        const file = { fileId: 0, sizeBytes: bytes.length, crc32: crc32(bytes) };
        const store = new VerifyStore(new CrcPlan(bytes.length, blockSizeBytes), keepBlockCrcs);
        for (const blockId of order) {
          expect(store.verify(file)).toMatchObject({ ok: false, code: "SizeMismatch" });
          for (let times = 0; times < 2; times++) store.take(blockId, crc32(blockOf(bytes, blockSizeBytes, blockId)));
        }
        expect(store.verify(file)).toEqual({ ok: true, verified: "digest" });
        const other = bytes.slice();
        const at = flip % bytes.length;
        other[at] = (other[at] as number) ^ (1 + (flip % 255));
        expect(store.verify({ ...file, crc32: crc32(other) })).toMatchObject({ ok: false, code: "DigestMismatch" });
      }),
    );
  });

  it("forgets what differs from the manifest and is right once those blocks came again", () => {
    fc.assert(
      fc.property(files, fc.uint8Array({ maxLength: 20 }), ({ bytes, blockSizeBytes, order }, bad) => {
        const store = new VerifyStore(new CrcPlan(bytes.length, blockSizeBytes), true);
        const wrong = new Set(bad.map((byte) => byte % order.length));
        const checksums = Uint32Array.from(order, (_, blockId) => crc32(blockOf(bytes, blockSizeBytes, blockId)));
        for (const blockId of order) {
          const right = checksums[blockId] as number;
          store.take(blockId, wrong.has(blockId) ? (right ^ 1) >>> 0 : right);
        }
        const held = store.match(checksums);
        expect(order.filter((blockId) => !hasBit(held, blockId)).sort()).toEqual([...wrong].sort());
        for (const blockId of wrong) store.take(blockId, checksums[blockId] as number);
        const file = { fileId: 0, sizeBytes: bytes.length, crc32: crc32(bytes) };
        expect(store.verify(file)).toEqual({ ok: true, verified: "digest" });
      }),
    );
  });
});
