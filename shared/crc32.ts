/** CRC-32 (ISO 3309) of bytes, by the fastest implementation that this platform has. */
import { createRequire } from "node:module";
import * as zlib from "node:zlib";

type Crc32 = (bytes: Uint8Array, previous?: number) => number;

/**
 * Computes the CRC-32 of bytes, unsigned; `previous` is that of the bytes before them, 0 by default. For short blocks the
 * native package takes a third of zlib's time; where it has no binary, zlib computes the same.
 */
export const crc32: Crc32 = loadNative() ?? ((bytes, previous) => zlib.crc32(bytes, previous));

function loadNative(): Crc32 | undefined {
  try {
    return (createRequire(import.meta.url)("@node-rs/crc32") as { crc32: Crc32 }).crc32;
  } catch {
    return undefined;
  }
}
