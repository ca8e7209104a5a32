/** Receives one file after another: opens its image store, writes its blocks, verifies it and hands it over. */
import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import type { DescribedFile } from "../shared/protocol/messages.ts";
import { copyUnchangedBlocks } from "./base-image.ts";
import type { FileSystem } from "./file-system.ts";
import type { ImageStore } from "./image-store.ts";
import { openImageStore } from "./open-image-store.ts";
import { type ExpectedDigests, reconcileDigests } from "./protocol/expected-digests.ts";
import type { FileProgress, SessionInput } from "./protocol/session-types.ts";

/** What a {@link FileReceiver} needs. */
export interface FileReceiverOptions {
  readonly streamId: string;
  /** 256-131,072. */
  readonly blockSizeBytes: number;
  /** Finished files become `<directory>/<streamId>/<fileId>`. */
  readonly directory: string;
  /** Digests the caller knows; only for one file. */
  readonly digests?: ExpectedDigests;
  /** Refuse a file for which neither the stream nor the caller has a digest. */
  readonly requireDigest?: boolean;
  /** An older image: blocks that did not change come from there. */
  readonly basePath?: string;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly log: Log;
}

/** What became of one file. */
export interface DownloadedFile extends FileProgress {
  readonly path: string;
  /** Blocks taken from the base image. */
  readonly baseBlocks: number;
  readonly milliseconds: number;
  readonly crc32: number;
  /** 64 lowercase hex digits. */
  readonly sha256: string;
  /** `digest`: compared with a digest of the original; `size`: no digest was known. */
  readonly verified: "digest" | "size";
}

type VerifiedFile = Pick<DownloadedFile, "path" | "crc32" | "sha256" | "verified">;

/** The file side of a download. What it answers is the session's next input; everything it throws is an OtaError. */
export class FileReceiver {
  private readonly options: FileReceiverOptions;
  private store: ImageStore | undefined;
  private verified: VerifiedFile | undefined;
  private startedMs = 0;
  private fileId = 0;
  private baseBlocks = 0;

  constructor(options: FileReceiverOptions) {
    this.options = options;
  }

  /** Opens the store of a file, `afresh` without what was received of it; a finished image that is in place already is verified again. */
  async open(file: DescribedFile, streamVersion: number, afresh: boolean): Promise<SessionInput> {
    const { streamId, directory, blockSizeBytes, fileSystem, log, clock } = this.options;
    const { fileId, sizeBytes } = file;
    const digests = this.digestsOf(file);
    this.startedMs = clock.monotonicMs();
    this.fileId = fileId;
    this.baseBlocks = 0;
    if (afresh) await this.store?.discard();
    else await this.store?.close();
    const identity = { streamId, streamVersion, fileId, sizeBytes, blockSizeBytes, ...digests };
    this.store = await openImageStore({ directory, identity, fileSystem, log });
    const { complete, receivedBlocks: held } = this.store;
    if (complete) await this.verify(file);
    return { on: "fileOpened", fileId, held, complete };
  }

  /** Writes a block; a promise asks the caller to wait for a slow disk. The bytes are the caller's again on return. */
  write(blockId: number, block: Uint8Array): Promise<void> | undefined {
    return this.store?.write(blockId, block);
  }

  /**
   * Compares with the CRC-32 of every block: forgets blocks in the store that differ, and takes those that are missing from
   * the base image where they agree. Answers with what the store has then.
   */
  async match(checksums: Uint32Array): Promise<SessionInput> {
    const store = this.store as ImageStore;
    const { fileSystem, basePath, blockSizeBytes } = this.options;
    store.forget(store.findDiffering(checksums));
    if (basePath !== undefined) {
      this.baseBlocks += await copyUnchangedBlocks({ fileSystem, basePath, blockSizeBytes, store, checksums });
    }
    return { on: "matched", fileId: this.fileId, held: store.heldBlocks };
  }

  /** Checks the assembled file and puts it in place, or says which of its blocks are still what was received. */
  async verify(file: DescribedFile): Promise<SessionInput> {
    const store = this.store as ImageStore;
    const { fileId, sizeBytes } = file;
    const digests = this.digestsOf(file);
    const verification = await store.verify({ sizeBytes, ...digests });
    if (!verification.ok) {
      store.forget(verification.damagedBlocks);
      const isSize = verification.reason === "size" || verification.reason === "missing";
      const message = `file ${fileId} of stream ${this.options.streamId} is not the original: ${verification.message}`;
      const failure = { code: isSize ? "SizeMismatch" : "DigestMismatch", message } as const;
      return { on: "mismatched", fileId, failure, held: store.heldBlocks };
    }
    const { crc32, sha256 } = verification;
    const path = await store.commit();
    this.verified = { path, crc32, sha256, verified: hasDigest(digests) ? "digest" : "size" };
    return { on: "verified", fileId };
  }

  /** Closes the books of the file that was verified last. */
  finish(progress: FileProgress): DownloadedFile {
    const { verified } = this;
    if (verified === undefined) throw new Error(`file ${progress.fileId} finished without a verification`);
    this.verified = undefined;
    if (verified.verified === "size") {
      this.options.log.warn("verified by size only: the stream gives no digest", { fileId: progress.fileId });
    }
    const milliseconds = Math.round(this.options.clock.monotonicMs() - this.startedMs);
    return { ...progress, ...verified, baseBlocks: this.baseBlocks, milliseconds };
  }

  /** Keeps what was received for the next run. */
  async close(): Promise<void> {
    await this.store?.close();
  }

  private digestsOf(file: DescribedFile): ExpectedDigests {
    const { digests, requireDigest, streamId } = this.options;
    const known = reconcileDigests(file, digests);
    if (!requireDigest || hasDigest(known)) return known;
    const message = `file ${file.fileId} of stream ${streamId} has no digest to verify against: name one, or do without requiring it`;
    throw new OtaError("DigestMissing", message);
  }
}

function hasDigest({ crc32, sha256 }: ExpectedDigests): boolean {
  return crc32 !== undefined || sha256 !== undefined;
}
