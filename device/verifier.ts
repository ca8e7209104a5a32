/** Reads an image back from the disk: its digests, and which of its blocks are still what was received. */
import { createHash } from "node:crypto";
import { crc32 } from "../shared/crc32.ts";
import { countBits, createBitmap, hasBit, nextClearBit, setBit } from "../shared/protocol/bitmap.ts";
import { formatChecksum } from "../shared/protocol/block-checksums.ts";
import { blockLength, countBlocks } from "../shared/protocol/blocks.ts";
import type { OpenFile } from "./file-system.ts";
import type { ImageDigests } from "./protocol/image-identity.ts";

/** Kept between files, for one reader at a time: what is thrown away after each counts for the collector. */
const CHUNK_BYTES = 1_048_576;
/** For others who read meanwhile: the largest block. */
const SMALL_CHUNK_BYTES = 131_072;
let sharedChunk: Buffer | undefined;
let isShared = false;

/** What an image is checked against; digests that are absent are not checked. */
export interface ExpectedImage extends Partial<ImageDigests> {
  sizeBytes: number;
}

/** Why an image is not accepted. `missing`: blocks were never received. `damaged`: blocks changed after they were. */
export interface VerificationFault {
  reason: "missing" | "size" | "crc32" | "sha256" | "damaged";
  message: string;
}

/**
 * What a verification found, with the size and digests of the bytes on the disk. `damagedBlocks` lists the blocks that are
 * no longer what was received, whatever the reason; none means that wrong bytes were received.
 */
export type Verification =
  | ({ ok: true; sizeBytes: number } & ImageDigests)
  | ({ ok: false; sizeBytes: number; damagedBlocks: number[] } & ImageDigests & VerificationFault);

/** The blocks of a partial file: how it is cut, which are held, and the CRC-32 each had when it was received. */
export interface HeldBlocks {
  layout: { sizeBytes: number; blockSizeBytes: number };
  held: Uint8Array;
  claimOf: (blockId: number) => number | undefined;
}

/** Checks a partial file: no block missing, then its size and digests, then, without a digest, each block's CRC-32. */
export async function verifyImage(file: OpenFile, blocks: HeldBlocks, expected: ExpectedImage): Promise<Verification> {
  const actual = await digestFile(file);
  const missing = describeMissingBlocks(blocks);
  const compared = verifyDigests(expected, actual);
  const hasDigest = expected.crc32 !== undefined || expected.sha256 !== undefined;
  if (missing === undefined && compared.ok && hasDigest) return compared;
  const damagedBlocks = await findDamagedBlocks(file, blocks);
  const fault = missing ?? (compared.ok ? describeDamage(damagedBlocks) : compared);
  if (fault === undefined) return compared;
  return { ok: false, reason: fault.reason, message: fault.message, ...actual, damagedBlocks };
}

/** Compares size and digests with those expected. */
export function verifyDigests(expected: ExpectedImage, actual: Required<ExpectedImage>): Verification {
  for (const field of ["sizeBytes", "crc32", "sha256"] as const) {
    if (expected[field] === undefined || expected[field] === actual[field]) continue;
    const [is, was] = [actual[field], expected[field]].map((value) => formatField(field, value));
    const message = `${field} of the image is ${is}, expected ${was}`;
    return { ok: false, reason: field === "sizeBytes" ? "size" : field, message, ...actual, damagedBlocks: [] };
  }
  return { ok: true, ...actual };
}

function formatField(field: keyof ExpectedImage, value: string | number | undefined): string {
  return field === "crc32" ? formatChecksum(Number(value)) : String(value);
}

function describeMissingBlocks({ layout, held }: HeldBlocks): VerificationFault | undefined {
  const blockCount = countBlocks(layout.sizeBytes, layout.blockSizeBytes);
  const first = nextClearBit(held, 0, blockCount);
  if (first < 0) return undefined;
  const missing = blockCount - countBits(held);
  return { reason: "missing", message: `${missing} of ${blockCount} blocks are missing, the first is ${first}` };
}

async function findDamagedBlocks(file: OpenFile, { layout, held, claimOf }: HeldBlocks): Promise<number[]> {
  const intact = await findIntactBlocks(file, layout, claimOf);
  const damaged: number[] = [];
  for (let blockId = 0; blockId < held.length * 8; blockId++) {
    if (hasBit(held, blockId) && !hasBit(intact, blockId)) damaged.push(blockId);
  }
  return damaged;
}

function describeDamage(damagedBlocks: number[]): VerificationFault | undefined {
  if (damagedBlocks.length === 0) return undefined;
  const message = `${damagedBlocks.length} blocks are not on the disk as they were received, the first is ${damagedBlocks[0]}`;
  return { reason: "damaged", message };
}

/** Computes size, CRC-32 and SHA-256 of a whole file, holding at most 1 MiB of it. */
export function digestFile(file: OpenFile): Promise<ImageDigests & { sizeBytes: number }> {
  return withChunk(async (chunk) => {
    const hash = createHash("sha256");
    let crc = 0;
    let position = 0;
    for (;;) {
      const length = await file.read(position, chunk);
      const bytes = chunk.subarray(0, length);
      hash.update(bytes);
      crc = crc32(bytes, crc);
      position += length;
      if (length < chunk.length) break;
    }
    return { sizeBytes: position, crc32: crc, sha256: hash.digest("hex") };
  });
}

/**
 * Finds the blocks whose bytes have the CRC-32 that `claimOf` gives for them; blocks it gives none for are passed over
 * unread. Returns a bitmap of the blocks found. Holds at most 1 MiB of the file.
 */
export function findIntactBlocks(
  file: OpenFile,
  layout: { sizeBytes: number; blockSizeBytes: number },
  claimOf: (blockId: number) => number | undefined,
): Promise<Uint8Array> {
  const { sizeBytes, blockSizeBytes } = layout;
  const blockCount = countBlocks(sizeBytes, blockSizeBytes);
  return withChunk(async (chunk) => {
    const blocksPerChunk = Math.floor(chunk.length / blockSizeBytes);
    const intact = createBitmap(blockCount);
    for (let first = 0; first < blockCount; first += blocksPerChunk) {
      const end = Math.min(first + blocksPerChunk, blockCount);
      let available: number | undefined;
      for (let blockId = first; blockId < end; blockId++) {
        const claimed = claimOf(blockId);
        if (claimed === undefined) continue;
        available ??= await file.read(first * blockSizeBytes, chunk.subarray(0, blocksPerChunk * blockSizeBytes));
        const start = (blockId - first) * blockSizeBytes;
        const stop = start + blockLength(blockId, sizeBytes, blockSizeBytes);
        if (stop <= available && crc32(chunk.subarray(start, stop)) === claimed) setBit(intact, blockId);
      }
    }
    return intact;
  });
}

async function withChunk<Found>(read: (chunk: Buffer) => Promise<Found>): Promise<Found> {
  if (isShared) return await read(Buffer.allocUnsafe(SMALL_CHUNK_BYTES));
  isShared = true;
  sharedChunk ??= Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    return await read(sharedChunk);
  } finally {
    isShared = false;
  }
}
