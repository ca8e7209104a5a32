/** A transport around another one that treats messages as the real service's quotas do, and says so in the log. */
import type { Clock } from "../shared/clock.ts";
import { AWS_QUOTAS } from "../shared/protocol/quotas.ts";
import { parseTopic } from "../shared/protocol/topics.ts";
import type { QuotaLog } from "../shared/quota-log.ts";
import type { BlockRun, IncomingRequest, PublisherHandlers, PublisherTransport } from "../shared/transport.ts";
import { RateBook } from "./protocol/rate-book.ts";

const PUBLISHES = AWS_QUOTAS.publishesPerSecond.limit;

/**
 * Discards what is above the publishes that a connection has in a second, in both directions together, and requests
 * whose payload or topic is too long. They are counted for each thing: under the broker's policy a thing has one
 * connection, and behind another broker nothing else can be told.
 */
export class QuotaTransport implements PublisherTransport {
  private readonly inner: PublisherTransport;
  private readonly clock: Clock;
  private readonly log: QuotaLog;
  private readonly rates = new RateBook({ perSecond: PUBLISHES, burst: PUBLISHES, largest: 1 });

  constructor(inner: PublisherTransport, clock: Clock, log: QuotaLog) {
    this.inner = inner;
    this.clock = clock;
    this.log = log;
  }

  start(handlers: PublisherHandlers): Promise<void> {
    return this.inner.start({
      requestArrived: (request) => {
        if (this.admits(request)) handlers.requestArrived(request);
      },
      deviceReady: (thing) => handlers.deviceReady(thing),
    });
  }

  stop(): Promise<void> {
    return this.inner.stop();
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    if (this.admitsPublish(thing, topic)) this.inner.sendMessage(thing, topic, payload);
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number | undefined {
    const nowMs = this.clock.monotonicMs();
    const offered = run.blockIds.length - from;
    const granted = Math.floor(this.rates.credit(thing, 1, nowMs));
    if (granted === 0) return this.discard(thing, run.topic, offered);
    const isAll = granted >= offered;
    const part = isAll ? run : { ...run, blockIds: run.blockIds.subarray(0, from + granted) };
    const taken = this.inner.sendBlocks(thing, part, from);
    if (taken === undefined) return undefined;
    this.rates.use(thing, taken, 1, nowMs);
    if (isAll || taken < granted) return taken;
    return taken + this.discard(thing, run.topic, offered - taken);
  }

  private admits({ topic, payload }: IncomingRequest): boolean {
    const parsed = parseTopic(topic);
    const thing = parsed?.thing ?? "";
    const topicBytes = Buffer.byteLength(topic);
    if (topicBytes > AWS_QUOTAS.topicBytes.limit) {
      this.log.exceeded("topicBytes", thing, 1, () => ({ value: topicBytes, topic: topic.slice(0, 256) }));
      return false;
    }
    if (payload.length > AWS_QUOTAS.payloadBytes.limit) {
      this.log.exceeded("payloadBytes", thing, 1, () => ({ value: payload.length, topic }));
      return false;
    }
    return this.admitsPublish(thing, topic);
  }

  private admitsPublish(thing: string, topic: string): boolean {
    const nowMs = this.clock.monotonicMs();
    if (this.rates.credit(thing, 1, nowMs) < 1) {
      this.discard(thing, topic, 1);
      return false;
    }
    this.rates.use(thing, 1, 1, nowMs);
    return true;
  }

  private discard(thing: string, topic: string, messages: number): number {
    this.log.exceeded("publishesPerSecond", thing, messages, () => ({ topic }));
    return messages;
  }
}
