/** A store that stores nothing: it knows which blocks arrived and the CRC-32 of the whole, in whatever order they came. No IO. */

import { clearBit, createBitmap, hasAnyBit, hasBit, setBit } from "../../shared/protocol/bitmap.ts";
import { formatChecksum } from "../../shared/protocol/block-checksums.ts";
import type { DescribedFile } from "../../shared/protocol/messages.ts";
import type { CrcPlan } from "./crc-combine.ts";
import { blocksIn, crcOfRun, type ReceivedRun } from "./received-run.ts";

/** What {@link VerifyStore.verify} found. */
export type Verification =
  /** `size`: the description gives no CRC-32 to compare with. */
  | { readonly ok: true; readonly verified: "digest" | "size" }
  | { readonly ok: false; readonly code: "SizeMismatch" | "DigestMismatch"; readonly message: string };

/**
 * Takes the blocks of one file by name and CRC-32: a bit for each block and three numbers for all of them. With
 * `keepBlockCrcs` it has 4 bytes more for each block and can tell which blocks came wrong.
 */
export class VerifyStore {
  private readonly plan: CrcPlan;
  private readonly held: Uint8Array;
  private readonly blockCrcs: Uint32Array | undefined;
  private heldCount = 0;
  /** Of the blocks that are held, but for the run. */
  private combined = 0;
  /** The CRC-32 of the blocks that came last, one after another in their order, and the block behind them. */
  private runCrc = 0;
  private runEnd = 0;

  constructor(plan: CrcPlan, keepBlockCrcs = false) {
    this.plan = plan;
    this.held = createBitmap(plan.blockCount);
    this.blockCrcs = keepBlockCrcs ? new Uint32Array(plan.blockCount) : undefined;
  }

  /** A bitmap of the blocks that are held; it changes with the store. */
  get heldBlocks(): Uint8Array {
    return this.held;
  }

  /** Whether every block is held. */
  get complete(): boolean {
    return this.heldCount === this.plan.blockCount;
  }

  /** Takes a block of the file, of its right length; one that is held already changes nothing. `crc32` is unsigned. */
  take(blockId: number, crc32: number): void {
    if (!setBit(this.held, blockId)) return;
    this.heldCount++;
    this.addToRun(blockId, crc32);
    if (this.blockCrcs !== undefined) this.blockCrcs[blockId] = crc32;
  }

  /** Takes blocks of the file, of their right length, that came at once. */
  takeRun(run: ReceivedRun): void {
    const { blockId, blockCount } = run;
    const end = blockId + blockCount;
    if (this.blockCrcs !== undefined || hasAnyBit(this.held, blockId, end)) {
      for (const block of blocksIn(run)) this.take(block.blockId, crcOfRun(block, 0));
      return;
    }
    for (let each = blockId; each < end; each++) setBit(this.held, each);
    this.heldCount += blockCount;
    if (blockId !== this.runEnd) this.closeRun();
    this.runCrc = crcOfRun(run, this.runCrc);
    this.runEnd = end;
  }

  /** Compares what is held with the description of the file. */
  verify({ fileId, sizeBytes, crc32 }: DescribedFile): Verification {
    const { blockCount } = this.plan;
    if (!this.complete || sizeBytes !== this.plan.sizeBytes) {
      const message = `file ${fileId} has ${sizeBytes} bytes, and ${this.heldCount} of ${blockCount} blocks of ${this.plan.sizeBytes} bytes are held`;
      return { ok: false, code: "SizeMismatch", message };
    }
    if (crc32 === undefined) return { ok: true, verified: "size" };
    const actual = (this.combined ^ this.contributionOfRun) >>> 0;
    if (actual === crc32) return { ok: true, verified: "digest" };
    const message = `file ${fileId} is not the original: crc32 is ${formatChecksum(actual)}, expected ${formatChecksum(crc32)}`;
    return { ok: false, code: "DigestMismatch", message };
  }

  /**
   * Forgets the blocks whose CRC-32 is not that of the manifest; all of them when the CRCs of single blocks are not kept.
   * Returns the bitmap of those that are still held.
   */
  match(checksums: Uint32Array): Uint8Array {
    const { blockCrcs } = this;
    if (blockCrcs === undefined) return this.clear();
    for (let blockId = 0; blockId < this.plan.blockCount; blockId++) {
      if (hasBit(this.held, blockId) && blockCrcs[blockId] !== checksums[blockId]) this.forget(blockId, blockCrcs);
    }
    return this.held;
  }

  /** Forgets every block; returns the bitmap. */
  clear(): Uint8Array {
    this.held.fill(0);
    this.heldCount = 0;
    this.combined = 0;
    this.runCrc = 0;
    this.runEnd = 0;
    return this.held;
  }

  /** Most blocks follow the one before them, and then no product is needed; a shorter one at the end of the file needs its own. */
  private addToRun(blockId: number, crc32: number): void {
    const { plan } = this;
    if (blockId === this.runEnd && (blockId + 1) * plan.blockSizeBytes <= plan.sizeBytes) {
      this.runCrc = plan.append(this.runCrc, crc32);
    } else {
      this.closeRun();
      this.runCrc = crc32;
    }
    this.runEnd = blockId + 1;
  }

  private closeRun(): void {
    this.combined ^= this.contributionOfRun;
    this.runCrc = 0;
  }

  private get contributionOfRun(): number {
    return this.runEnd === 0 ? 0 : this.plan.contribution(this.runEnd - 1, this.runCrc);
  }

  private forget(blockId: number, blockCrcs: Uint32Array): void {
    clearBit(this.held, blockId);
    this.heldCount--;
    // What was added once goes when it is added again.
    this.combined ^= this.plan.contribution(blockId, blockCrcs[blockId] as number);
  }
}
