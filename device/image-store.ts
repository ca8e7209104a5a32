/** Keeps the blocks of one image on disk across restarts and hands the image over only once it is verified. */
import assert from "node:assert/strict";
import { crc32 } from "../shared/crc32.ts";
import type { Log } from "../shared/log.ts";
import { clearBit, hasBit, setBit } from "../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../shared/protocol/blocks.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import { asOutputError, type FileLock, type FileSystem, type OpenFile } from "./file-system.ts";
import { ImageJournal } from "./image-journal.ts";
import { type ImagePaths, imagePaths } from "./image-paths.ts";
import { type RecoveredImage, type Recovery, recoverImage } from "./image-recovery.ts";
import { describeIdentityFault, type ImageDigests, type ImageIdentity } from "./protocol/image-identity.ts";
import { SyncPacer } from "./sync-pacer.ts";
import { type ExpectedImage, type Verification, verifyDigests, verifyImage } from "./verifier.ts";

/** How far received bytes may be ahead of what a power cut leaves, by default, in bytes. */
const DEFAULT_DURABLE_DISTANCE_BYTES = 131_072;
/** After how many blocks the journal is written, by default. */
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

/**
 * Opens the store of one image: finds what an earlier run left, checks it, and takes the lock that keeps other processes
 * out. Throws OtaError: `InvalidArgument` for an identity out of range, `OutputNotWritable` (`retryable` when another
 * process has the image), `DiskFull`.
 */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const { identity, fileSystem, log } = options;
  const fault = describeIdentityFault(identity);
  if (fault !== undefined) throw new OtaError("InvalidArgument", fault);
  const paths = imagePaths(options.directory, identity);
  const opened: { lock?: FileLock; data?: OpenFile } = {};
  try {
    await fileSystem.createDirectory(paths.directory);
    opened.lock = await takeLock(fileSystem, paths);
    const recovered = await recoverImage(fileSystem, paths, identity);
    log[recovered.recovery.kind === "discarded" ? "warn" : "info"]("image store opened", {
      path: paths.final,
      found: recovered.recovery.kind,
      reason: recovered.recovery.reason,
    });
    if (recovered.finished !== undefined) {
      await removeLeftovers(fileSystem, paths, identity, log);
      return new ImageStore(options, paths, recovered, { lock: opened.lock });
    }
    opened.data = await openPartial(fileSystem, paths, recovered, identity.sizeBytes);
    const journal = await ImageJournal.replace(fileSystem, paths.journal, identity, {
      claims: recovered.claims,
      writeEveryBlocks: options.journalEveryBlocks ?? DEFAULT_JOURNAL_EVERY_BLOCKS,
    });
    return new ImageStore(options, paths, recovered, { lock: opened.lock, data: opened.data, journal });
  } catch (error) {
    await opened.data?.close().catch(() => {});
    await opened.lock?.release().catch(() => {});
    throw asOutputError(error, paths.final);
  }
}

async function takeLock(fileSystem: FileSystem, paths: ImagePaths): Promise<FileLock> {
  const lock = await fileSystem.lock(paths.lock);
  if (!("heldBy" in lock)) return lock;
  const message = `${paths.final} is already being downloaded by ${lock.heldBy}; wait for it or choose another directory`;
  throw new OtaError("OutputNotWritable", message, { retryable: true });
}

async function openPartial(fileSystem: FileSystem, paths: ImagePaths, recovered: RecoveredImage, sizeBytes: number) {
  if (recovered.recovery.kind !== "resumed") return fileSystem.openEmpty(paths.partial);
  const data = await fileSystem.openToUpdate(paths.partial);
  if ((await data.sizeBytes()) > sizeBytes) await data.truncate(sizeBytes);
  return data;
}

/**
 * Removes what the finished image no longer needs. A digest in the description proves the image next time; without one
 * the journal's record has to, so it stays. What cannot be removed is harmless, and tried again on the next opening.
 */
async function removeLeftovers(fileSystem: FileSystem, paths: ImagePaths, identity: ImageIdentity, log: Log) {
  try {
    await fileSystem.remove(paths.partial);
    if (hasDigest(identity)) await ImageJournal.remove(fileSystem, paths.journal);
  } catch (error) {
    log.warn("leftovers of a finished image could not be removed", { path: paths.final, error });
  }
}

