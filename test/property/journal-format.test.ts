import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ImageIdentity } from "../../device/protocol/image-identity.ts";
import {
  decodeClaim,
  decodeFinishedRecord,
  decodeJournalHeader,
  encodeClaim,
  encodeFinishedRecord,
  encodeJournalHeader,
} from "../../device/protocol/journal-format.ts";

const uint32 = fc.nat(0xffff_ffff);
const sha256 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));

const identities: fc.Arbitrary<ImageIdentity> = fc
  .record(
    {
      streamId: fc.stringMatching(/^[a-zA-Z0-9_-]{1,128}$/),
      fileId: fc.nat(255),
      streamVersion: fc.nat(65_535),
      sizeBytes: fc.integer({ min: 1, max: 0xffff_ffff }),
      blockSizeBytes: fc.integer({ min: 256, max: 131_072 }),
      crc32: uint32,
      sha256,
    },
    { requiredKeys: ["streamId", "fileId", "streamVersion", "sizeBytes", "blockSizeBytes"] },
  )
  .map((identity) => identity as ImageIdentity);

describe("journal format", () => {
  it("gives back every identity", () => {
    fc.assert(
      fc.property(identities, fc.uint8Array({ maxLength: 20 }), (identity, behind) => {
        const { bytes, key } = encodeJournalHeader(identity, crc32);
        const decoded = decodeJournalHeader(Buffer.concat([bytes, behind]), crc32);
        expect(decoded).toEqual({ ok: true, identity, key });
      }),
    );
  });

  it("gives back every claim, and only for its block and key", () => {
    fc.assert(
      fc.property(uint32, fc.nat(16_777_215), uint32, uint32, fc.nat(9), (key, blockId, blockCrc32, mask, offset) => {
        const table = new Uint8Array(offset + 8);
        encodeClaim(table, offset, { key, blockId, blockCrc32 }, crc32);
        const decoded = decodeClaim(table, offset, { key, blockId }, crc32);
        expect(decoded).toBe(table.every((byte) => byte === 0) ? "none" : blockCrc32);
        if (mask !== 0)
          expect(decodeClaim(table, offset, { key: (key ^ mask) >>> 0, blockId }, crc32)).not.toBe(blockCrc32);
        expect(decodeClaim(table, offset, { key, blockId: blockId + 1 }, crc32)).not.toBe(blockCrc32);
      }),
    );
  });

  it("gives back every finished record", () => {
    fc.assert(
      fc.property(fc.record({ crc32: uint32, sha256 }), uint32, (digests, key) => {
        expect(decodeFinishedRecord(encodeFinishedRecord(digests, key, crc32), key, crc32)).toEqual(digests);
      }),
    );
  });

  it("answers to any bytes, and takes no change of a header for a header", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), uint32, fc.nat(80), (bytes, key, blockId) => {
        expect(decodeJournalHeader(bytes, crc32).ok).toBe(false);
        expect(decodeFinishedRecord(bytes, key, crc32)).toBeUndefined();
        expect(["number", "string"]).toContain(typeof decodeClaim(bytes, 8 * blockId, { key, blockId }, crc32));
      }),
    );
    fc.assert(
      fc.property(identities, fc.nat(255), fc.integer({ min: 1, max: 255 }), (identity, index, mask) => {
        const { bytes } = encodeJournalHeader(identity, crc32);
        bytes[index] = (bytes[index] as number) ^ mask;
        expect(decodeJournalHeader(bytes, crc32).ok).toBe(false);
      }),
    );
  });
});
