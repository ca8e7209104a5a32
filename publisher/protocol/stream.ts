/** What the publisher keeps of a stream and of each of its files. No IO. */

/** Where a file's bytes are in S3-compatible storage; `version` only when the caller asked for one. */
export interface S3Location {
  readonly bucket: string;
  readonly key: string;
  readonly version?: string;
}

/** One file of a stream, with what was recorded of its object at create or update (docs/PROTOCOL.md section 1). */
export interface StreamFile {
  /** 0-255, unique in its stream. */
  readonly fileId: number;
  readonly s3Location: S3Location;
  readonly sizeBytes: number;
  /** As the store gave it, quotes included. */
  readonly etag: string;
  /** The version the store answered with, when it keeps versions. */
  readonly versionId?: string;
  /** CRC-32 of the object, an unsigned 32-bit integer. */
  readonly crc32: number;
  /** SHA-256 of the object, 64 lowercase hex digits. */
  readonly sha256: string;
}

/** A live stream. */
export interface StreamRecord {
  readonly streamId: string;
  /** 0-65535; rises by one with each update. */
  readonly streamVersion: number;
  readonly description?: string;
  readonly roleArn: string;
  /** 1-50 files, in the order the caller gave them. */
  readonly files: readonly StreamFile[];
  /** Milliseconds since 1970. */
  readonly createdAtMs: number;
  /** Milliseconds since 1970. */
  readonly lastUpdatedAtMs: number;
  /** In the order they were set. */
  readonly tags: readonly StreamTag[];
}

/** One tag of a stream. */
export interface StreamTag {
  readonly key: string;
  readonly value: string;
}

/** What is left of a deleted stream: enough to resurrect its id with the next version. */
export interface StreamTombstone {
  readonly streamId: string;
  readonly streamVersion: number;
  /** Milliseconds since 1970. */
  readonly deletedAtMs: number;
}

/** What a registry holds under a stream id. */
export type StreamEntry =
  | { readonly state: "live"; readonly record: StreamRecord }
  | { readonly state: "deleted"; readonly tombstone: StreamTombstone };
