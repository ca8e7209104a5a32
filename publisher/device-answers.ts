/** The small messages that devices are answered with: descriptions, checksums and rejections. */
import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import type { BlockRun } from "../shared/protocol/block-run.ts";
import { encodeChecksums, encodeRejected } from "../shared/protocol/encode.ts";
import type { ChecksumsMessage } from "../shared/protocol/messages.ts";
import type { Rejection, RejectionCode } from "../shared/protocol/rejection.ts";
import {
  formatTopic,
  type MalformedTopic,
  parseTopic,
  type ResponseOperation,
  type StreamTopic,
} from "../shared/protocol/topics.ts";
import type { IncomingRequest, PublisherTransport } from "../shared/transport.ts";
import type { Arrival } from "./arrival.ts";
import { ObjectStoreError, type ObjectStoreFailure } from "./object-store/object-store.ts";
import { RejectionLog } from "./rejection-log.ts";

const REJECTION_OF_FAILURE: Readonly<Record<ObjectStoreFailure, RejectionCode>> = {
  NotFound: "ResourceNotFound",
  VersionNotKept: "ResourceNotFound",
  AccessDenied: "Unauthorized",
  Changed: "ETagMismatch",
  TooLarge: "ETagMismatch",
  Unavailable: "InternalError",
};
/** What a device is told of a defect; the log has the rest. */
const DEFECT_MESSAGE = "the server failed to answer: ask again later";

/** Where a device is answered. */
type AnswerAddress = Pick<StreamTopic, "thing" | "streamId" | "format">;

/** Sends answers; a rejection has its line in the log. What the transport throws ends in the log, too. */
export class DeviceAnswers {
  private readonly transport: PublisherTransport;
  private readonly log: Log;
  private readonly rejections: RejectionLog;

  constructor(transport: PublisherTransport, log: Log, clock: Clock) {
    this.transport = transport;
    this.log = log;
    this.rejections = new RejectionLog(log, clock);
  }

  /** Answers a describe request with an encoded description. */
  sendDescription(address: AnswerAddress, description: Uint8Array): void {
    this.send(address, "description", description);
  }

  /** Answers a manifest request. */
  sendChecksums(address: AnswerAddress, checksums: ChecksumsMessage): void {
    this.send(address, "checksums", encodeChecksums(address.format, checksums));
  }

  /** Refuses a request. */
  reject(arrival: Arrival, rejection: Rejection): void {
    this.rejectAs(arrival, rejection, undefined);
  }

  /** Refuses a request whose stream or file could not be read, or whose answer met a defect. */
  rejectFailure(arrival: Arrival, error: unknown, clientToken: string | undefined): void {
    const isFailure = error instanceof ObjectStoreError;
    const code = isFailure ? REJECTION_OF_FAILURE[error.failure] : "InternalError";
    const rejection = makeRejection(code, isFailure ? error.message : DEFECT_MESSAGE, clientToken);
    this.rejectAs(arrival, rejection, isFailure ? undefined : error);
  }

  /** Refuses a request on a malformed topic, in JSON, if thing and stream can be read. */
  rejectTopic({ thing, streamId, reason }: MalformedTopic, { topic, payload }: IncomingRequest): void {
    const rejection = makeRejection("InvalidTopic", `topic: ${reason}`, undefined);
    const where = { topic: topic.slice(0, 256), thing, streamId };
    this.rejections.write({ where, rejection, payload, payloadBytes: payload.length });
    if (thing === undefined || streamId === undefined) return;
    this.sendRejection({ thing, streamId, format: "json" }, rejection);
  }

  /** Tells a device that the rest of a run is not coming, because sending it met a defect. */
  rejectRun(thing: string, run: BlockRun, error: unknown): void {
    const { topic, fileId, format, clientToken } = run;
    this.log.error("a run of blocks could not be sent", { thing, topic, fileId, error });
    const parsed = parseTopic(topic);
    if (parsed?.kind !== "stream") return;
    const { streamId } = parsed;
    this.sendRejection({ thing, streamId, format }, makeRejection("InternalError", DEFECT_MESSAGE, clientToken));
  }

  /** Logs what is still to be said of rejections. */
  close(): void {
    this.rejections.close();
  }

  private rejectAs({ topic, payload, payloadBytes }: Arrival, rejection: Rejection, defect: unknown): void {
    const { thing, streamId } = topic;
    this.rejections.write({ where: { thing, streamId }, rejection, payload, payloadBytes, defect });
    this.sendRejection(topic, rejection);
  }

  private sendRejection(address: AnswerAddress, rejection: Rejection): void {
    this.send(address, "rejected", encodeRejected(address.format, rejection));
  }

  private send({ thing, streamId, format }: AnswerAddress, operation: ResponseOperation, payload: Uint8Array): void {
    const topic = formatTopic(thing, streamId, operation, format);
    try {
      this.transport.sendMessage(thing, topic, payload);
    } catch (error) {
      this.log.error("an answer could not be sent", { thing, topic, error });
    }
  }
}

/** Makes a rejection of a request that may have had a token. */
export function makeRejection(code: RejectionCode, message: string, clientToken: string | undefined): Rejection {
  return clientToken === undefined ? { code, message } : { code, message, clientToken };
}
