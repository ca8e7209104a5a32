/** Names the one image a download is for, and says whether blocks kept for one image serve another. No IO. */
import { isFileId, isStreamId, isStreamVersion } from "../../shared/protocol/ids.ts";
import { MAX_BLOCK_SIZE_BYTES, MIN_BLOCK_SIZE_BYTES } from "../../shared/protocol/limits.ts";

/** What tells one image from another: where it comes from, its size, how it is cut, and its digests where known. */
export interface ImageIdentity {
  streamId: string;
  /** 0-255. */
  fileId: number;
  /** 0-65535. */
  streamVersion: number;
  /** 1 to 4294967295. */
  sizeBytes: number;
  /** 256-131072; the last block may be shorter. */
  blockSizeBytes: number;
  /** Unsigned. */
  crc32?: number;
  /** 64 lowercase hexadecimal digits. */
  sha256?: string;
}

/** The digests of the bytes of an image. */
export interface ImageDigests {
  /** Unsigned. */
  crc32: number;
  /** 64 lowercase hexadecimal digits. */
  sha256: string;
}

const MAX_SIZE_BYTES = 0xffff_ffff;
const SHA256_HEX = /^[0-9a-f]{64}$/;

/** Says what is wrong with an identity, naming the field, the limit and the value; undefined when nothing is. */
export function describeIdentityFault(identity: ImageIdentity): string | undefined {
  const { streamId, fileId, streamVersion, sizeBytes, blockSizeBytes, crc32, sha256 } = identity;
  if (!isStreamId(streamId)) return `stream id must be 1-128 of [a-zA-Z0-9_-], got ${JSON.stringify(streamId)}`;
  if (!isFileId(fileId)) return `file id must be an integer from 0 to 255, got ${fileId}`;
  if (!isStreamVersion(streamVersion)) return `stream version must be an integer from 0 to 65535, got ${streamVersion}`;
  if (!isIntegerWithin(sizeBytes, 1, MAX_SIZE_BYTES)) {
    return `file size must be an integer from 1 to ${MAX_SIZE_BYTES} bytes, got ${sizeBytes}`;
  }
  if (!isIntegerWithin(blockSizeBytes, MIN_BLOCK_SIZE_BYTES, MAX_BLOCK_SIZE_BYTES)) {
    return `block size must be an integer from ${MIN_BLOCK_SIZE_BYTES} to ${MAX_BLOCK_SIZE_BYTES} bytes, got ${blockSizeBytes}`;
  }
  if (crc32 !== undefined && !isIntegerWithin(crc32, 0, 0xffff_ffff)) {
    return `crc32 must be an integer from 0 to 4294967295, got ${crc32}`;
  }
  if (sha256 !== undefined && !SHA256_HEX.test(sha256)) {
    return `sha256 must be 64 lowercase hexadecimal digits, got ${JSON.stringify(sha256)}`;
  }
  return undefined;
}

/**
 * Says why blocks kept for `kept` must not be used for `wanted`; undefined when they may be. They may be used for the
 * same version of the same file, and for any other that has the same SHA-256 and size. Another block size never serves.
 */
export function describeIdentityChange(kept: ImageIdentity, wanted: ImageIdentity): string | undefined {
  if (kept.sizeBytes !== wanted.sizeBytes) return changed("file size", kept.sizeBytes, wanted.sizeBytes);
  if (kept.blockSizeBytes !== wanted.blockSizeBytes) {
    return changed("block size", kept.blockSizeBytes, wanted.blockSizeBytes);
  }
  if (differs(kept.sha256, wanted.sha256)) return changed("SHA-256", kept.sha256, wanted.sha256);
  if (differs(kept.crc32, wanted.crc32)) return changed("CRC-32", kept.crc32, wanted.crc32);
  if (kept.sha256 !== undefined && kept.sha256 === wanted.sha256) return undefined;
  return describeSourceChange(kept, wanted);
}

/** Says how the place an image comes from (stream, file, version) differs; undefined when it does not. */
export function describeSourceChange(kept: ImageIdentity, wanted: ImageIdentity): string | undefined {
  if (kept.streamId !== wanted.streamId) return changed("stream", kept.streamId, wanted.streamId);
  if (kept.fileId !== wanted.fileId) return changed("file id", kept.fileId, wanted.fileId);
  if (kept.streamVersion !== wanted.streamVersion) {
    return changed("stream version", kept.streamVersion, wanted.streamVersion);
  }
  return undefined;
}

function changed(what: string, was: unknown, is: unknown): string {
  return `the ${what} was ${was} and is now ${is}`;
}

function differs<T>(left: T | undefined, right: T | undefined): boolean {
  return left !== undefined && right !== undefined && left !== right;
}

function isIntegerWithin(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}
