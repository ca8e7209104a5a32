/** The data plane: takes requests from devices and answers them with descriptions, blocks, checksums or rejections. */
import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import { type Decoded, decodeDescribe, decodeGet, type RequestProfile } from "../shared/protocol/decode.ts";
import type { DescribeRequest, GetRequest, ManifestRequest } from "../shared/protocol/messages.ts";
import type { Checked } from "../shared/protocol/rejection.ts";
import type { Format } from "../shared/protocol/topics.ts";
import type { IncomingRequest, PublisherTransport } from "../shared/transport.ts";
import { type Arrival, keepArrival, keepRequest } from "./arrival.ts";
import { DescriptionCache } from "./description-cache.ts";
import { DeviceAnswers, makeRejection } from "./device-answers.ts";
import type { FileCache } from "./file-cache.ts";
import { ManifestCache } from "./manifest-cache.ts";
import { DeliveryQueue, type Turn } from "./protocol/delivery-queue.ts";
import { type ManifestPlan, planGet, planManifest, type ResponsePlan } from "./protocol/response-planner.ts";
import type { StreamFile, StreamRecord } from "./protocol/stream.ts";
import { RequestTopics } from "./request-topics.ts";
import type { StreamDirectory } from "./stream-directory.ts";

/** What a {@link Publisher} is made of. */
export interface PublisherOptions {
  readonly transport: PublisherTransport;
  readonly directory: StreamDirectory;
  readonly files: FileCache;
  readonly clock: Clock;
  readonly log: Log;
  readonly profile: RequestProfile;
}

/** How many requests of one thing may wait for the registry or the store; a further one is told to come back. */
const MAX_WAITING_PER_THING = 64;

type DeviceRequest = DescribeRequest | GetRequest | ManifestRequest;
type Decode<R> = (format: Format, payload: Uint8Array, profile: RequestProfile) => Checked<Decoded<R>>;
/** Answers a request from its stream. */
type AnswerFrom<R> = (arrival: Arrival, request: R, stream: StreamRecord) => void;
/** Sends what was planned from a file's bytes. */
type SendFrom<P> = (arrival: Arrival, plan: P, fileBytes: Uint8Array) => void;
type FilePlan = { readonly file: StreamFile; readonly clientToken: string | undefined };

/**
 * Answers devices. What is cached is answered within the call; the rest as soon as registry or store have answered.
 * The steps of an answer are bound once, so that a request whose stream and file are at hand makes no closures.
 */
export class Publisher {
  private readonly options: PublisherOptions;
  private readonly answers: DeviceAnswers;
  private readonly queue = new DeliveryQueue();
  private readonly topics = new RequestTopics();
  private readonly descriptions: DescriptionCache;
  private readonly manifests = new ManifestCache();
  private readonly waiting = new Map<string, number>();

