/** The device agent: downloads the files of a stream over a transport into image stores, driven by the download session. */
import type { Timer } from "../shared/clock.ts";
import { encodeDescribe, encodeGet } from "../shared/protocol/encode.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import type { Description, ManifestRequest } from "../shared/protocol/messages.ts";
import { type Format, formatTopic, type Operation } from "../shared/protocol/topics.ts";
import { type Random, randomFraction } from "../shared/random.ts";
import type { DeviceTransport } from "../shared/transport.ts";
import { type DownloadedFile, FileReceiver, type FileReceiverOptions } from "./file-receiver.ts";
import { decodeMessage } from "./message-decoder.ts";
import { DownloadSession } from "./protocol/download-session.ts";
import type { FileProgress, SessionCommand, SessionInput, SessionOptions } from "./protocol/session-types.ts";

/** What {@link downloadStream} needs. */
export interface DownloadOptions extends Omit<SessionOptions, "randomFraction" | "hasBase">, FileReceiverOptions {
  readonly transport: DeviceTransport;
  /** The thing name; with the default policy it is the MQTT client id, too. */
  readonly thing: string;
  readonly format: Format;
  readonly random: Random;
  /** Ends the download; what was received is kept. */
  readonly signal?: AbortSignal;
  /** Called with every new block. */
  readonly onProgress?: (progress: FileProgress) => void;
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
    try {
      await run.close();
    } finally {
      await options.transport.close();
    }
  }
}

/** After how many unanswered DescribeStream requests the log says so. */
const SILENT_DESCRIBES = 2;
/** Beyond this a peer sends what nobody asked for, and it is dropped. */
const MAX_BACKLOG_MESSAGES = 8_192;

/** One download: the shell around a session. Inputs are handled one at a time, in the order in which they come. */
class DownloadRun {
  private readonly options: DownloadOptions;
  private readonly session: DownloadSession;
  private readonly receiver: FileReceiver;
  private readonly topics: Readonly<Record<Operation, string>>;
  private readonly operations: ReadonlyMap<string, Operation>;
  private readonly outcome = Promise.withResolvers<DownloadResult>();
  private readonly files: DownloadedFile[] = [];
  private streamVersion = 0;
  /** DescribeStream requests since the last description. */
  private describes = 0;
  /** The payload of the data message being handled. */
  private payload: Uint8Array | undefined;
  /** Messages that wait for the disk, in order; undefined while nothing waits. The window bounds what is asked for. */
  private backlog: (readonly [name: string, payload: Uint8Array])[] | undefined;
  private timer: Timer | undefined;
  private timerDueMs = Number.POSITIVE_INFINITY;
  private ended = false;
  /** What the shell does for the session at the moment: at most one thing at a time. */
  private background: Promise<void> = Promise.resolve();

  constructor(options: DownloadOptions) {
    this.options = options;
    this.session = new DownloadSession({
      ...options,
      hasBase: options.basePath !== undefined,
      randomFraction: () => randomFraction(options.random),
    });
    this.receiver = new FileReceiver(options);
    const topic = (operation: Parameters<typeof formatTopic>[2]) =>
      formatTopic(options.thing, options.streamId, operation, options.format);
    this.topics = {
      describe: topic("describe"),
      get: topic("get"),
      description: topic("description"),
      data: topic("data"),
      rejected: topic("rejected"),
      manifest: topic("manifest"),
      checksums: topic("checksums"),
    };
    this.operations = new Map(Object.entries(this.topics).map(([operation, name]) => [name, operation as Operation]));
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
    await this.receiver.close();
  }

  private takeMessage(name: string, payload: Uint8Array): void {
    if (this.backlog === undefined) this.handleMessage(name, payload);
    else if (this.backlog.length < MAX_BACKLOG_MESSAGES) this.backlog.push([name, payload]);
  }

  private handleMessage(name: string, payload: Uint8Array): void {
    const operation = this.operations.get(name);
    const message = operation === undefined ? undefined : decodeMessage(operation, this.options.format, payload);
    if (message === undefined) {
      this.options.log.warn("a message could not be decoded", { name, bytes: payload.length });
      return;
    }
    this.payload = message.payload;
    this.handle(message.input);
    this.payload = undefined;
  }

