/** Stream records and their files, for tests of the publisher's data plane. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { StreamFile, StreamRecord } from "../../publisher/protocol/stream.ts";

/** Makes a file as it is recorded at create: every field follows from the bytes, and the ETag is their MD5. */
export function recordedFile(bytes: Uint8Array, overrides: Partial<StreamFile> = {}): StreamFile {
  return {
    fileId: 0,
    s3Location: { bucket: "firmware", key: "image" },
    sizeBytes: bytes.length,
    etag: etagOf(bytes),
    crc32: crc32(bytes),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    ...overrides,
  };
}

/** Makes a file of which only the size matters. */
export function sizedFile(sizeBytes: number, overrides: Partial<StreamFile> = {}): StreamFile {
  return { ...recordedFile(new Uint8Array(0)), sizeBytes, ...overrides };
}

/** Makes a live stream of version 0. */
export function streamRecord(files: readonly StreamFile[], overrides: Partial<StreamRecord> = {}): StreamRecord {
  return {
    streamId: "stream-1",
    streamVersion: 0,
    roleArn: "arn:aws:iam::123456789012:role/reader",
    files,
    createdAtMs: 1_763_772_295_250,
    lastUpdatedAtMs: 1_763_772_295_250,
    tags: [],
    ...overrides,
  };
}

/** The ETag an S3 store gives an object, quotes included. */
export function etagOf(bytes: Uint8Array): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}
