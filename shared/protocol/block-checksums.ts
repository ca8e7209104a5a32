/** CRC-32 of blocks: what a manifest is made of, and what a block is compared with. No IO. */
import crc32 from "crc-32";
import { blockLength } from "./blocks.ts";

/** The CRC-32 of some bytes, an unsigned 32-bit integer. */
export function checksum(bytes: Uint8Array): number {
  return crc32.buf(bytes) >>> 0;
}

/** The CRC-32 of each of `count` consecutive blocks of a file, from block id `first` on. */
export function blockChecksums(file: Uint8Array, blockSizeBytes: number, first: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => {
    const start = (first + index) * blockSizeBytes;
    return checksum(file.subarray(start, start + blockLength(first + index, file.length, blockSizeBytes)));
  });
}

/** A CRC-32 as people write it: 8 lowercase hex digits. */
export function formatChecksum(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
