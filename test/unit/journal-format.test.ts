import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  describeIdentityChange,
  describeIdentityFault,
  type ImageIdentity,
} from "../../device/protocol/image-identity.ts";
import {
  CLAIM_BYTES,
  decodeClaim,
  decodeFinishedRecord,
  decodeJournalHeader,
  encodeClaim,
  encodeFinishedRecord,
  encodeJournalHeader,
  journalSizeBytes,
} from "../../device/protocol/journal-format.ts";

const sha256 = "00ff".repeat(16);
const identity: ImageIdentity = {
  streamId: "fleet_A-1",
  fileId: 255,
  streamVersion: 65_535,
  sizeBytes: 1_000_003,
  blockSizeBytes: 4096,
  crc32: 0xffff_ffff,
  sha256,
};

describe("journal header", () => {
  it("keeps an identity, with and without digests", () => {
    for (const wanted of [identity, without(identity, "crc32"), without(identity, "sha256")]) {
      const { bytes, key } = encodeJournalHeader(wanted, crc32);
      expect(decodeJournalHeader(bytes, crc32)).toEqual({ ok: true, identity: wanted, key });
    }
  });

  it("is unusable when cut short, at every length", () => {
    const { bytes } = encodeJournalHeader(identity, crc32);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeJournalHeader(bytes.subarray(0, length), crc32)).toEqual({ ok: false, reason: "truncated" });
    }
  });

  it("is unusable when any one byte changed", () => {
    const { bytes } = encodeJournalHeader(identity, crc32);
    for (let index = 0; index < bytes.length; index++) {
      const changed = bytes.slice();
      changed[index] = (changed[index] as number) ^ 0x10;
      expect(decodeJournalHeader(changed, crc32).ok).toBe(false);
    }
  });

  it("is not read from a file of zeros or of something else", () => {
    expect(decodeJournalHeader(new Uint8Array(512), crc32)).toEqual({ ok: false, reason: "not a journal" });
    expect(decodeJournalHeader(new TextEncoder().encode("x".repeat(512)), crc32)).toEqual({
      ok: false,
      reason: "not a journal",
    });
  });

  it("has 512 bytes and 8 for each block behind it", () => {
    expect(journalSizeBytes(identity)).toBe(512 + 8 * 245);
  });
});

describe("claims", () => {
  const { key } = encodeJournalHeader(identity, crc32);
  const table = new Uint8Array(3 * CLAIM_BYTES);
  encodeClaim(table, CLAIM_BYTES, { key, blockId: 1, blockCrc32: 0 }, crc32);

  it("keep a block's CRC-32, zero included", () => {
    expect(decodeClaim(table, CLAIM_BYTES, { key, blockId: 1 }, crc32)).toBe(0);
    expect(decodeClaim(table, 0, { key, blockId: 0 }, crc32)).toBe("none");
  });

  it("do not count for another block or another image", () => {
    expect(decodeClaim(table, CLAIM_BYTES, { key, blockId: 2 }, crc32)).toBe("garbled");
    const other = encodeJournalHeader({ ...identity, streamVersion: 3 }, crc32).key;
    expect(decodeClaim(table, CLAIM_BYTES, { key: other, blockId: 1 }, crc32)).toBe("garbled");
  });

  it("do not count when the table ends inside them", () => {
    expect(decodeClaim(table.subarray(0, 15), CLAIM_BYTES, { key, blockId: 1 }, crc32)).toBe("none");
  });
});

describe("finished record", () => {
  const record = encodeFinishedRecord({ crc32: 5, sha256 }, 77, crc32);

  it("keeps the digests", () => {
    expect(decodeFinishedRecord(record, 77, crc32)).toEqual({ crc32: 5, sha256 });
  });

  it("does not count for another image, damaged, or absent", () => {
    expect(decodeFinishedRecord(record, 78, crc32)).toBeUndefined();
    expect(decodeFinishedRecord(record.subarray(0, 63), 77, crc32)).toBeUndefined();
    expect(decodeFinishedRecord(new Uint8Array(64), 77, crc32)).toBeUndefined();
    const changed = record.slice();
    changed[9] = 1;
    expect(decodeFinishedRecord(changed, 77, crc32)).toBeUndefined();
  });
});

describe("identity", () => {
  it.each([
    [{ streamId: "../up" }, 'stream id must be 1-128 of [a-zA-Z0-9_-], got "../up"'],
    [{ streamId: "" }, 'stream id must be 1-128 of [a-zA-Z0-9_-], got ""'],
    [{ fileId: 256 }, "file id must be an integer from 0 to 255, got 256"],
    [{ streamVersion: -1 }, "stream version must be an integer from 0 to 65535, got -1"],
    [{ sizeBytes: 0 }, "file size must be an integer from 1 to 4294967295 bytes, got 0"],
    [{ blockSizeBytes: 255 }, "block size must be an integer from 256 to 131072 bytes, got 255"],
    [{ crc32: 2 ** 32 }, "crc32 must be an integer from 0 to 4294967295, got 4294967296"],
    [{ sha256: "AB" }, 'sha256 must be 64 lowercase hexadecimal digits, got "AB"'],
  ])("names the field, the limit and the value for %o", (change, message) => {
    expect(describeIdentityFault({ ...identity, ...change })).toBe(message);
  });

  it("lets blocks serve another version only with the same SHA-256", () => {
    expect(describeIdentityChange(identity, { ...identity, streamVersion: 4 })).toBeUndefined();
    const plain = without(identity, "sha256");
    expect(describeIdentityChange(plain, { ...plain, streamVersion: 4 })).toBe(
      "the stream version was 65535 and is now 4",
    );
    expect(describeIdentityChange(plain, identity)).toBeUndefined();
  });

  it("does not let blocks serve another content or another cut", () => {
    expect(describeIdentityChange(identity, { ...identity, sha256: "0".repeat(64) })).toContain("the SHA-256 was");
    expect(describeIdentityChange(identity, { ...identity, crc32: 1 })).toBe("the CRC-32 was 4294967295 and is now 1");
    expect(describeIdentityChange(identity, { ...identity, sizeBytes: 5 })).toBe(
      "the file size was 1000003 and is now 5",
    );
    expect(describeIdentityChange(identity, { ...identity, blockSizeBytes: 256 })).toBe(
      "the block size was 4096 and is now 256",
    );
  });
});

function without(from: ImageIdentity, field: "crc32" | "sha256"): ImageIdentity {
  const { [field]: _left, ...rest } = from;
  return rest;
}
