/** A simulated broker: the publisher's transport on one side, devices behind links on the other. */
import { crc32 } from "node:zlib";
import type { LinkProfile } from "../../device/fleet/link-profiles.ts";
import type { Clock } from "../../shared/clock.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";
import type { Random } from "../../shared/random.ts";
import type {
  BlockRun,
  DeviceHandlers,
  DeviceTransport,
  PublisherHandlers,
  PublisherTransport,
} from "../../shared/transport.ts";
import type { Faults } from "./faults.ts";
import { SimLink } from "./sim-link.ts";

/** What is counted of one thing's traffic. */
export interface Traffic {
  /** Payload bytes of blocks that left for the device. */
  sentPayloadBytes: number;
  /** Data messages that reached the device. */
  arrivedMessages: number;
  /** Highest number of bytes that one request asked for. */
  largestRequestBytes: number;
  firstGetAtMs: number | undefined;
  /** When the last data message was handed to the device. */
  lastBlockAtMs: number | undefined;
  /** Requests for blocks that were sent while the device was handed a data message it had before, byte for byte. */
  requestsAfterDuplicates: number;
}

/** What a connection of a device is like. */
export interface SimConnectionOptions {
  readonly thing: string;
  readonly link: LinkProfile;
  readonly bufferBlocks: number | undefined;
  /** How long the device takes for a data message of so many bytes, in milliseconds. */
  readonly flashMs: (payloadBytes: number) => number;
  /** Whether the device still runs; a dead one takes nothing. */
  readonly isAlive: () => boolean;
}

/** What an in-process broker keeps ahead of a socket, in bytes. */
const CHUNK_BYTES = 65_536;
/** How soon a device tries again to connect, in milliseconds. */
const RECONNECT_MS = 1_000;

/** Carries messages between one publisher and many devices. */
export class SimBroker implements PublisherTransport {
  readonly traffic = new Map<string, Traffic>();
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly faults: Faults;
  private readonly connections = new Map<string, SimConnection>();
  private handlers: PublisherHandlers | undefined;
  /** While false nobody can connect. */
  isUp = true;

  constructor(clock: Clock, random: Random, faults: Faults) {
    this.clock = clock;
    this.random = random;
    this.faults = faults;
  }

  async start(handlers: PublisherHandlers): Promise<void> {
    this.handlers = handlers;
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number | undefined {
    const connection = this.connections.get(thing);
    if (connection === undefined) return undefined;
    const frame = new DataFrame(run);
    let index = from;
    for (; index < run.blockIds.length && connection.down.queuedBytes < CHUNK_BYTES; index++) {
      const blockId = run.blockIds[index] as number;
      const start = blockId * run.blockSizeBytes;
      const length = blockLength(blockId, run.fileBytes.length, run.blockSizeBytes);
      this.trafficOf(thing).sentPayloadBytes += length;
      connection.sendDown(run.topic, frame.encode(blockId, run.fileBytes.subarray(start, start + length)), true);
    }
    if (index < run.blockIds.length) connection.wantsReady = true;
    return index - from;
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    this.connections.get(thing)?.sendDown(topic, payload.slice(), false);
  }

  async stop(): Promise<void> {
    this.handlers = undefined;
  }

  /** A device's side: connects in a round trip and a half, comes back a second after a loss, until it is closed. */
  connectDevice(options: SimConnectionOptions): DeviceTransport {
    let closed = false;
    let current: SimConnection | undefined;
    const open = (handlers: DeviceHandlers, established: () => void): void => {
      this.clock.setTimer(options.link.roundTripMs * 1.5, () => {
        if (closed || !options.isAlive()) return;
        if (!this.isUp) return void this.clock.setTimer(RECONNECT_MS, () => open(handlers, established));
        current = this.accept(options, handlers, () => {
          if (closed || !options.isAlive()) return;
          handlers.disconnected("simulated");
          this.clock.setTimer(RECONNECT_MS, () => open(handlers, established));
        });
        established();
        handlers.connected();
      });
    };
    return {
      connect: (_filters, handlers) => new Promise((resolve) => open(handlers, resolve)),
      subscribe: async () => {},
      publish: (topic, payload) => current?.sendUp(topic, payload.slice()),
      close: async () => {
        closed = true;
        current?.end();
      },
    };
  }

  /** Ends a thing's connection, as a network does. */
  disconnect(thing: string): void {
    this.connections.get(thing)?.lose();
  }

  /** Ends all connections, as a restart does. */
  disconnectAll(): void {
    for (const connection of [...this.connections.values()]) connection.lose();
  }

  trafficOf(thing: string): Traffic {
    let traffic = this.traffic.get(thing);
    if (traffic === undefined) {
      traffic = {
        sentPayloadBytes: 0,
        arrivedMessages: 0,
        largestRequestBytes: 0,
        firstGetAtMs: undefined,
        lastBlockAtMs: undefined,
        requestsAfterDuplicates: 0,
      };
      this.traffic.set(thing, traffic);
    }
    return traffic;
  }

  private accept(options: SimConnectionOptions, handlers: DeviceHandlers, lost: () => void): SimConnection {
    const { thing, link } = options;
    const shared = { clock: this.clock, random: this.random, faults: this.faults, jitterMs: link.jitterMs };
    const oneWayMs = link.roundTripMs / 2;
    const connection = new SimConnection({
      clock: this.clock,
      down: new SimLink({ ...shared, oneWayMs, bytesPerSecond: link.downBytesPerSecond, loss: link.loss }),
      up: new SimLink({ ...shared, oneWayMs, bytesPerSecond: link.upBytesPerSecond, loss: link.loss }),
      device: options,
      handlers,
      traffic: this.trafficOf(thing),
      faults: this.faults,
      publish: (topic, payload) => {
        if (this.isUp) this.handlers?.requestArrived({ topic, payload });
      },
      ready: () => this.handlers?.deviceReady(thing),
      lost: () => {
        if (this.connections.get(thing) === connection) this.connections.delete(thing);
        this.handlers?.deviceReady(thing);
        lost();
      },
    });
    this.connections.get(thing)?.lose();
    this.connections.set(thing, connection);
    return connection;
  }
}

interface ConnectionParts {
  readonly clock: Clock;
  readonly down: SimLink;
  readonly up: SimLink;
  readonly device: SimConnectionOptions;
  readonly handlers: DeviceHandlers;
  readonly traffic: Traffic;
  readonly faults: Faults;
  readonly publish: (topic: string, payload: Uint8Array) => void;
  readonly ready: () => void;
  readonly lost: () => void;
}

/** One connection, with the device's receive buffers at its end. */
class SimConnection {
  readonly down: SimLink;
  wantsReady = false;
  private readonly parts: ConnectionParts;
  private ended = false;
  private buffered = 0;
  private freeAtMs = 0;
  /** The CRC-32 of every message handed over: token and block id are in it. */
  private readonly handed = new Set<number>();
  private isHandingDuplicate = false;

