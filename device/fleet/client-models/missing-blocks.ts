/** The blocks of one file that a model still waits for. No IO. */
import { clearBit, createBitmap, hasBit, nextSetBit, setBit } from "../../../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../../../shared/protocol/blocks.ts";
import { MAX_RESPONSE_BYTES } from "../../../shared/protocol/limits.ts";
import type { DescribedFile } from "../../../shared/protocol/messages.ts";

/** Keeps a bitmap from block 0 on, a set bit for each missing block. */
export class MissingBlocks {
  readonly file: DescribedFile;
  readonly blockSizeBytes: number;
  /** How many blocks the file has. */
  readonly blockCount: number;
  /** How many are missing. */
  count: number;
  private readonly bits: Uint8Array;

  constructor(file: DescribedFile, blockSizeBytes: number) {
    this.file = file;
    this.blockSizeBytes = blockSizeBytes;
    this.blockCount = countBlocks(file.sizeBytes, blockSizeBytes);
    this.count = this.blockCount;
    this.bits = createBitmap(this.blockCount);
    for (let blockId = 0; blockId < this.blockCount; blockId++) setBit(this.bits, blockId);
  }

  /** The lowest missing block; only while some are missing. */
  get first(): number {
    return nextSetBit(this.bits, 0);
  }

  /** Takes a block off the list; says whether it was on it, was already gone, or cannot be a block of this file. */
  take(blockId: number, sizeBytes: number): "new" | "duplicate" | "impossible" {
    const expectedBytes = blockLength(blockId, this.file.sizeBytes, this.blockSizeBytes);
    if (sizeBytes !== expectedBytes || expectedBytes === 0) return "impossible";
    if (!clearBit(this.bits, blockId)) return "duplicate";
    this.count--;
    return "new";
  }

  /** The bitmap of every missing block, as long as the whole file needs it. */
  bitmap(): Uint8Array {
    return this.bits.slice();
  }

  /** The missing blocks among `blockCount` from `from` on, ascending. */
  within(from: number, blockCount: number): readonly number[] {
    const blockIds: number[] = [];
    for (let blockId = from; blockId < from + blockCount; blockId++) {
      if (hasBit(this.bits, blockId)) blockIds.push(blockId);
    }
    return blockIds;
  }

  /** How many of these blocks, from the first on, one answer holds: 131,072 bytes of payload at most. */
  countInOneAnswer(blockIds: readonly number[]): number {
    let bytes = 0;
    const tooMany = blockIds.findIndex((blockId) => {
      bytes += blockLength(blockId, this.file.sizeBytes, this.blockSizeBytes);
      return bytes > MAX_RESPONSE_BYTES;
    });
    return tooMany < 0 ? blockIds.length : tooMany;
  }
}
