/**
 * The bytes of an image's journal: whose blocks it is about, a claim per block, and whether the image was finished. No IO.
 *
 * A journal is a table, written in place and in any order:
 *
 *     0    header, 256 bytes: the image's identity and a checksum of it
 *     256  finished record, 64 bytes: the digests of the verified image, or zeros
 *     512  one claim of 8 bytes per block: the CRC-32 of the block's bytes and a checksum, or zeros
 *
 * A claim says "these bytes were received for this block", so it counts only while the partial file still has bytes with
 * that CRC-32. Claims that a power cut lost, tore, or kept without their data are thereby told from good ones, and the
 * checksum, which the header's own is mixed into, keeps claims of an earlier image from counting for a later one.
 * Numbers are little-endian.
 */
import { countBlocks } from "../../shared/protocol/blocks.ts";
import { describeIdentityFault, type ImageDigests, type ImageIdentity } from "./image-identity.ts";

/** Computes the CRC-32 of some bytes, continuing from `previous`. */
export type Crc32 = (bytes: Uint8Array, previous?: number) => number;

/** Size of the header, in bytes. */
export const JOURNAL_HEADER_BYTES = 256;
/** Where the finished record starts, in bytes from the start of the journal. */
export const FINISHED_RECORD_OFFSET = 256;
/** Size of the finished record, in bytes. */
export const FINISHED_RECORD_BYTES = 64;
/** Where the claims start, in bytes from the start of the journal. */
export const CLAIMS_OFFSET = 512;
/** Size of one claim, in bytes. */
export const CLAIM_BYTES = 8;

const MAGIC = "otajrnl\u0001";
const FLAG_CRC32 = 1;
const FLAG_SHA256 = 2;
const CHECKSUM_OFFSET = JOURNAL_HEADER_BYTES - 4;
const FINISHED_MARK = 0x454e_4f44;

/** What a header says: the identity and the key that this journal's claims and finished record are sealed with. */
export type DecodedHeader =
  | { ok: true; identity: ImageIdentity; key: number }
  | { ok: false; reason: "truncated" | "garbled" | "not a journal" };

/** How long the journal of an image is, in bytes. */
export function journalSizeBytes(identity: ImageIdentity): number {
  return CLAIMS_OFFSET + CLAIM_BYTES * countBlocks(identity.sizeBytes, identity.blockSizeBytes);
}

