/** The publisher's transport as an ordinary client of any MQTT broker. */
import type { Log } from "./log.ts";
import type { MqttConnection } from "./mqtt-port.ts";
import type { MqttSession, MqttSessionOptions } from "./mqtt-session.ts";
import { blockLength } from "./protocol/blocks.ts";
import { DataFrame } from "./protocol/data-frame.ts";
import type { BlockRun, PublisherHandlers, PublisherTransport } from "./transport.ts";

/** Makes the session of a publisher. */
export type MakePublisherSession = (parts: Pick<MqttSessionOptions, "topicFilters" | "events">) => MqttSession;

/** The requests of all devices. Not `#`: that would bring the publisher's own answers back to it. */
const REQUEST_FILTERS = ["describe", "get", "manifest"].map((operation) => `$aws/things/+/streams/+/${operation}/+`);
/** Payload bytes that one offer takes at most, one larger block apart. */
const CHUNK_BYTES = 64 * 1024;

/**
 * One connection carries the blocks of all devices, so there is no telling who receives them: every run is sent. While
 * more waits than the stream wants to hold, or the broker is away, nothing is taken; then all that wait are called in
 * the order in which they were turned away.
 */
export class MqttPublisherTransport implements PublisherTransport {
  private readonly session: MqttSession;
  private readonly log: Log;
  private readonly frames = new WeakMap<BlockRun, DataFrame>();
  private waiting = new Set<string>();
  private isCallPending = false;
  private handlers: PublisherHandlers | undefined;
  private wasConnected = false;

  constructor(makeSession: MakePublisherSession, log: Log) {
    this.log = log;
    this.session = makeSession({
      topicFilters: REQUEST_FILTERS,
      events: {
        connected: () => this.connected(),
        disconnected: (reason) => log.warn("the broker is gone, trying to come back", { reason }),
        attemptFailed: (reason) => log.debug("the broker is still away", { reason }),
        messageArrived: (topic, payload, isRetained) => {
          if (isRetained) log.warn("a retained request is ignored", { topic });
          else this.handlers?.requestArrived({ topic, payload });
        },
        drained: () => this.callWaiting(),
      },
    });
  }

  async start(handlers: PublisherHandlers): Promise<void> {
    this.handlers = handlers;
    await this.session.start();
  }

  async stop(): Promise<void> {
    this.handlers = undefined;
    this.waiting.clear();
    await this.session.close();
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number {
    const connection = this.session.current;
    if (connection === undefined || connection.isBackedUp) {
      this.waiting.add(thing);
      return 0;
    }
    const end = this.publishChunk(connection, run, from);
    if (end < run.blockIds.length) {
      this.waiting.add(thing);
      this.callWaitingSoon();
    }
    return end - from;
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    // The client may hold on to the bytes until the socket takes them.
    const isSent = this.session.current?.publish(topic, Uint8Array.from(payload)) ?? false;
    if (!isSent) this.log.debug("message dropped", { thing, topic });
  }

  /** Publishes the blocks from index `from` on until a chunk is full; returns the index after the last one. */
  private publishChunk(connection: MqttConnection, run: BlockRun, from: number): number {
    let frame = this.frames.get(run);
    if (frame === undefined) {
      frame = new DataFrame(run);
      this.frames.set(run, frame);
    }
    let index = from;
    let chunkBytes = 0;
    while (index < run.blockIds.length) {
      const blockId = run.blockIds[index] as number;
      const blockBytes = blockLength(blockId, run.fileBytes.length, run.blockSizeBytes);
      chunkBytes += frame.payloadLength(blockId, blockBytes);
      if (chunkBytes > CHUNK_BYTES && index > from) break;
      const start = blockId * run.blockSizeBytes;
      connection.publish(run.topic, frame.encode(blockId, run.fileBytes.subarray(start, start + blockBytes)));
      index++;
    }
    return index;
  }

  private connected(): void {
    if (this.wasConnected) this.log.info("the broker is back");
    this.wasConnected = true;
    this.callWaiting();
  }

  /** What was published this turn reaches the stream first; only then it can be backed up. */
  private callWaitingSoon(): void {
    if (this.isCallPending) return;
    this.isCallPending = true;
    setImmediate(() => {
      this.isCallPending = false;
      if (this.session.current?.isBackedUp === false) this.callWaiting();
    });
  }

  private callWaiting(): void {
    const called = this.waiting;
    this.waiting = new Set();
    for (const thing of called) this.handlers?.deviceReady(thing);
  }
}
