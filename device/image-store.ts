/** Keeps the blocks of one image on disk across restarts and hands the image over only once it is verified. */
import assert from "node:assert/strict";
import type { Log } from "../shared/log.ts";
import { hasBit } from "../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../shared/protocol/blocks.ts";
import { BlockWriter } from "./block-writer.ts";
import { asOutputError, type FileLock, type FileSystem, type OpenFile } from "./file-system.ts";
import { ImageJournal } from "./image-journal.ts";
import type { ImagePaths } from "./image-paths.ts";
import type { RecoveredImage, Recovery } from "./image-recovery.ts";
import type { ImageDigests, ImageIdentity } from "./protocol/image-identity.ts";
import { SyncPacer } from "./sync-pacer.ts";
import { type ExpectedImage, type Verification, verifyDigests, verifyImage } from "./verifier.ts";

/** How far received bytes may be ahead of what a power cut leaves, by default, in bytes. */
const DEFAULT_DURABLE_DISTANCE_BYTES = 131_072;
/** After how many blocks they and the journal are written, by default. */
const DEFAULT_JOURNAL_EVERY_BLOCKS = 16;

/** What an image store is opened with. */
export interface ImageStoreOptions {
  /** The output directory; the image becomes `<directory>/<streamId>/<fileId>`. */
  directory: string;
  identity: ImageIdentity;
  fileSystem: FileSystem;
  log: Log;
  /** At least 1; 131,072 by default. */
  durableDistanceBytes?: number;
  /** At least 1; 16 by default. */
  journalEveryBlocks?: number;
}

/** What an image store has open; a finished image only has its lock. */
export interface ImageHandles {
  lock: FileLock;
  data?: OpenFile;
  journal?: ImageJournal;
}

/** One image being received, or already complete. One caller at a time may verify, commit, discard or close. */
export class ImageStore {
  /** Bit k of byte j, least significant first, is block 8j + k: held, and read back intact, before this run. */
  readonly receivedBlocks: Uint8Array;
  /** Whether the finished image is in place and was verified on opening; then nothing can be written. */
  readonly complete: boolean;
  readonly recovery: Recovery;
  /** Where the verified image is, or will be. */
  readonly path: string;
  readonly blockCount: number;

  readonly #identity: ImageIdentity;
  readonly #fileSystem: FileSystem;
  readonly #paths: ImagePaths;
  readonly #log: Log;
  readonly #handles: ImageHandles;
  readonly #pacer: SyncPacer;
  readonly #held: Uint8Array;
  readonly #writer: BlockWriter | undefined;
  /** Why blocks could not be written while nobody wrote; those are not held, and the next caller is told. */
  #writeFailure: unknown;
  #directorySynced = false;
  #verified: ImageDigests | undefined;
  #open = true;