  constructor(options: PublisherOptions) {
    this.options = options;
    this.descriptions = new DescriptionCache(options.profile);
    this.answers = new DeviceAnswers(options.transport, options.log, options.clock);
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

  /** Stops taking requests. */
  async stop(): Promise<void> {
    await this.options.transport.stop();
    this.answers.close();
  }

  private take(request: IncomingRequest): void {
    const topic = this.topics.parse(request.topic);
    if (topic === undefined) return;
    if (topic.kind === "malformed") {
      this.answers.rejectTopic(topic, request);
      return;
    }
    const { operation, thing, streamId } = topic;
    const { payload } = request;
    const arrival: Arrival = { topic, payload, payloadBytes: payload.length };
    if (operation === "get") {
      this.accept(arrival, decodeGet, this.answerGet);
    } else if (operation === "describe") {
      this.accept(arrival, decodeDescribe, this.answerDescribe);
    } else if (operation === "manifest" && this.options.profile !== "strict") {
      this.accept<ManifestRequest>(arrival, decodeGet, this.answerManifest);
    } else {
      const reason = `operation must be describe or get, not "${operation}"`;
      this.answers.rejectTopic({ kind: "malformed", thing, streamId, reason }, request);
    }
  }

  /** Decodes a request and answers it. An exception is a defect, which costs the device this answer and nobody else's. */
  private accept<R extends DeviceRequest>(arrival: Arrival, decode: Decode<R>, answer: AnswerFrom<R>): void {
    let clientToken: string | undefined;
    try {
      const decoded = decode(arrival.topic.format, arrival.payload, this.options.profile);
      if (!decoded.ok) {
        this.answers.reject(arrival, decoded.rejection);
        return;
      }
      const { request, forgiven } = decoded.value;
      clientToken = request.clientToken;
      this.logForgiven(arrival, forgiven);
      const known = this.options.directory.peek(arrival.topic.streamId);
      if (known !== undefined) this.withStream(arrival, request, known.record, answer);
      else this.waitForStream(arrival, request, answer);
    } catch (error) {
      this.answers.rejectFailure(arrival, error, clientToken);
    }
  }

  private withStream<R extends DeviceRequest>(
    arrival: Arrival,
    request: R,
    stream: StreamRecord | undefined,
    answer: AnswerFrom<R>,
  ): void {
    if (stream !== undefined) {
      answer(arrival, request, stream);
    } else {
      const message = `there is no stream ${arrival.topic.streamId}`;
      this.answers.reject(arrival, makeRejection("ResourceNotFound", message, request.clientToken));
    }
  }

  private readonly answerDescribe: AnswerFrom<DescribeRequest> = ({ topic }, { clientToken }, stream) => {
    this.answers.sendDescription(topic, this.descriptions.answerFor(stream, topic.format, clientToken));
    this.prepareFirst(topic.thing, stream);
  };

  private readonly answerGet: AnswerFrom<GetRequest> = (arrival, request, stream) => {
    const plan = planGet(request, stream, this.options.profile);
    if (!plan.ok) {
      this.answers.reject(arrival, plan.rejection);
      return;
    }
    this.logForgiven(arrival, plan.value.forgiven);
    this.withBytes(arrival, plan.value, this.sendBlocks);
  };

  private readonly sendBlocks: SendFrom<ResponsePlan> = ({ topic }, plan, fileBytes) => {
    const { thing, dataTopic, format } = topic;
    const { clientToken, file, blockSizeBytes, blockIds } = plan;
    const pushedOut = this.queue.add(thing, {
      topic: dataTopic,
      format,
      ...(clientToken !== undefined && { clientToken }),
      fileId: file.fileId,
      blockSizeBytes,
      fileBytes,
      blockIds,
    });
    if (pushedOut > 0) this.options.log.debug("a waiting run gave way to a newer one", { thing, blocks: pushedOut });
    this.pump();
  };

  private readonly answerManifest: AnswerFrom<ManifestRequest> = (arrival, request, stream) => {
    const plan = planManifest(request, stream);
    if (plan.ok) this.withBytes(arrival, plan.value, this.sendChecksums);
    else this.answers.reject(arrival, plan.rejection);
  };

  private readonly sendChecksums: SendFrom<ManifestPlan> = ({ topic }, plan, fileBytes) => {
    const { clientToken, file, blockSizeBytes, blockOffset, blockCount } = plan;
    const all = this.manifests.checksumsOf(fileBytes, blockSizeBytes);
    this.answers.sendChecksums(topic, {
      ...(clientToken !== undefined && { clientToken }),
      fileId: file.fileId,
      blockSizeBytes,
      blockOffset,
      checksums: all.subarray(blockOffset, blockOffset + blockCount),
    });
  };

  private withBytes<P extends FilePlan>(arrival: Arrival, plan: P, send: SendFrom<P>): void {
    const cached = this.options.files.peek(plan.file);
    if (cached !== undefined) send(arrival, plan, cached);
    else this.waitForBytes(arrival, plan, send);
  }

  private waitForStream<R extends DeviceRequest>(arrival: Arrival, request: R, answer: AnswerFrom<R>): void {
    if (!this.mayWait(arrival, request.clientToken)) return;
    const kept = keepArrival(arrival);
    const keptRequest = keepRequest(request);
    const loading = this.options.directory.load(arrival.topic.streamId);
    void this.wait(kept, request.clientToken, loading, (stream) => this.withStream(kept, keptRequest, stream, answer));
  }

  private waitForBytes<P extends FilePlan>(arrival: Arrival, plan: P, send: SendFrom<P>): void {
    if (!this.mayWait(arrival, plan.clientToken)) return;
    const kept = keepArrival(arrival);
    const loading = this.options.files.load(plan.file);
    void this.wait(kept, plan.clientToken, loading, (fileBytes) => send(kept, plan, fileBytes));
  }

  /** The first file is asked for next, mostly; its check counts as a request that waits. */
  private prepareFirst(thing: string, { files: [first] }: StreamRecord): void {
    const checking = first !== undefined && this.hasRoom(thing) ? this.options.files.prepare(first) : undefined;
    if (checking === undefined) return;
    this.beginWait(thing);
    void checking.then(() => this.endWait(thing));
  }

  private mayWait(arrival: Arrival, clientToken: string | undefined): boolean {
    if (this.hasRoom(arrival.topic.thing)) return true;
    const message = `at most ${MAX_WAITING_PER_THING} requests of a thing may wait for storage: ask again later`;
    this.answers.reject(arrival, makeRejection("InternalError", message, clientToken));
    return false;
  }

  /** Goes on with a request when what it waits for is there; turns what went wrong into a rejection. Never rejects. */
  private async wait<T>(
    arrival: Arrival,
    clientToken: string | undefined,
    loading: Promise<T>,
    goOn: (value: T) => void,
  ): Promise<void> {
    const { thing } = arrival.topic;
    this.beginWait(thing);
    try {
      goOn(await loading.finally(() => this.endWait(thing)));
    } catch (error) {
      this.answers.rejectFailure(arrival, error, clientToken);
    }
  }

  private hasRoom(thing: string): boolean {
    return (this.waiting.get(thing) ?? 0) < MAX_WAITING_PER_THING;
  }

  private beginWait(thing: string): void {
    this.waiting.set(thing, (this.waiting.get(thing) ?? 0) + 1);
  }

  private endWait(thing: string): void {
    const left = (this.waiting.get(thing) ?? 1) - 1;
    if (left === 0) this.waiting.delete(thing);
    else this.waiting.set(thing, left);
  }

  private pump(): void {
    for (let turn = this.queue.next(); turn !== undefined; turn = this.queue.next()) {
      this.queue.settle(turn, this.offer(turn));
    }
  }

  /** Offers a run; one that cannot be sent is forgotten, so that it does not stay first in the queue. */
  private offer({ thing, run, from }: Turn): number | undefined {
    try {
      return this.options.transport.sendBlocks(thing, run, from);
    } catch (error) {
      this.answers.rejectRun(thing, run, error);
      return undefined;
    }
  }

  private logForgiven({ topic }: Arrival, forgiven: readonly string[]): void {
    if (forgiven.length === 0) return;
    this.options.log.info("request forgiven", { thing: topic.thing, streamId: topic.streamId, forgiven });
  }
}