  private handle(input: SessionInput): void {
    if (this.ended) return;
    try {
      if (input.on === "described") this.takeNote(input.description);
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
      // What waits for the disk may be what the session waits for.
      if (this.backlog !== undefined) return;
      const due = this.session.deadlineMs;
      if (due !== undefined && due <= this.options.clock.monotonicMs()) this.handle({ on: "timeout" });
      else this.armTimer();
    });
  }

  private perform(command: SessionCommand): void {
    const { format, transport } = this.options;
    switch (command.do) {
      case "publishDescribe":
        this.warnOfSilence();
        transport.publish(this.topics.describe, encodeDescribe(format, command.request));
        break;
      case "publishManifest":
        this.requestManifest(command.request);
        break;
      case "matchBlocks":
        this.inBackground(() => this.receiver.match(command.checksums));
        break;
      case "publishGet":
        transport.publish(this.topics.get, encodeGet(format, command.request));
        break;
      case "keepBlock":
        this.keepBlock(command.blockId);
        break;
      case "openFile":
        this.streamVersion = command.streamVersion;
        this.inBackground(() => this.receiver.open(command.file, command.streamVersion, command.afresh));
        break;
      case "verifyFile":
        this.inBackground(() => this.receiver.verify(command.file));
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

  /** Nobody else's server knows this topic, so it is subscribed to only when the description announced it. */
  private requestManifest(request: ManifestRequest): void {
    const { format, transport } = this.options;
    transport.subscribe(this.topics.checksums).then(
      () => transport.publish(this.topics.manifest, encodeGet(format, request)),
      (error: unknown) => {
        // Any other failure is the connection's, and the request is made again when that is back.
        if (!(error instanceof OtaError) || error.code !== "SubscriptionRefused") return;
        const { clientToken = "" } = request;
        this.handle({ on: "rejected", rejection: { code: "InvalidTopic", message: error.message, clientToken } });
      },
    );
  }

  /** Throws OtaError `InvalidArgument` when what the caller knows is of one file and the stream has several. */
  private takeNote({ files }: Description): void {
    this.describes = 0;
    const { basePath, digests = {}, fileId, streamId } = this.options;
    const isOfOneFile = basePath !== undefined || Object.keys(digests).length > 0;
    if (!isOfOneFile || fileId !== undefined || files.length === 1) return;
    const message = `a digest or a base image is of one file, and stream ${streamId} has ${files.length}: name the file id`;
    throw new OtaError("InvalidArgument", message);
  }

  /** A person who waits wants to know for what. */
  private warnOfSilence(): void {
    if (++this.describes !== SILENT_DESCRIBES + 1) return;
    const { log, streamId } = this.options;
    log.warn("no answer to DescribeStream yet: is a publisher connected to this broker?", { streamId });
  }

  private finish(): void {
    const { streamVersion, files } = this;
    this.ended = true;
    this.outcome.resolve({ streamId: this.options.streamId, streamVersion, files });
  }

  private keepBlock(blockId: number): void {
    const caughtUp = this.receiver.write(blockId, this.payload as Uint8Array);
    if (caughtUp !== undefined) this.holdMessages(caughtUp);
    this.reportProgress();
  }

  /** Lets a slow disk catch up before anything more is taken: what a power cut can cost stays within bounds. */
  private holdMessages(caughtUp: Promise<void>): void {
    this.backlog ??= [];
    caughtUp.then(
      () => {
        const waiting = this.backlog ?? [];
        this.backlog = undefined;
        for (const [name, payload] of waiting) this.takeMessage(name, payload);
        this.armTimer();
      },
      (error: unknown) => this.end(error),
    );
  }

  private inBackground(work: () => Promise<SessionInput>): void {
    this.background = work().then(
      (input) => this.handle(input),
      (error: unknown) => this.end(error),
    );
  }

  private finishFile(progress: FileProgress): void {
    this.files.push(this.receiver.finish(progress));
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