/** Encodes the header of a valid identity; the key is what {@link decodeJournalHeader} returns for these bytes. */
export function encodeJournalHeader(identity: ImageIdentity, crc32: Crc32): { bytes: Uint8Array; key: number } {
  const bytes = new Uint8Array(JOURNAL_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  writeAscii(bytes, 0, MAGIC);
  view.setUint32(8, identity.streamVersion, true);
  view.setUint32(12, identity.fileId, true);
  view.setUint32(16, identity.sizeBytes, true);
  view.setUint32(20, identity.blockSizeBytes, true);
  bytes[24] = (identity.crc32 === undefined ? 0 : FLAG_CRC32) | (identity.sha256 === undefined ? 0 : FLAG_SHA256);
  bytes[25] = identity.streamId.length;
  view.setUint32(28, identity.crc32 ?? 0, true);
  if (identity.sha256 !== undefined) writeHex(bytes, 32, identity.sha256);
  writeAscii(bytes, 64, identity.streamId);
  const key = crc32(bytes.subarray(0, CHECKSUM_OFFSET));
  view.setUint32(CHECKSUM_OFFSET, key, true);
  return { bytes, key };
}

/** Decodes a header from the start of `bytes`; whatever they are, it answers and never throws. */
export function decodeJournalHeader(bytes: Uint8Array, crc32: Crc32): DecodedHeader {
  if (bytes.length < JOURNAL_HEADER_BYTES) return { ok: false, reason: "truncated" };
  if (readAscii(bytes, 0, MAGIC.length) !== MAGIC) return { ok: false, reason: "not a journal" };
  const view = viewOf(bytes);
  const key = crc32(bytes.subarray(0, CHECKSUM_OFFSET));
  if (view.getUint32(CHECKSUM_OFFSET, true) !== key) return { ok: false, reason: "garbled" };
  const flags = bytes[24] as number;
  const identity: ImageIdentity = {
    streamVersion: view.getUint32(8, true),
    fileId: view.getUint32(12, true),
    sizeBytes: view.getUint32(16, true),
    blockSizeBytes: view.getUint32(20, true),
    streamId: readAscii(bytes, 64, Math.min(bytes[25] as number, 128)),
    ...((flags & FLAG_CRC32) !== 0 && { crc32: view.getUint32(28, true) }),
    ...((flags & FLAG_SHA256) !== 0 && { sha256: readHex(bytes, 32, 32) }),
  };
  return describeIdentityFault(identity) === undefined ? { ok: true, identity, key } : { ok: false, reason: "garbled" };
}

/** Encodes the claim that block `blockId` has bytes of this CRC-32, at `offset` in `target`. */
export function encodeClaim(target: Uint8Array, offset: number, claim: SealedClaim, crc32: Crc32): void {
  const view = viewOf(target);
  view.setUint32(offset, claim.blockCrc32, true);
  view.setUint32(offset + 4, sealOf(claim, crc32), true);
}

/** A claim and the key that seals it. */
export interface SealedClaim {
  key: number;
  blockId: number;
  blockCrc32: number;
}

/** What 8 bytes claim about a block: the CRC-32 of its bytes, nothing (zeros), or that they were damaged. */
export function decodeClaim(
  source: Uint8Array,
  offset: number,
  owner: { key: number; blockId: number },
  crc32: Crc32,
): number | "none" | "garbled" {
  if (offset + CLAIM_BYTES > source.length) return "none";
  const view = viewOf(source);
  const blockCrc32 = view.getUint32(offset, true);
  const seal = view.getUint32(offset + 4, true);
  if (blockCrc32 === 0 && seal === 0) return "none";
  return seal === sealOf({ ...owner, blockCrc32 }, crc32) ? blockCrc32 : "garbled";
}

/** Encodes the record that the whole image was verified, with the digests of its bytes. */
export function encodeFinishedRecord(digests: ImageDigests, key: number, crc32: Crc32): Uint8Array {
  const bytes = new Uint8Array(FINISHED_RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, FINISHED_MARK, true);
  view.setUint32(4, digests.crc32, true);
  writeHex(bytes, 8, digests.sha256);
  view.setUint32(FINISHED_RECORD_BYTES - 4, crc32(bytes.subarray(0, FINISHED_RECORD_BYTES - 4), key), true);
  return bytes;
}

/** Decodes a finished record; undefined when there is none or it is damaged or sealed with another key. */
export function decodeFinishedRecord(bytes: Uint8Array, key: number, crc32: Crc32): ImageDigests | undefined {
  if (bytes.length < FINISHED_RECORD_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== FINISHED_MARK) return undefined;
  const checksum = crc32(bytes.subarray(0, FINISHED_RECORD_BYTES - 4), key);
  if (view.getUint32(FINISHED_RECORD_BYTES - 4, true) !== checksum) return undefined;
  return { crc32: view.getUint32(4, true), sha256: readHex(bytes, 8, 32) };
}

const sealInput = new Uint8Array(8);
const sealInputView = new DataView(sealInput.buffer);

function sealOf(claim: SealedClaim, crc32: Crc32): number {
  sealInputView.setUint32(0, claim.blockId, true);
  sealInputView.setUint32(4, claim.blockCrc32, true);
  return crc32(sealInput, claim.key);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function writeAscii(bytes: Uint8Array, offset: number, text: string): void {
  for (let index = 0; index < text.length; index++) bytes[offset + index] = text.charCodeAt(index);
}

function readAscii(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length));
}

function writeHex(bytes: Uint8Array, offset: number, hex: string): void {
  for (let index = 0; index < hex.length / 2; index++) {
    bytes[offset + index] = Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16);
  }
}

function readHex(bytes: Uint8Array, offset: number, length: number): string {
  return Array.from(bytes.subarray(offset, offset + length), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
