/** The keys of the messages as they stand on the wire; the only file that spells them. No IO. */

/** Key of each field of the five messages (docs/PROTOCOL.md section 2). */
export const WIRE_KEY = {
  clientToken: "c",
  streamVersion: "s",
  description: "d",
  files: "r",
  fileId: "f",
  sizeBytes: "z",
  /** Block size in a request, length of the payload in a data message. */
  length: "l",
  blockOffset: "o",
  blockCount: "n",
  blockBitmap: "b",
  blockId: "i",
  payload: "p",
  /** Rejection code, short form. */
  code: "o",
  /** Rejection message, short form. */
  message: "m",
  longClientToken: "clientToken",
  longCode: "code",
  longMessage: "message",
  /** CRC-32 of a file, in a description; an addition (section 3). */
  crc32: "crc32",
  /** SHA-256 of a file, in a description; an addition (section 3). */
  sha256: "sha256",
  /** In a description: the publisher answers manifest requests; an addition (section 3). */
  manifest: "manifest",
  /** CRC-32 of consecutive blocks, in a checksums message; an addition (section 3). */
  checksums: "crc32s",
} as const;
