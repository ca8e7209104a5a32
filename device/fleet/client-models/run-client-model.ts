/** The shell of every client model: drives one over a transport and collects the files of a stream in memory. */

import type { Clock, Timer } from "../../../shared/clock.ts";
import { crc32 } from "../../../shared/crc32.ts";
import type { Log } from "../../../shared/log.ts";
import { formatChecksum } from "../../../shared/protocol/block-checksums.ts";
import { decodeData, decodeDescription, decodeRejected } from "../../../shared/protocol/decode-response.ts";
import { OtaError } from "../../../shared/protocol/errors.ts";
import type { DescribedFile } from "../../../shared/protocol/messages.ts";
import { formatTopic } from "../../../shared/protocol/topics.ts";
import type { DeviceTransport } from "../../../shared/transport.ts";
import type { ClientModel, ClientModelCommand, ClientModelCounts, ClientModelInput } from "./client-model.ts";

/** What {@link runClientModel} needs. */
export interface ClientModelRunOptions {
  readonly model: ClientModel;
  readonly transport: DeviceTransport;
  /** The thing name; with the default policy it is the MQTT client id, too. */
  readonly thing: string;
  readonly streamId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the run. */
  readonly signal?: AbortSignal;
}

/** What a model came back with. */
export interface ClientModelResult {
  /** The bytes of each file by its id, in the order in which they were fetched. */
  readonly files: ReadonlyMap<number, Uint8Array>;
  readonly counts: Readonly<ClientModelCounts>;
}

/**
 * Runs a fresh model until it has every file; a file whose CRC-32 is known is checked against it. Rejects with OtaError
 * `DigestMismatch`, `NoProgress`, `RequestRejected`, `StreamNotFound`, `Interrupted`, or what the transport rejects
 * with. Closes the transport either way.
 */
export async function runClientModel(options: ClientModelRunOptions): Promise<ClientModelResult> {
  const run = new ClientModelRun(options);
  try {
    return await run.start();
  } finally {
    run.stop();
    await options.transport.close();
  }
}

class ClientModelRun {
  private readonly options: ClientModelRunOptions;
  private readonly topics: ReadonlyMap<string, ClientModel["subscriptions"][number]>;
  private readonly outcome = Promise.withResolvers<ClientModelResult>();
  private readonly files = new Map<number, Uint8Array>();
  private openFile: Uint8Array = new Uint8Array(0);
  /** The payload of the data message being handled. */
  private payload: Uint8Array = new Uint8Array(0);
  private timer: Timer | undefined;
  private timerDueMs = Number.POSITIVE_INFINITY;
  private stopped = false;

  constructor(options: ClientModelRunOptions) {
    this.options = options;
    const { model } = options;
    this.topics = new Map(model.subscriptions.map((operation) => [this.topic(operation), operation]));
  }

  async start(): Promise<ClientModelResult> {
    const { log, signal, transport } = this.options;
    const interrupt = (): void => this.fail(new OtaError("Interrupted", "interrupted", { retryable: true }));
    signal?.addEventListener("abort", interrupt);
    if (signal?.aborted) interrupt();
    const connecting = transport.connect([...this.topics.keys()], {
      connected: () => this.handle({ on: "connected" }),
      disconnected: (reason) => log.debug("disconnected from the broker", { reason }),
      messageArrived: (name, payload) => this.takeMessage(name, payload),
    });
    connecting.catch((error: unknown) => this.fail(error));
    try {
      return await this.outcome.promise;
    } finally {
      signal?.removeEventListener("abort", interrupt);
    }
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private takeMessage(name: string, message: Uint8Array): void {
    const input = this.decode(name, message);
    if (input === undefined) this.options.log.debug("a message could not be decoded", { name });
    else this.handle(input);
  }

  private decode(name: string, message: Uint8Array): ClientModelInput | undefined {
    const { format } = this.options.model;
    switch (this.topics.get(name)) {
      case "data": {
        const data = decodeData(format, message);
        if (data === undefined) return undefined;
        this.payload = data.payload;
        return { on: "blockArrived", fileId: data.fileId, blockId: data.blockId, sizeBytes: data.payload.length };
      }
      case "description": {
        const description = decodeDescription(format, message);
        return description && { on: "described", description };
      }
      case "rejected": {
        const rejection = decodeRejected(format, message);
        return rejection && { on: "rejected", rejection };
      }
      default:
        return undefined;
    }
  }

  private handle(input: ClientModelInput): void {
    if (this.stopped) return;
    try {
      for (const command of this.options.model.handle(input, this.options.clock.monotonicMs())) this.perform(command);
      this.armTimer();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Keeps one timer no later than the deadline; one that fires early is armed again, which saves a timer per block. */
  private armTimer(): void {
    const { clock, model } = this.options;
    const { deadlineMs } = model;
    if (deadlineMs === undefined || this.stopped || deadlineMs >= this.timerDueMs) return;
    this.timer?.cancel();
    this.timerDueMs = deadlineMs;
    this.timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
      this.timerDueMs = Number.POSITIVE_INFINITY;
      if (model.deadlineMs !== undefined && model.deadlineMs <= clock.monotonicMs()) this.handle({ on: "timeout" });
      else this.armTimer();
    });
  }

  private perform(command: ClientModelCommand): void {
    const { model, transport } = this.options;
    switch (command.do) {
      case "publishDescribe":
        transport.publish(this.topic("describe"), command.payload);
        break;
      case "publishGet":
        transport.publish(this.topic("get"), command.payload);
        break;
      case "openFile":
        this.openFile = new Uint8Array(command.file.sizeBytes);
        break;
      case "keepBlock":
        this.openFile.set(this.payload, command.offsetBytes);
        break;
      case "finishFile":
        this.finishFile(command.file);
        break;
      case "finish":
        this.stop();
        this.outcome.resolve({ files: this.files, counts: model.counts });
        break;
      case "fail":
        this.fail(new OtaError(command.code, `stream ${this.options.streamId}: ${command.message}`));
        break;
    }
  }

  private finishFile(file: DescribedFile): void {
    const actual = crc32(this.openFile);
    if (file.crc32 !== undefined && file.crc32 !== actual) {
      const message = `file ${file.fileId} of stream ${this.options.streamId} is not the original: crc32 is ${formatChecksum(actual)}, expected ${formatChecksum(file.crc32)}`;
      throw new OtaError("DigestMismatch", message);
    }
    this.files.set(file.fileId, this.openFile);
  }

  private topic(operation: Parameters<typeof formatTopic>[2]): string {
    const { model, streamId, thing } = this.options;
    return formatTopic(thing, streamId, operation, model.format);
  }

  private fail(error: unknown): void {
    this.stop();
    this.outcome.reject(error);
  }
}
