/** What a store that stores nothing says of a file. */
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { CrcPlan } from "../../device/fleet/crc-combine.ts";
import { VerifyStore } from "../../device/fleet/verify-store.ts";

const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index * 31);
const BLOCK_BYTES = 256;
const plan = new CrcPlan(bytes.length, BLOCK_BYTES);
const blockCrc = (blockId: number): number => crc32(bytes.subarray(blockId * BLOCK_BYTES, (blockId + 1) * BLOCK_BYTES));
const file = { fileId: 3, sizeBytes: bytes.length, crc32: crc32(bytes) };

function filled(keepBlockCrcs: boolean): VerifyStore {
  const store = new VerifyStore(plan, keepBlockCrcs);
  for (const blockId of [2, 0, 3, 1]) store.take(blockId, blockCrc(blockId));
  return store;
}

describe("VerifyStore", () => {
  it("verifies by size where the description has no CRC-32", () => {
    expect(filled(false).verify({ fileId: 3, sizeBytes: 1000 })).toEqual({ ok: true, verified: "size" });
  });

  it("names the file, the count and the sizes when blocks are missing or the size is another", () => {
    const store = new VerifyStore(plan);
    store.take(1, blockCrc(1));
    expect(store.complete).toBe(false);
    expect(store.verify(file)).toEqual({
      ok: false,
      code: "SizeMismatch",
      message: "file 3 has 1000 bytes, and 1 of 4 blocks of 1000 bytes are held",
    });
    expect(filled(false).verify({ ...file, sizeBytes: 1001 })).toMatchObject({ code: "SizeMismatch" });
  });

  it("names both CRCs when they differ", () => {
    expect(filled(false).verify({ ...file, crc32: 1 })).toEqual({
      ok: false,
      code: "DigestMismatch",
      message: `file 3 is not the original: crc32 is ${file.crc32.toString(16).padStart(8, "0")}, expected 00000001`,
    });
  });

  it("forgets all blocks on a manifest when it does not keep their CRCs, and the wrong ones when it does", () => {
    const checksums = Uint32Array.from([0, 1, 2, 3], blockCrc);
    checksums[2] = 7;
    expect([...filled(false).match(checksums)]).toEqual([0]);
    expect([...filled(true).match(checksums)]).toEqual([0b1011]);
  });

  it("starts again from nothing", () => {
    const store = filled(true);
    expect([...store.clear()]).toEqual([0]);
    for (const blockId of [0, 1, 2, 3]) store.take(blockId, blockCrc(blockId));
    expect(store.verify(file)).toEqual({ ok: true, verified: "digest" });
  });
});
