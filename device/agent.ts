/** The device agent: downloads the files of a stream over a transport into image stores, driven by the download session. */
import type { Clock, Timer } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import { decodeData, decodeDescription, decodeRejected } from "../shared/protocol/decode-response.ts";
import { encodeDescribe, encodeGet } from "../shared/protocol/encode.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import type { DescribedFile } from "../shared/protocol/messages.ts";
import { type Format, formatTopic } from "../shared/protocol/topics.ts";
import { type Random, randomFraction } from "../shared/random.ts";
import type { DeviceTransport } from "../shared/transport.ts";
import type { FileSystem } from "./file-system.ts";
import { type ImageStore, openImageStore } from "./image-store.ts";
import { DownloadSession } from "./protocol/download-session.ts";
import { type ExpectedDigests, reconcileDigests } from "./protocol/expected-digests.ts";
import type { FileProgress, SessionCommand, SessionInput, SessionOptions } from "./protocol/session-types.ts";

/** What {@link downloadStream} needs. */
export interface DownloadOptions extends Omit<SessionOptions, "randomFraction"> {
  readonly transport: DeviceTransport;
  /** The thing name; with the default policy it is the MQTT client id, too. */
  readonly thing: string;
  readonly format: Format;
  /** Finished files become `<directory>/<streamId>/<fileId>`. */
  readonly directory: string;
  /** Digests the caller knows; only for one file. */
  readonly digests?: ExpectedDigests;
  /** Refuse a file for which neither the stream nor the caller has a digest. */
  readonly requireDigest?: boolean;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Ends the download; what was received is kept. */
  readonly signal?: AbortSignal;
  /** Called when a file is opened and with every new block. */
  readonly onProgress?: (progress: FileProgress) => void;
}

/** What became of one file. */
export interface DownloadedFile extends FileProgress {
  readonly path: string;
  readonly milliseconds: number;
  readonly crc32: number;
  /** 64 lowercase hex digits. */
  readonly sha256: string;
  /** `digest`: compared with a digest of the original; `size`: no digest was known. */
  readonly verified: "digest" | "size";
}

/** What became of a stream. */
export interface DownloadResult {
  readonly streamId: string;
  readonly streamVersion: number;
  readonly files: readonly DownloadedFile[];
}

/**
 * Downloads a stream, or one file of it, and resolves when every file is in place and verified. Rejects with OtaError;
 * what was received is kept for the next run. Closes the transport either way.
 */
export async function downloadStream(options: DownloadOptions): Promise<DownloadResult> {
  const run = new DownloadRun(options);
  try {
    return await run.start();
  } finally {
    await run.close();
    await options.transport.close();
  }
}

/** One download: the shell around a session. Inputs are handled one at a time, in the order in which they come. */
class DownloadRun {
  private readonly options: DownloadOptions;
  private readonly session: DownloadSession;
  private readonly topics: Readonly<Record<"describe" | "get" | "description" | "data" | "rejected", string>>;
  private readonly outcome = Promise.withResolvers<DownloadResult>();
  private readonly files: DownloadedFile[] = [];
  private streamVersion = 0;
  private store: ImageStore | undefined;
  private verifiedFile: Pick<DownloadedFile, "path" | "crc32" | "sha256" | "verified"> | undefined;
  private fileStartedMs = 0;
  /** The payload of the data message being handled. */
  private payload: Uint8Array | undefined;
  private timer: Timer | undefined;
  private timerDueMs = Number.POSITIVE_INFINITY;
  private ended = false;
  /** What the shell does for the session at the moment: at most one thing at a time. */
  private background: Promise<void> = Promise.resolve();

  constructor(options: DownloadOptions) {
    this.options = options;
    this.session = new DownloadSession({ ...options, randomFraction: () => randomFraction(options.random) });
    const topic = (operation: Parameters<typeof formatTopic>[2]) =>
      formatTopic(options.thing, options.streamId, operation, options.format);
    this.topics = {
      describe: topic("describe"),
      get: topic("get"),
      description: topic("description"),
      data: topic("data"),
      rejected: topic("rejected"),
    };
  }

  async start(): Promise<DownloadResult> {
    const { signal, transport } = this.options;
    const interrupt = (): void =>
      this.end(
        new OtaError("Interrupted", "interrupted; what was received is kept for the next run", { retryable: true }),
      );
    signal?.addEventListener("abort", interrupt);
    if (signal?.aborted) interrupt();
    const connecting = transport.connect([this.topics.description, this.topics.data, this.topics.rejected], {
      connected: () => this.handle({ on: "connected" }),
      disconnected: (reason) => {
        this.options.log.warn("disconnected from the broker", { reason });
        this.handle({ on: "disconnected" });
      },
      messageArrived: (name, payload) => this.takeMessage(name, payload),
    });
    connecting.catch((error: unknown) => this.end(error));
    try {
      return await this.outcome.promise;
    } finally {
      signal?.removeEventListener("abort", interrupt);
    }
  }

  async close(): Promise<void> {
    this.ended = true;
    this.timer?.cancel();
    await this.background;
    await this.store?.close();
  }

  private takeMessage(name: string, payload: Uint8Array): void {
    const input = this.decodeMessage(name, payload);
    if (input === undefined) this.options.log.warn("a message could not be decoded", { name, bytes: payload.length });
    else this.handle(input);
    this.payload = undefined;
  }

