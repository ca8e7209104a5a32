/** One client's connection as the publisher's side of the broker sees it: what it receives and how much it takes. */
import type { Duplex } from "node:stream";
import { publishLength, writePublishHead } from "../shared/protocol/data-frame.ts";
import type { ClientRole } from "./protocol/policy.ts";
import { matchesTopic } from "./protocol/topic-filter.ts";
import { ReadGuard } from "./read-guard.ts";

/** Bytes that may wait for one client before messages to it are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Topics whose receivers are remembered, per client. */
const MAX_REMEMBERED_TOPICS = 256;

/**
 * A connection from its first byte to its last. Writes go straight to the connection, whole packets at a time, beside
 * those that Aedes makes: both go through the one write queue of the stream, so that their order holds.
 */
export class ClientLink {
  readonly connection: Duplex;
  readonly guard: ReadGuard;
  clientId = "";
  role: ClientRole = { kind: "nobody" };
  /** The topic filters the client is subscribed to, read anew after each change. */
  topicFilters: () => readonly string[] = () => [];
  /** CONNACK is sent, and the connection stands. */
  isReady = false;
  isClosed = false;
  /** The publisher was told that less than all was taken, and waits to hear from this client. */
  owesReady = false;
  /** Why the broker closed the connection itself; then the log has its line already. */
  closeReason: string | undefined;
  /** Counts the writes that the socket took; stands still while the client takes nothing. */
  writesTaken = 0;
  /** Messages dropped since the log last said so. */
  droppedMessages = 0;
  private chunkInFlight = false;
  private remembered = new Map<string, boolean>();

  constructor(connection: Duplex, onFault: ConstructorParameters<typeof ReadGuard>[1]) {
    this.connection = connection;
    this.guard = new ReadGuard(connection, onFault);
  }

  /** Says whether one of the client's subscriptions matches `topic`. */
  receives(topic: string): boolean {
    if (!this.isReady || this.isClosed || this.connection.destroyed) return false;
    const known = this.remembered.get(topic);
    if (known !== undefined) return known;
    const matches = this.topicFilters().some((filter) => matchesTopic(filter, topic));
    if (this.remembered.size >= MAX_REMEMBERED_TOPICS) this.remembered.clear();
    // A no is not remembered: a request may arrive together with the subscription that is to carry its answer.
    if (matches) this.remembered.set(topic, true);
    return matches;
  }

  /** Forgets what was worked out from the subscriptions. */
  subscriptionsChanged(): void {
    this.remembered.clear();
  }

  /** The chunk before is with the socket, and a `drain` is not awaited: one more chunk may wait in user space. */
  get canTakeChunk(): boolean {
    return !this.chunkInFlight && !this.connection.writableNeedDrain;
  }

  /** Says whether a message may be added to what waits. */
  get hasRoom(): boolean {
    return this.connection.writableLength < MAX_WAITING_BYTES;
  }

  /** Writes a chunk of whole packets and calls `taken` when the socket has it or is gone. */
  writeChunk(chunk: Buffer, taken: () => void): void {
    this.chunkInFlight = true;
    this.write(chunk, () => {
      this.chunkInFlight = false;
      taken();
    });
  }

  /** Writes whole packets and calls `taken` when the socket has them or is gone. */
  write(packets: Buffer, taken?: () => void): void {
    this.connection.write(packets, () => {
      this.writesTaken++;
      taken?.();
    });
  }

  /** Closes the connection at once; `reason` keeps it from being logged again. */
  destroy(reason: string): void {
    this.closeReason ??= reason;
    this.connection.destroy();
  }
}

/** Makes a PUBLISH packet at QoS 0, not retained. */
export function encodePublish(topic: string, payload: Uint8Array): Buffer {
  const topicBytes = Buffer.from(topic);
  const packet = Buffer.allocUnsafeSlow(publishLength(topicBytes.length, payload.length));
  packet.set(payload, writePublishHead(packet, 0, topicBytes, payload.length));
  return packet;
}
