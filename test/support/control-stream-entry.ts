/** A stream entry with everything a record can have, for tests of registries. */
import type { StreamEntry, StreamRecord } from "../../publisher/protocol/stream.ts";

/** Makes a live entry with everything a record can have. */
export function liveEntry(streamId: string, overrides: Partial<StreamRecord> = {}): StreamEntry {
  const record: StreamRecord = {
    streamId,
    streamVersion: 0,
    description: "Größe \u{1f680}",
    roleArn: "arn:aws:iam::123456789012:role/r",
    files: [
      {
        fileId: 255,
        s3Location: { bucket: "b", key: "k/ü", version: "v" },
        sizeBytes: 2_097_152,
        etag: '"e"',
        versionId: "v",
        crc32: 4_294_967_295,
        sha256: "ab".repeat(32),
      },
    ],
    createdAtMs: 1_763_772_295_250,
    lastUpdatedAtMs: 1_763_772_295_251,
    tags: [{ key: "team", value: "" }],
    ...overrides,
  };
  return { state: "live", record };
}