  private decodeMessage(name: string, message: Uint8Array): SessionInput | undefined {
    const { format } = this.options;
    if (name === this.topics.data) {
      const data = decodeData(format, message);
      if (data === undefined) return undefined;
      const { fileId, blockId, clientToken, payload } = data;
      this.payload = payload;
      return { on: "blockArrived", fileId, blockId, sizeBytes: payload.length, clientToken };
    }
    if (name === this.topics.description) {
      const description = decodeDescription(format, message);
      if (description === undefined) return undefined;
      this.streamVersion = description.streamVersion;
      return { on: "described", description };
    }
    const rejection = name === this.topics.rejected ? decodeRejected(format, message) : undefined;
    return rejection === undefined ? undefined : { on: "rejected", rejection };
  }

  private handle(input: SessionInput): void {
    if (this.ended) return;
    try {
      for (const command of this.session.handle(input, this.options.clock.monotonicMs())) this.perform(command);
      this.armTimer();
    } catch (error) {
      this.end(error);
    }
  }

  /** Keeps one timer no later than the deadline; one that fires early is armed again, which saves a timer per block. */
  private armTimer(): void {
    const { deadlineMs } = this.session;
    if (deadlineMs === undefined || this.ended || deadlineMs >= this.timerDueMs) return;
    this.timer?.cancel();
    this.timerDueMs = deadlineMs;
    this.timer = this.options.clock.setTimer(Math.max(0, deadlineMs - this.options.clock.monotonicMs()), () => {
      this.timerDueMs = Number.POSITIVE_INFINITY;
      const due = this.session.deadlineMs;
      if (due !== undefined && due <= this.options.clock.monotonicMs()) this.handle({ on: "timeout" });
      else this.armTimer();
    });
  }

  private perform(command: SessionCommand): void {
    const { format, transport } = this.options;
    switch (command.do) {
      case "publishDescribe":
        transport.publish(this.topics.describe, encodeDescribe(format, command.request));
        break;
      case "publishGet":
        transport.publish(this.topics.get, encodeGet(format, command.request));
        break;
      case "keepBlock":
        this.keepBlock(command.blockId);
        break;
      case "openFile":
        this.inBackground(() => this.openFile(command.file, command.streamVersion));
        break;
      case "verifyFile":
        this.inBackground(() => this.verifyFile(command.file));
        break;
      case "fileFinished":
        this.finishFile(command.progress);
        break;
      case "finish":
        this.finish();
        break;
      case "fail":
        this.end(new OtaError(command.failure.code, command.failure.message));
        break;
    }
  }

  private finish(): void {
    const { streamVersion, files } = this;
    this.ended = true;
    this.outcome.resolve({ streamId: this.options.streamId, streamVersion, files });
  }

  private keepBlock(blockId: number): void {
    this.store?.write(blockId, this.payload as Uint8Array)?.catch((error: unknown) => this.end(error));
    this.reportProgress();
  }

  private inBackground(work: () => Promise<SessionInput>): void {
    this.background = work().then(
      (input) => this.handle(input),
      (error: unknown) => this.end(error),
    );
  }

  private async openFile(file: DescribedFile, streamVersion: number): Promise<SessionInput> {
    const { streamId, directory, blockSizeBytes, fileSystem, log, requireDigest } = this.options;
    const digests = reconcileDigests(file, this.options.digests);
    if (requireDigest && digests.crc32 === undefined && digests.sha256 === undefined) {
      const message = `file ${file.fileId} of stream ${streamId} has no digest to verify against: name one, or do without requiring it`;
      throw new OtaError("DigestMissing", message);
    }
    this.fileStartedMs = this.options.clock.monotonicMs();
    await this.store?.close();
    const { fileId, sizeBytes } = file;
    const identity = { streamId, streamVersion, fileId, sizeBytes, blockSizeBytes, ...digests };
    this.store = await openImageStore({ directory, identity, fileSystem, log });
    if (this.store.complete) await this.verifyFile(file);
    return { on: "fileOpened", fileId: file.fileId, held: this.store.receivedBlocks, complete: this.store.complete };
  }

  private async verifyFile(file: DescribedFile): Promise<SessionInput> {
    const store = this.store as ImageStore;
    const digests = reconcileDigests(file, this.options.digests);
    const verification = await store.verify({ sizeBytes: file.sizeBytes, ...digests });
    if (!verification.ok) {
      await store.discard();
      const code =
        verification.reason === "size" || verification.reason === "missing" ? "SizeMismatch" : "DigestMismatch";
      const message = `file ${file.fileId} of stream ${this.options.streamId} is not the original: ${verification.message}`;
      return { on: "mismatched", fileId: file.fileId, failure: { code, message } };
    }
    const byDigest = digests.crc32 !== undefined || digests.sha256 !== undefined;
    const { crc32, sha256 } = verification;
    const path = await store.commit();
    this.verifiedFile = { path, crc32, sha256, verified: byDigest ? "digest" : "size" };
    return { on: "verified", fileId: file.fileId };
  }

  private finishFile(progress: FileProgress): void {
    const verified = this.verifiedFile;
    if (verified === undefined) throw new Error(`file ${progress.fileId} finished without a verification`);
    const milliseconds = Math.round(this.options.clock.monotonicMs() - this.fileStartedMs);
    this.files.push({ ...progress, ...verified, milliseconds });
    this.verifiedFile = undefined;
    if (verified.verified === "size") {
      this.options.log.warn("verified by size only: the stream gives no digest", { fileId: progress.fileId });
    }
  }

  private reportProgress(): void {
    const progress = this.options.onProgress && this.session.progress();
    if (progress !== undefined) this.options.onProgress?.(progress);
  }

  private end(error: unknown): void {
    this.ended = true;
    this.outcome.reject(error);
  }
}