  constructor(parts: ConnectionParts) {
    this.parts = parts;
    this.down = parts.down;
  }

  sendDown(topic: string, payload: Uint8Array, isBlock: boolean): void {
    const arrive = (message: Uint8Array): void => (isBlock ? this.buffer(topic, message) : this.hand(topic, message));
    this.down.send(payload, arrive, () => this.noteRoom());
  }

  sendUp(topic: string, payload: Uint8Array): void {
    const { traffic, clock, up, publish } = this.parts;
    if (this.ended) return;
    noteRequest(traffic, topic, payload, clock.monotonicMs());
    if (this.isHandingDuplicate && topic.includes("/get/")) traffic.requestsAfterDuplicates++;
    up.send(
      payload,
      (message) => publish(topic, message),
      () => {},
    );
  }

  /** Ends it from the device's side. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.parts.down.cut();
    this.parts.up.cut();
    this.parts.lost();
  }

  /** Ends it from the network's side; the device is told. */
  lose(): void {
    this.end();
  }

  private noteRoom(): void {
    if (!this.wantsReady || this.ended || this.down.queuedBytes > CHUNK_BYTES / 2) return;
    this.wantsReady = false;
    this.parts.ready();
  }

  /** A block waits in a buffer until the device has written it; without a free buffer it is lost. */
  private buffer(topic: string, message: Uint8Array): void {
    const { clock, device, faults, traffic } = this.parts;
    if (!device.isAlive()) return;
    traffic.arrivedMessages++;
    if (device.bufferBlocks !== undefined && this.buffered >= device.bufferBlocks) {
      faults.count("few-buffers");
      return;
    }
    const flashMs = device.flashMs(message.length);
    if (flashMs === 0) {
      this.hand(topic, message);
      return;
    }
    this.buffered++;
    this.freeAtMs = Math.max(this.freeAtMs, clock.monotonicMs()) + flashMs;
    clock.setTimer(this.freeAtMs - clock.monotonicMs(), () => {
      this.buffered--;
      this.hand(topic, message);
    });
  }

  private hand(topic: string, message: Uint8Array): void {
    if (this.ended || !this.parts.device.isAlive()) return;
    const name = crc32(message);
    if (topic.includes("/data/")) this.parts.traffic.lastBlockAtMs = this.parts.clock.monotonicMs();
    this.isHandingDuplicate = topic.includes("/data/") && this.handed.has(name);
    this.handed.add(name);
    this.parts.handlers.messageArrived(topic, message);
    this.isHandingDuplicate = false;
  }
}

function noteRequest(traffic: Traffic, topic: string, payload: Uint8Array, nowMs: number): void {
  const parsed = parseTopic(topic);
  if (parsed?.kind !== "stream" || parsed.operation !== "get") return;
  traffic.firstGetAtMs ??= nowMs;
  const decoded = decodeGet(parsed.format, payload, "strict");
  if (!decoded.ok) throw new Error(`the agent sent a bad request: ${decoded.rejection.message}`);
  const { blockCount = 0, blockSizeBytes } = decoded.value.request;
  traffic.largestRequestBytes = Math.max(traffic.largestRequestBytes, blockCount * blockSizeBytes);
}