function hasDigest(identity: ImageIdentity): boolean {
  return identity.crc32 !== undefined || identity.sha256 !== undefined;
}

interface Handles {
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
  readonly #handles: Handles;
  readonly #pacer: SyncPacer;
  readonly #held: Uint8Array;
  #directorySynced = false;
  #verified: ImageDigests | undefined;
  #open = true;

  /** Callers use {@link openImageStore}. */
  constructor(options: ImageStoreOptions, paths: ImagePaths, recovered: RecoveredImage, handles: Handles) {
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
  }

  /**
   * Writes a block at its offset before it returns; the buffer is free again then. The bytes are counted as held, and
   * become durable in the background. The promise, when there is one, is for callers that want to wait for a slow disk.
   * Throws OtaError `DiskFull` or `OutputNotWritable`; everything written before is kept.
   */
  write(blockId: number, block: Uint8Array): Promise<void> | undefined {
    const { data, journal } = this.#writable();
    const { sizeBytes, blockSizeBytes } = this.#identity;
    assert(Number.isInteger(blockId) && blockId >= 0 && blockId < this.blockCount, `no block ${blockId}`);
    assert.equal(block.length, blockLength(blockId, sizeBytes, blockSizeBytes), `length of block ${blockId}`);
    this.#pacer.throwIfFailed();
    this.#verified = undefined;
    try {
      data.write(blockId * blockSizeBytes, block);
    } catch (error) {
      this.forget([blockId]);
      throw asOutputError(error, this.#paths.partial);
    }
    setBit(this.#held, blockId);
    try {
      journal.claim(blockId, crc32(block));
    } catch (error) {
      throw asOutputError(error, this.#paths.journal);
    }
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
    const { journal } = this.#writable();
    this.#verified = undefined;
    for (const blockId of blockIds) {
      if (clearBit(this.#held, blockId)) journal.forget(blockId);
    }
  }

  /** Makes every block written so far durable: after a power cut, the next run holds them. */
  async flush(): Promise<void> {
    if (this.complete) return;
    this.#writable();
    await this.#pacer.flush();
  }

  /** Reads the whole image back and compares it. Without a digest to compare, each block must be what was received. */
  async verify(expected: ExpectedImage): Promise<Verification> {
    assert(this.#open, "the image store is closed");
    if (this.complete) {
      const { sizeBytes } = this.#identity;
      return verifyDigests(expected, { sizeBytes, ...(this.#verified as ImageDigests) });
    }
    const { data, journal } = this.#writable();
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
      await this.#pacer.flush();
      try {
        if (!hasDigest(this.#identity)) await journal.recordFinished(this.#verified);
        await this.#fileSystem.rename(this.#paths.partial, this.#paths.final);
        await this.#fileSystem.syncDirectory(this.#paths.directory);
      } catch (error) {
        throw asOutputError(error, this.#paths.final);
      }
    }
    await removeLeftovers(this.#fileSystem, this.#paths, this.#identity, this.#log);
    await this.#release();
    return this.path;
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

  /** Keeps what was received for the next run, durably, and closes the store; does nothing when it is closed. */
  async close(): Promise<void> {
    if (!this.#open) return;
    try {
      if (!this.complete && !this.#pacer.failed) await this.#pacer.flush();
    } finally {
      await this.#release();
    }
  }

  #writable(): { data: OpenFile; journal: ImageJournal } {
    const { data, journal } = this.#handles;
    assert(this.#open, "the image store is closed");
    assert(data !== undefined && journal !== undefined, "the image is complete");
    return { data, journal };
  }

  async #sync(): Promise<void> {
    const { data, journal } = this.#handles as Required<Handles>;
    try {
      journal.writeChanges();
      await data.syncData();
      await journal.sync();
      if (!this.#directorySynced) await this.#fileSystem.syncDirectory(this.#paths.directory);
      this.#directorySynced = true;
    } catch (error) {
      throw asOutputError(error, this.#paths.partial);
    }
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
