/** Writes the blocks of an image and their claims: neighbours together, and a claim never before its block. */
import { crc32 } from "../shared/crc32.ts";
import { clearBit, setBit } from "../shared/protocol/bitmap.ts";
import { asOutputError, type OpenFile } from "./file-system.ts";
import type { ImageJournal } from "./image-journal.ts";
import type { ImagePaths } from "./image-paths.ts";

/** Most bytes of one write; from there on a call into the system costs little beside its bytes. */
const MAX_RUN_BYTES = 65_536;

/** What a {@link BlockWriter} writes to. */
export interface BlockWriterOptions {
  readonly data: OpenFile;
  readonly journal: ImageJournal;
  readonly paths: ImagePaths;
  readonly blockSizeBytes: number;
  /** The blocks held, as a bitmap; kept up to date. */
  readonly held: Uint8Array;
  /** After how many blocks everything is written out; at least 1. */
  readonly writeEveryBlocks: number;
}

/** Takes blocks in any order. What it has not written out is lost with the process; nothing is durable by itself. */
export class BlockWriter {
  readonly #options: BlockWriterOptions;
  /** Blocks with consecutive ids that wait to be written at once. */
  readonly #run: Uint8Array;
  readonly #maxRunBlocks: number;
  #firstInRun = 0;
  #runBlocks = 0;
  #runBytes = 0;

  constructor(options: BlockWriterOptions) {
    const { blockSizeBytes, writeEveryBlocks } = options;
    this.#options = options;
    this.#maxRunBlocks = Math.max(1, Math.min(writeEveryBlocks, Math.floor(MAX_RUN_BYTES / blockSizeBytes)));
    this.#run = new Uint8Array(this.#maxRunBlocks * blockSizeBytes);
  }

  /**
   * Takes a block, which is held from then on; its bytes are the caller's again on return. Throws OtaError `DiskFull` or
   * `OutputNotWritable`: blocks that could not be written are not held any more, all others are.
   */
  write(blockId: number, block: Uint8Array): void {
    const { held, journal, writeEveryBlocks } = this.#options;
    if (blockId !== this.#firstInRun + this.#runBlocks) this.writeBlocks();
    if (this.#runBlocks === 0) this.#firstInRun = blockId;
    this.#run.set(block, this.#runBytes);
    this.#runBlocks++;
    this.#runBytes += block.length;
    setBit(held, blockId);
    journal.claim(blockId, crc32(block));
    if (this.#runBlocks === this.#maxRunBlocks) this.writeBlocks();
    if (journal.changes >= writeEveryBlocks) this.writeOut();
  }

  /** Counts blocks as not held any more. */
  forget(blockIds: Iterable<number>): void {
    const { held, journal } = this.#options;
    for (const blockId of blockIds) if (clearBit(held, blockId)) journal.forget(blockId);
  }

  /** Writes everything that is only in memory, claims last. Throws as {@link BlockWriter.write} does. */
  writeOut(): void {
    const { journal, paths } = this.#options;
    this.writeBlocks();
    try {
      journal.writeChanges();
    } catch (error) {
      throw asOutputError(error, paths.journal);
    }
  }

  /** Writes the blocks that are only in memory. Throws as {@link BlockWriter.write} does. */
  writeBlocks(): void {
    const { data, paths, blockSizeBytes } = this.#options;
    const firstId = this.#firstInRun;
    const run = this.#run.subarray(0, this.#runBytes);
    const endId = firstId + this.#runBlocks;
    this.#runBlocks = 0;
    this.#runBytes = 0;
    if (run.length === 0) return;
    let writtenId = firstId;
    try {
      try {
        data.write(firstId * blockSizeBytes, run);
      } catch (error) {
        if (endId === firstId + 1) throw error;
        // A disk that fills up has room for some of them.
        for (; writtenId < endId; writtenId++) {
          const start = (writtenId - firstId) * blockSizeBytes;
          data.write(writtenId * blockSizeBytes, run.subarray(start, start + blockSizeBytes));
        }
      }
    } catch (error) {
      this.forget(Array.from({ length: endId - writtenId }, (_, index) => writtenId + index));
      throw asOutputError(error, paths.partial);
    }
  }
}
