/** The data plane: takes DescribeStream and GetStream requests from devices and answers them with descriptions, blocks or rejections. */

import type { Log } from "../shared/log.ts";
import { type Decoded, decodeDescribe, decodeGet, type RequestProfile } from "../shared/protocol/decode.ts";
import { encodeChecksums, encodeDescription, encodeRejected } from "../shared/protocol/encode.ts";
import { encodeHex } from "../shared/protocol/json.ts";
import type { GetRequest, ManifestRequest } from "../shared/protocol/messages.ts";
import type { Checked, Rejection, RejectionCode } from "../shared/protocol/rejection.ts";
import { formatTopic, type MalformedTopic, parseTopic, type StreamTopic } from "../shared/protocol/topics.ts";
import type { IncomingRequest, PublisherTransport } from "../shared/transport.ts";
import type { FileCache } from "./file-cache.ts";
import { ManifestCache } from "./manifest-cache.ts";
import { ObjectStoreError, type ObjectStoreFailure } from "./object-store/object-store.ts";
import { DeliveryQueue } from "./protocol/delivery-queue.ts";
import {
  type ManifestPlan,
  planDescription,
  planGet,
  planManifest,
  type ResponsePlan,
} from "./protocol/response-planner.ts";
import type { StreamFile, StreamRecord } from "./protocol/stream.ts";
import type { StreamDirectory } from "./stream-directory.ts";

/** What a {@link Publisher} is made of. */
export interface PublisherOptions {
  readonly transport: PublisherTransport;
  readonly directory: StreamDirectory;
  readonly files: FileCache;
  readonly log: Log;
  readonly profile: RequestProfile;
}

/** How many requests of one thing may wait for the registry or the store; a further one is told to come back. */
const MAX_WAITING_PER_THING = 64;
/** How much of a rejected request the log shows, in bytes. */
const LOGGED_REQUEST_BYTES = 512;

const REJECTION_OF_FAILURE: Readonly<Record<ObjectStoreFailure, RejectionCode>> = {
  NotFound: "ResourceNotFound",
  VersionNotKept: "ResourceNotFound",
  AccessDenied: "Unauthorized",
  Changed: "ETagMismatch",
  TooLarge: "ETagMismatch",
  Unavailable: "InternalError",
};

/** A request on its way through the publisher. */
interface Arrival {
  readonly topic: StreamTopic;
  readonly payload: Uint8Array;
}

/** Answers devices. What is cached is answered within the call; the rest as soon as registry or store have answered. */
export class Publisher {
  private readonly options: PublisherOptions;
  private readonly queue = new DeliveryQueue();
  private readonly manifests = new ManifestCache();
  private readonly waiting = new Map<string, number>();

  constructor(options: PublisherOptions) {
    this.options = options;
  }

  /** Starts taking requests. */
  start(): Promise<void> {
    return this.options.transport.start({
      requestArrived: (request) => this.take(request),
      deviceReady: (thing) => {
        this.queue.markReady(thing);
        this.pump();
      },
    });
  }

  private take({ topic: topicName, payload }: IncomingRequest): void {
    const topic = parseTopic(topicName);
    if (topic === undefined) return;
    if (topic.kind === "malformed") {
      this.rejectTopic(topic, topicName, payload);
    } else if (topic.operation === "describe") {
      this.takeDescribe({ topic, payload });
    } else if (topic.operation === "get") {
      this.takeGet({ topic, payload });
    } else if (topic.operation === "manifest" && this.options.profile !== "strict") {
      this.takeManifest({ topic, payload });
    } else {
      const reason = `operation must be describe or get, not ${topic.operation}`;
      this.rejectTopic({ kind: "malformed", thing: topic.thing, streamId: topic.streamId, reason }, topicName, payload);
    }
  }

