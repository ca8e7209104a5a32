/** The messages of MQTT-based file delivery, as values. No IO. */
import type { RejectionCode } from "./rejection.ts";

/** Device to cloud: what is in this stream? */
export interface DescribeRequest {
  readonly clientToken?: string;
}

/** One file in a description. */
export interface DescribedFile {
  /** 0-255. */
  readonly fileId: number;
  readonly sizeBytes: number;
  /** CRC-32 of the file, unsigned; only from a server that adds it (docs/PROTOCOL.md section 3). */
  readonly crc32?: number;
  /** SHA-256 of the file, 64 lowercase hex digits; only from a server that adds it. */
  readonly sha256?: string;
}

/** Cloud to device: the files of a stream. */
export interface Description {
  readonly clientToken?: string;
  readonly streamVersion: number;
  readonly description?: string;
  readonly files: readonly DescribedFile[];
  /** Whether the publisher answers manifest requests (section 3). */
  readonly hasManifest?: boolean;
}

/** Device to cloud: send these blocks. Limits are in limits.ts; absent means the default of docs/PROTOCOL.md section 2. */
export interface GetRequest {
  readonly clientToken?: string;
  readonly streamVersion?: number;
  /** An integer; the publisher checks its range, after the stream version. */
  readonly fileId: number;
  readonly blockSizeBytes: number;
  /** In blocks; the default is 0. */
  readonly blockOffset?: number;
  readonly blockCount?: number;
  /** Bit k of byte j, least significant first, asks for block offset + 8j + k. */
  readonly blockBitmap?: Uint8Array;
}

/** Device to cloud: what is the CRC-32 of each of these blocks? A GetStream request that selects by o and n alone (section 3). */
export type ManifestRequest = Omit<GetRequest, "blockBitmap">;

/** Cloud to device: the CRC-32 of consecutive blocks of one file (section 3). */
export interface ChecksumsMessage {
  readonly clientToken?: string;
  readonly fileId: number;
  readonly blockSizeBytes: number;
  /** Block id of the first checksum. */
  readonly blockOffset: number;
  /** Unsigned, at least one. */
  readonly checksums: Uint32Array;
}

/** Cloud to device: one block. */
export interface DataMessage {
  readonly clientToken?: string;
  readonly fileId: number;
  /** Absolute and zero-based. */
  readonly blockId: number;
  /** The block's bytes; its length is the message's `l`. */
  readonly payload: Uint8Array;
}

/** Cloud to device: a request was refused. */
export interface RejectedMessage {
  readonly clientToken?: string;
  readonly code: RejectionCode;
  readonly message: string;
}
