/** What stands between a connection's bytes and the broker: the packet size limit, and a stop while answers pile up. */
import type { Duplex } from "node:stream";
import { type PacketFault, PacketScanner } from "./protocol/packet-scanner.ts";
import type { RequestPacket, RequestPacketReader } from "./protocol/request-packet.ts";

/** Bytes that may wait to be sent to a client before its next packets are left unread. */
const MAX_UNSENT_BYTES = 256 * 1024;

/** Where the requests of a connection go that pass Aedes by. */
export interface RequestLane {
  readonly reader: RequestPacketReader;
  /** Requests were read: the client lives. */
  noteLife(): void;
  arrived(request: RequestPacket): void;
}

/**
 * Guards the reads of one connection. Aedes reads with `connection.read(null)` and feeds its parser, so the guard takes
 * the place of `read`: it reports a faulty packet when its header is there, before its body is buffered, and reads
 * nothing while more than 256 KiB wait to be sent to a client that does not take its answers. Requests that begin what
 * is read go down a lane of their own, once it is open: Aedes would take longer over each of them than all the rest. While
 * nothing waits to be read, and Aedes for more, they do so as they arrive, in `push`, and not through the stream's buffer.
 */
export class ReadGuard {
  private readonly connection: Duplex;
  private readonly onFault: (fault: PacketFault) => void;
  private readonly scanner = new PacketScanner();
  private held: (() => void)[] = [];
  private lane: RequestLane | undefined;
  /** Aedes was given all there was and asked for more. */
  private hasReadAll = false;

  constructor(connection: Duplex, onFault: (fault: PacketFault) => void) {
    this.connection = connection;
    this.onFault = onFault;
    const read = connection.read.bind(connection);
    connection.read = (size?: number | null) => {
      // A read of 0 asks the source for more and takes nothing; the stream itself makes it.
      if (size === 0) return read(0);
      if (this.isBlocked) return null;
      return this.pass(read(size ?? undefined));
    };
    const push = connection.push.bind(connection);
    connection.push = (bytes: Buffer | null, encoding?: BufferEncoding) => {
      const rest = bytes === null ? null : this.passBy(bytes);
      return rest === undefined || push(rest, encoding);
    };
    connection.on("drain", () => this.resume());
  }

  /** From now on requests that come first in what is read pass Aedes by; it must have nothing of this client queued. */
  openLane(lane: RequestLane): void {
    this.lane = lane;
  }

  /** Runs `take` now, or in order with others once the client has taken what waits for it. */
  whenDrained(take: () => void): void {
    if (this.isBlocked) this.held.push(take);
    else take();
  }

  /** Runs what is held, whatever waits: the connection is gone, and the callbacks inside must be called. */
  release(): void {
    const held = this.held;
    this.held = [];
    for (const take of held) take();
  }

  /** Held work is at most one read of the connection, because nothing is read while there is some. */
  private get isBlocked(): boolean {
    return this.held.length > 0 || this.connection.writableLength > MAX_UNSENT_BYTES;
  }

  /** Takes the requests that begin what has just arrived, if nothing is before them; returns what the stream is to have, if anything. */
  private passBy(bytes: Buffer): Buffer | undefined {
    const { connection, lane } = this;
    if (lane === undefined || !this.hasReadAll || connection.readableLength > 0 || this.isBlocked) return bytes;
    return this.takeRequests(bytes, lane) ?? undefined;
  }

  private pass(bytes: Buffer | null): Buffer | null {
    const rest = bytes === null || this.lane === undefined ? bytes : this.takeRequests(bytes, this.lane);
    this.hasReadAll = rest === null;
    const fault = rest === null ? undefined : this.scanner.scan(rest);
    if (fault === undefined) return rest;
    this.onFault(fault);
    return null;
  }

  /** Takes the requests that come before any other packet; Aedes has the rest, so that nothing overtakes anything. */
  private takeRequests(bytes: Buffer, lane: RequestLane): Buffer | null {
    if (!this.scanner.isBetweenPackets) return bytes;
    let end = 0;
    for (let request = lane.reader.read(bytes, 0); request !== undefined; request = lane.reader.read(bytes, end)) {
      end = request.end;
      if (this.isBlocked) this.hold(lane, request);
      else lane.arrived(request);
    }
    if (end === 0) return bytes;
    lane.noteLife();
    return end < bytes.length ? bytes.subarray(end) : null;
  }

  /** A closure of its own, which most requests do not need. */
  private hold(lane: RequestLane, request: RequestPacket): void {
    this.held.push(() => lane.arrived(request));
  }

  private resume(): void {
    while (this.held.length > 0 && this.connection.writableLength <= MAX_UNSENT_BYTES) this.held.shift()?.();
    if (!this.isBlocked) this.connection.emit("readable");
  }
}