  private takeDescribe(arrival: Arrival): void {
    const decoded = decodeDescribe(arrival.topic.format, arrival.payload, this.options.profile);
    if (!decoded.ok) {
      this.reject(arrival, decoded.rejection);
      return;
    }
    this.logForgiven(arrival, decoded.value);
    const { clientToken } = decoded.value.request;
    this.withStream(arrival, clientToken, (stream) => {
      const { topic } = arrival;
      const description = planDescription(stream, clientToken, this.options.profile);
      const answerTopic = formatTopic(topic.thing, topic.streamId, "description", topic.format);
      this.options.transport.sendMessage(topic.thing, answerTopic, encodeDescription(topic.format, description));
    });
  }

  private takeGet(arrival: Arrival): void {
    const decoded = decodeGet(arrival.topic.format, arrival.payload, this.options.profile);
    if (!decoded.ok) {
      this.reject(arrival, decoded.rejection);
      return;
    }
    this.logForgiven(arrival, decoded.value);
    const { request } = decoded.value;
    this.withStream(arrival, request.clientToken, (stream) => this.planAndSend(arrival, request, stream));
  }

  private planAndSend(arrival: Arrival, request: GetRequest, stream: StreamRecord): void {
    const plan: Checked<ResponsePlan> = planGet(request, stream, this.options.profile);
    if (!plan.ok) {
      this.reject(arrival, plan.rejection);
      return;
    }
    const { file, blockIds } = plan.value;
    this.withBytes(arrival, request.clientToken, file, (fileBytes) => {
      const { thing, streamId, format } = arrival.topic;
      this.queue.add(thing, {
        topic: formatTopic(thing, streamId, "data", format),
        format,
        ...(request.clientToken !== undefined && { clientToken: request.clientToken }),
        fileId: file.fileId,
        blockSizeBytes: request.blockSizeBytes,
        fileBytes,
        blockIds,
      });
      this.pump();
    });
  }

  private takeManifest(arrival: Arrival): void {
    const decoded = decodeGet(arrival.topic.format, arrival.payload, this.options.profile);
    if (!decoded.ok) {
      this.reject(arrival, decoded.rejection);
      return;
    }
    const { request } = decoded.value;
    this.withStream(arrival, request.clientToken, (stream) => {
      const plan = planManifest(request, stream);
      if (plan.ok) this.sendChecksums(arrival, request, plan.value);
      else this.reject(arrival, plan.rejection);
    });
  }

  private sendChecksums({ topic, payload }: Arrival, request: ManifestRequest, plan: ManifestPlan): void {
    const { clientToken, blockSizeBytes } = request;
    const { file, blockOffset, blockCount } = plan;
    this.withBytes({ topic, payload }, clientToken, file, (fileBytes) => {
      const all = this.manifests.checksumsOf(fileBytes, blockSizeBytes);
      const checksums = all.subarray(blockOffset, blockOffset + blockCount);
      const token = clientToken === undefined ? {} : { clientToken };
      const message = { ...token, fileId: file.fileId, blockSizeBytes, blockOffset, checksums };
      const answerTopic = formatTopic(topic.thing, topic.streamId, "checksums", topic.format);
      this.options.transport.sendMessage(topic.thing, answerTopic, encodeChecksums(topic.format, message));
    });
  }

  /** Goes on with the bytes of a file: at once when they are at hand, after the store's answer otherwise. */
  private withBytes(
    arrival: Arrival,
    clientToken: string | undefined,
    file: StreamFile,
    goOn: (fileBytes: Uint8Array) => void,
  ): void {
    const cached = this.options.files.peek(file);
    if (cached !== undefined) goOn(cached);
    else this.wait(arrival, clientToken, () => this.options.files.load(file), goOn);
  }

