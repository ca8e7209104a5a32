/** One simulated connection between a broker and a device: a link each way, and the device's receive buffers. */
import { crc32 } from "node:zlib";
import { corruptBytes, truncateBytes } from "../../device/fleet/damage.ts";
import type { LinkProfile } from "../../device/fleet/link-profiles.ts";
import { type LinkEnd, SimLink } from "../../device/fleet/sim-link.ts";
import type { Clock } from "../../shared/clock.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";
import type { Random } from "../../shared/random.ts";
import type { DeviceHandlers } from "../../shared/transport.ts";
import type { ExactTimers } from "./exact-timers.ts";
import type { SimFaults } from "./faults.ts";

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

/** What a connection is made of. */
export interface ConnectionParts {
  readonly clock: Clock;
  readonly timers: ExactTimers;
  readonly random: Random;
  readonly device: SimConnectionOptions;
  readonly handlers: DeviceHandlers;
  readonly traffic: Traffic;
  readonly faults: SimFaults;
  readonly publish: (topic: string, payload: Uint8Array) => void;
  readonly ready: () => void;
  readonly lost: () => void;
}

interface SimMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly isBlock: boolean;
}

/** One connection, with the device's receive buffers at its end. */
export class SimConnection {
  readonly down: SimLink<SimMessage>;
  private readonly up: SimLink<SimMessage>;
  private readonly parts: ConnectionParts;
  private ended = false;
  private buffered = 0;
  private freeAtMs = 0;
  /** The CRC-32 of every message handed over: token and block id are in it. */
  private readonly handed = new Set<number>();
  private isHandingDuplicate = false;

  constructor(parts: ConnectionParts) {
    this.parts = parts;
    const { link } = parts.device;
    const shared = { ...parts, oneWayMs: link.roundTripMs / 2, jitterMs: link.jitterMs, loss: link.loss };
    this.down = new SimLink(
      { ...shared, bytesPerSecond: link.downBytesPerSecond },
      endOf(
        (message) => (message.isBlock ? this.buffer(message) : this.hand(message)),
        () => parts.ready(),
      ),
    );
    this.up = new SimLink(
      { ...shared, bytesPerSecond: link.upBytesPerSecond },
      endOf(({ topic, payload }) => parts.publish(topic, payload)),
    );
  }

  sendDown(topic: string, payload: Uint8Array, isBlock: boolean): void {
    this.down.send({ topic, payload, isBlock }, payload.length);
  }

  sendUp(topic: string, payload: Uint8Array): void {
    const { traffic, clock } = this.parts;
    if (this.ended) return;
    noteRequest(traffic, topic, payload, clock.monotonicMs());
    if (this.isHandingDuplicate && topic.includes("/get/")) traffic.requestsAfterDuplicates++;
    this.up.send({ topic, payload, isBlock: false }, payload.length);
  }

  /** Ends it from the device's side. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.down.cut();
    this.up.cut();
    this.parts.lost();
  }

  /** Ends it from the network's side; the device is told. */
  lose(): void {
    this.end();
  }

  /** A block waits in a buffer until the device has written it; without a free buffer it is lost. */
  private buffer(message: SimMessage): void {
    const { clock, device, faults, traffic } = this.parts;
    if (!device.isAlive()) return;
    traffic.arrivedMessages++;
    if (device.bufferBlocks !== undefined && this.buffered >= device.bufferBlocks) {
      faults.count("few-buffers");
      return;
    }
    const flashMs = device.flashMs(message.payload.length);
    if (flashMs === 0) {
      this.hand(message);
      return;
    }
    this.buffered++;
    this.freeAtMs = Math.max(this.freeAtMs, clock.monotonicMs()) + flashMs;
    clock.setTimer(this.freeAtMs - clock.monotonicMs(), () => {
      this.buffered--;
      this.hand(message);
    });
  }

  private hand({ topic, payload }: SimMessage): void {
    if (this.ended || !this.parts.device.isAlive()) return;
    const name = crc32(payload);
    if (topic.includes("/data/")) this.parts.traffic.lastBlockAtMs = this.parts.clock.monotonicMs();
    this.isHandingDuplicate = topic.includes("/data/") && this.handed.has(name);
    this.handed.add(name);
    this.parts.handlers.messageArrived(topic, payload);
    this.isHandingDuplicate = false;
  }
}

function endOf(arrive: (message: SimMessage) => void, roomMade = (): void => {}): LinkEnd<SimMessage> {
  return {
    arrive,
    roomMade,
    corrupt: (message, faults) => ({ ...message, payload: corruptBytes(message.payload, faults) }),
    truncate: (message, faults) => ({ ...message, payload: truncateBytes(message.payload, faults) }),
  };
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