  /** Callers use `openImageStore`. */
  constructor(options: ImageStoreOptions, paths: ImagePaths, recovered: RecoveredImage, handles: ImageHandles) {
    this.#identity = options.identity;
    this.#fileSystem = options.fileSystem;
    this.#log = options.log;
    this.#paths = paths;
    this.#handles = handles;
    this.#held = recovered.heldBlocks;
    this.#verified = recovered.finished;
    this.#pacer = new SyncPacer(options.durableDistanceBytes ?? DEFAULT_DURABLE_DISTANCE_BYTES, () => this.#sync());
    this.path = paths.final;
    this.blockCount = countBlocks(options.identity.sizeBytes, options.identity.blockSizeBytes);
    this.receivedBlocks = recovered.heldBlocks.slice();
    this.complete = recovered.finished !== undefined;
    this.recovery = recovered.recovery;
    const { data, journal } = handles;
    if (data === undefined || journal === undefined) return;
    this.#writer = new BlockWriter({
      ...{ data, journal, paths, held: this.#held },
      blockSizeBytes: options.identity.blockSizeBytes,
      writeEveryBlocks: options.journalEveryBlocks ?? DEFAULT_JOURNAL_EVERY_BLOCKS,
    });
  }

  /**
   * Takes a block; the buffer is free again on return. The bytes are counted as held, are written together with those of
   * other blocks, and become durable in the background. The promise, when there is one, is for callers that want to wait
   * for a slow disk. Throws OtaError `DiskFull` or `OutputNotWritable`; everything else that was taken is kept.
   */
  write(blockId: number, block: Uint8Array): Promise<void> | undefined {
    const { writer } = this.#writable();
    const { sizeBytes, blockSizeBytes } = this.#identity;
    assert(Number.isInteger(blockId) && blockId >= 0 && blockId < this.blockCount, "no such block");
    assert(block.length === blockLength(blockId, sizeBytes, blockSizeBytes), "not the length of this block");
    this.#pacer.throwIfFailed();
    this.#throwWriteFailure();
    this.#verified = undefined;
    writer.write(blockId, block);
    return this.#pacer.wrote(block.length);
  }

  /** The blocks held now, as a bitmap of its own. */
  get heldBlocks(): Uint8Array {
    return this.#held.slice();
  }

  /** The length of a block in bytes. */
  lengthOf(blockId: number): number {
    return blockLength(blockId, this.#identity.sizeBytes, this.#identity.blockSizeBytes);
  }

  /** The held blocks that had another CRC-32 than these when they were received. */
  findDiffering(checksums: Uint32Array): number[] {
    const { journal } = this.#writable();
    const differing: number[] = [];
    checksums.forEach((wanted, blockId) => {
      if (hasBit(this.#held, blockId) && journal.claimOf(blockId) !== wanted) differing.push(blockId);
    });
    return differing;
  }

  /** Counts blocks as not held any more, so that they can be received again. */
  forget(blockIds: Iterable<number>): void {
    const { writer } = this.#writable();
    this.#verified = undefined;
    writer.forget(blockIds);
  }

  /** Makes every block written so far durable: after a power cut, the next run holds them. */
  async flush(): Promise<void> {
    if (this.complete) return;
    this.#writable();
    await this.#pacer.flush();
    this.#throwWriteFailure();
  }

  /** Reads the whole image back and compares it. Without a digest to compare, each block must be what was received. */
  async verify(expected: ExpectedImage): Promise<Verification> {
    assert(this.#open, "the image store is closed");
    if (this.complete) {
      const { sizeBytes } = this.#identity;
      return verifyDigests(expected, { sizeBytes, ...(this.#verified as ImageDigests) });
    }
    const { data, journal, writer } = this.#writable();
    this.#throwWriteFailure();
    writer.writeBlocks();
    // The disk can be at it while the bytes are read back.
    this.#pacer.hurry();
    try {
      const claimOf = (blockId: number) => journal.claimOf(blockId);
      const result = await verifyImage(data, { layout: this.#identity, held: this.#held, claimOf }, expected);
      if (result.ok) this.#verified = { crc32: result.crc32, sha256: result.sha256 };
      return result;
    } catch (error) {
      throw asOutputError(error, this.#paths.partial);
    }
  }

  /**
   * Moves the image to its final path, durably and in one step, and closes the store; returns the path. The last
   * {@link ImageStore.verify} must have succeeded, with nothing written since. On failure the partial file stays.
   */
  async commit(): Promise<string> {
    const { data, journal } = this.#handles;
    assert(this.#open && this.#verified !== undefined, "only a verified image can be committed");
    if (data !== undefined && journal !== undefined) {
      await this.#pacer.catchUp();
      try {
        if (!this.#hasDigest) await journal.recordFinished(this.#verified);
        await this.#fileSystem.rename(this.#paths.partial, this.#paths.final);
        await this.#fileSystem.syncDirectory(this.#paths.directory);
      } catch (error) {
        throw asOutputError(error, this.#paths.final);
      }
    }
    await this.removeLeftovers();
    await this.#release();
    return this.path;
  }

  /**
   * Removes what the finished image no longer needs. A digest in the description proves the image next time; without one
   * the journal's record has to, so it stays. What cannot be removed is harmless, and tried again on the next opening.
   */
  async removeLeftovers(): Promise<void> {
    const { partial, journal, final } = this.#paths;
    try {
      await this.#fileSystem.remove(partial);
      if (this.#hasDigest) await ImageJournal.remove(this.#fileSystem, journal);
    } catch (error) {
      this.#log.warn("leftovers of a finished image could not be removed", { path: final, error });
    }
  }

  /** Removes the partial file and its journal and closes the store; a finished image in place stays. */
  async discard(): Promise<void> {
    if (this.complete) return this.close();
    this.#writable();
    await this.#pacer.settle();
    try {
      await this.#fileSystem.remove(this.#paths.partial);
      await ImageJournal.remove(this.#fileSystem, this.#paths.journal);
      await this.#fileSystem.syncDirectory(this.#paths.directory);
    } catch (error) {
      throw asOutputError(error, this.#paths.partial);
    } finally {
      await this.#release();
    }
  }

  /**
   * Keeps what was received for the next run, durably, and closes the store; does nothing when it is closed. Throws OtaError
   * `DiskFull` or `OutputNotWritable` for what could not be kept; the store is closed then, too.
   */
  async close(): Promise<void> {
    if (!this.#open) return;
    try {
      if (!this.complete && !this.#pacer.failed) await this.flush();
    } finally {
      await this.#release();
    }
  }

  get #hasDigest(): boolean {
    return this.#identity.crc32 !== undefined || this.#identity.sha256 !== undefined;
  }

  #writable(): { data: OpenFile; journal: ImageJournal; writer: BlockWriter } {
    const { data, journal } = this.#handles;
    assert(this.#open, "the image store is closed");
    assert(data !== undefined && journal !== undefined && this.#writer !== undefined, "the image is complete");
    return { data, journal, writer: this.#writer };
  }

  #throwWriteFailure(): void {
    const error = this.#writeFailure;
    this.#writeFailure = undefined;
    if (error !== undefined) throw error;
  }

  /**
   * Data and journal at the same time: a claim counts only while its block is there, so either may come first. What
   * cannot be written is no reason to give up what was.
   */
  async #sync(): Promise<void> {
    const { data, journal } = this.#handles as Required<ImageHandles>;
    try {
      this.#writer?.writeOut();
    } catch (error) {
      this.#writeFailure ??= error;
    }
    const directory = this.#directorySynced ? [] : [this.#fileSystem.syncDirectory(this.#paths.directory)];
    // None may still run when this one is over and the files are closed.
    for (const result of await Promise.allSettled([data.syncData(), journal.sync(), ...directory])) {
      if (result.status === "rejected") throw asOutputError(result.reason, this.#paths.partial);
    }
    this.#directorySynced = true;
  }

  async #release(): Promise<void> {
    this.#open = false;
    await this.#pacer.settle();
    for (const end of [this.#handles.data?.close(), this.#handles.journal?.close(), this.#handles.lock.release()]) {
      await end?.catch((error: unknown) =>
        this.#log.warn("image store did not close cleanly", { path: this.path, error }),
      );
    }
  }
}