  /** Goes on with the stream, or rejects: at once when the stream is remembered, after the registry's answer otherwise. */
  private withStream(arrival: Arrival, clientToken: string | undefined, goOn: (stream: StreamRecord) => void): void {
    const { streamId } = arrival.topic;
    const settle = (stream: StreamRecord | undefined): void => {
      if (stream !== undefined) goOn(stream);
      else this.reject(arrival, rejection("ResourceNotFound", `there is no stream ${streamId}`, clientToken));
    };
    const known = this.options.directory.peek(streamId);
    if (known !== undefined) settle(known.record);
    else this.wait(arrival, clientToken, () => this.options.directory.load(streamId), settle);
  }

  /** Waits for `load` on behalf of a request, within bounds, and turns what it throws into a rejection. */
  private wait<T>(
    arrival: Arrival,
    clientToken: string | undefined,
    load: () => Promise<T>,
    goOn: (value: T) => void,
  ): void {
    const { thing } = arrival.topic;
    const count = this.waiting.get(thing) ?? 0;
    if (count >= MAX_WAITING_PER_THING) {
      const message = `at most ${MAX_WAITING_PER_THING} requests of a thing may wait for storage: ask again later`;
      this.reject(arrival, rejection("InternalError", message, clientToken));
      return;
    }
    this.waiting.set(thing, count + 1);
    const settle = (goOnWith: () => void): void => {
      const left = (this.waiting.get(thing) ?? 1) - 1;
      if (left === 0) this.waiting.delete(thing);
      else this.waiting.set(thing, left);
      goOnWith();
    };
    load().then(
      (value) => settle(() => goOn(value)),
      (error: unknown) => settle(() => this.rejectFailure(arrival, error, clientToken)),
    );
  }

  private pump(): void {
    for (let turn = this.queue.next(); turn !== undefined; turn = this.queue.next()) {
      this.queue.settle(turn, this.options.transport.sendBlocks(turn.thing, turn.run, turn.from));
    }
  }

  private rejectFailure(arrival: Arrival, error: unknown, clientToken: string | undefined): void {
    if (error instanceof ObjectStoreError) {
      this.reject(arrival, rejection(REJECTION_OF_FAILURE[error.failure], error.message, clientToken));
    } else {
      this.options.log.error("a request failed", { thing: arrival.topic.thing, error });
      this.reject(arrival, rejection("InternalError", "the server failed to answer: ask again later", clientToken));
    }
  }

  private rejectTopic(topic: MalformedTopic, topicName: string, payload: Uint8Array): void {
    const { thing, streamId, reason } = topic;
    const message = `topic: ${reason}`;
    this.logRejection({ topic: topicName.slice(0, 256), thing, streamId }, { code: "InvalidTopic", message }, payload);
    if (thing === undefined || streamId === undefined) return;
    const answer = encodeRejected("json", { code: "InvalidTopic", message });
    this.options.transport.sendMessage(thing, formatTopic(thing, streamId, "rejected", "json"), answer);
  }

  private reject({ topic, payload }: Arrival, refusal: Rejection): void {
    const { thing, streamId, format } = topic;
    this.logRejection({ thing, streamId }, refusal, payload);
    const answerTopic = formatTopic(thing, streamId, "rejected", format);
    this.options.transport.sendMessage(thing, answerTopic, encodeRejected(format, refusal));
  }

  /** One line, so that a firmware engineer can see what the device really sent. */
  private logRejection(where: Record<string, unknown>, { code, message }: Rejection, payload: Uint8Array): void {
    const hex = encodeHex(payload.subarray(0, LOGGED_REQUEST_BYTES));
    const request = payload.length > LOGGED_REQUEST_BYTES ? `${hex}... (${payload.length} bytes)` : hex;
    this.options.log.warn("request rejected", { ...where, code, message, request });
  }

  private logForgiven({ topic }: Arrival, { forgiven }: Decoded<unknown>): void {
    if (forgiven.length === 0) return;
    this.options.log.info("request forgiven", { thing: topic.thing, streamId: topic.streamId, forgiven });
  }
}

function rejection(code: RejectionCode, message: string, clientToken: string | undefined): Rejection {
  return clientToken === undefined ? { code, message } : { code, message, clientToken };
}
