/** One client's connection as the publisher's side of the broker sees it: what it receives and how much it takes. */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { publishLength, writePublishHead } from "../shared/protocol/data-frame.ts";
import type { ClientRole } from "./protocol/policy.ts";
import { socketKey } from "./protocol/socket-table.ts";
import { matchesTopic } from "./protocol/topic-filter.ts";
import { ReadGuard } from "./read-guard.ts";

/** Bytes that may wait for one client before messages to it are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Topics whose receivers are remembered, per client. */
const MAX_REMEMBERED_TOPICS = 256;

/** Packets in memory that is used again once everybody who was given them has released them. */
export interface SharedPackets {
  /** Their bytes, at least one piece. */
  readonly pieces: readonly Buffer[];
  release(): void;
}

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
  /** The turn in which it was last given blocks, and how many bytes of them. */
  turn = -1;
  turnBytes = 0;
  /** Counts what the client was seen to take; stands still while it takes nothing. */
  progressCount = 0;
  /** What SendAllowance knows: bytes of blocks that were written and are not known to be taken. */
  unseenBytes = 0;
  /** Bytes that it was seen to take since it was last stuck, and whether they are enough to trust it. */
  takenBytes = 0;
  isTrusted = false;
  /** What it took since a time in monotonic milliseconds, while it is trusted. */
  watch: { readonly sinceMs: number; takenBytes: number } | undefined;
  /** Too much of what was written is with the kernel: no further blocks until it is taken. */
  isHeld = false;
  /** Names the connection in the kernel's tables, and says in which of them it is. */
  readonly socketKey: string;
  readonly isIpv6: boolean;
  /** Messages dropped since the log last said so. */
  droppedMessages = 0;
  /** A plain socket that has nothing left to write has handed everything to the kernel; other streams keep references. */
  private readonly copiesWrites: boolean;
  private readonly socket: Socket | undefined;
  private chunksInFlight = 0;
  private readonly countTaken = (): void => {
    this.progressCount++;
  };
  private readonly remembered = new Set<string>();
  private lastReceived: string | undefined;
  /** A topic that no subscription matches: that of the requests that this client makes. */
  private lastMissed: string | undefined;

  /** `socket` is what carries the connection, when that is not a socket itself. */
  constructor(connection: Duplex, onFault: ConstructorParameters<typeof ReadGuard>[1], socket?: Socket) {
    this.connection = connection;
    this.socket = connection instanceof Socket ? connection : socket;
    const { remoteAddress = "", remotePort = 0, localPort = 0 } = this.socket ?? {};
    this.socketKey = socketKey(remoteAddress, remotePort, localPort);
    this.isIpv6 = remoteAddress.includes(":");
    this.copiesWrites = connection instanceof Socket && !("encrypted" in connection);
    this.guard = new ReadGuard(connection, onFault);
  }

  /** Says whether one of the client's subscriptions matches `topic`. */
  receives(topic: string): boolean {
    if (!this.isReady || this.isClosed || this.connection.destroyed) return false;
    // A comparison costs less than the hash of a new string, and a device mostly has one stream.
    if (topic === this.lastReceived) return true;
    if (topic === this.lastMissed) return false;
    if (!this.remembered.has(topic)) {
      if (!this.topicFilters().some((filter) => matchesTopic(filter, topic))) {
        this.lastMissed = topic;
        return false;
      }
      if (this.remembered.size >= MAX_REMEMBERED_TOPICS) this.remembered.clear();
      this.remembered.add(topic);
    }
    this.lastReceived = topic;
    return true;
  }

  /** Forgets what was worked out from the subscriptions. */
  subscriptionsChanged(): void {
    this.lastReceived = undefined;
    this.lastMissed = undefined;
    this.remembered.clear();
  }

  /** The chunk before is with the socket, and a `drain` is not awaited: one more chunk may wait in user space. */
  get canTakeChunk(): boolean {
    return this.chunksInFlight === 0 && !this.connection.writableNeedDrain;
  }

  /** The kernel has its copy of everything that was written, so that nothing waits in user space. */
  get tookAll(): boolean {
    return this.copiesWrites && this.connection.writableLength === 0 && !this.connection.destroyed;
  }

  /** Several pieces become one system call; a WebSocket would make a frame of each. */
  get takesPieces(): boolean {
    return this.copiesWrites;
  }

  /** Says whether a message may be added to what waits. */
  get hasRoom(): boolean {
    return this.connection.writableLength < MAX_WAITING_BYTES;
  }

  /** Writes a chunk of whole packets and calls `taken`, later, when the socket has it or is gone. */
  writeChunk(chunk: SharedPackets, taken: (link: ClientLink) => void): void {
    this.chunksInFlight++;
    this.write(chunk, () => {
      if (--this.chunksInFlight === 0) taken(this);
    });
  }

  /**
   * Writes whole packets and releases them when nobody reads their memory any more: before it returns, if the kernel
   * has its copy by then, as it has unless the client is slow. Calls `taken`, later, when the socket has them or is gone.
   */
  write(shared: SharedPackets, taken?: () => void): void {
    let held: SharedPackets | undefined = shared;
    this.writePieces(shared.pieces, () => {
      this.progressCount++;
      held?.release();
      taken?.();
    });
    if (!this.tookAll) return;
    held = undefined;
    shared.release();
  }

  /** Writes pieces in one go, if there are several, and calls `taken` after the last of them. */
  private writePieces(pieces: readonly Buffer[], taken: () => void): void {
    const { connection } = this;
    const last = pieces.length - 1;
    if (last > 0) connection.cork();
    for (let index = 0; index < last; index++) connection.write(pieces[index]);
    connection.write(pieces[last], taken);
    if (last > 0) connection.uncork();
  }

  /** Writes a message of its own. */
  writeMessage(packet: Buffer): void {
    this.connection.write(packet, this.countTaken);
  }

  /** Closes the connection at once; `reason` keeps it from being logged again. */
  destroy(reason: string): void {
    this.closeReason ??= reason;
    this.connection.destroy();
  }

  /** Closes it so that the kernel keeps nothing for it either, as it does for minutes when a peer reads nothing. */
  reset(reason: string): void {
    this.closeReason ??= reason;
    this.socket?.resetAndDestroy();
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
