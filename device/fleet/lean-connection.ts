/** A device's MQTT 3.1.1 connection for simulation and benchmarks: the least memory and time that a download needs. */
import { connect, type Socket } from "node:net";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { FleetConnection, FleetConnectionOptions, FleetEvents } from "./fleet-connection.ts";
import type { LeanEndpoint } from "./lean-endpoint.ts";
import { DISCONNECT, decodePacket, encodeConnect, encodePublish, encodeSubscribe, PINGREQ } from "./lean-packets.ts";
import { LeanParser, type LeanSink } from "./lean-parser.ts";
import type { Timed } from "./lean-timers.ts";
import type { ReceivedRun } from "./received-run.ts";

type Phase = "connecting" | "subscribing" | "open" | "closing" | "closed";

const SUBSCRIPTION_REFUSED = 0x80;
const FIRST_MESSAGE_ID = 1;
const LATER_MESSAGE_ID = 2;
/** How long the broker may take to close a connection that said DISCONNECT, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Bytes that may wait for the broker before messages are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** One connection from its beginning to its end; a device that comes back makes another. */
export class LeanConnection implements FleetConnection, LeanSink, Timed {
  wheelTick = 0;
  private readonly network: LeanEndpoint;
  private readonly events: FleetEvents;
  private readonly clientId: string;
  /** Until they are subscribed to. */
  private topicFilters: readonly string[];
  private readonly parser: LeanParser;
  private readonly socket: Socket;
  private phase: Phase = "connecting";
  /** When this gives up connecting, closing, or being silent, in monotonic milliseconds. */
  private dueMs: number;
  private isReading = false;
  /** Packets that leave when what was read is taken in. */
  private unsent: Uint8Array | undefined;
  private hasSent = false;
  private hasHeard = false;
  private awaitsPing = false;
  private cause: Error | undefined;

  /** Begins to connect. */
  constructor(network: LeanEndpoint, options: FleetConnectionOptions, events: FleetEvents) {
    this.network = network;
    this.events = events;
    this.clientId = options.clientId;
    this.topicFilters = options.topicFilters;
    this.parser = new LeanParser(this, options.dataTopic === undefined ? undefined : Buffer.from(options.dataTopic));
    this.dueMs = network.touch() + network.connectTimeoutMs;
    const localAddress = network.takeSourceAddress();
    this.socket = connect({
      host: network.host,
      port: network.port,
      noDelay: true,
      ...(localAddress !== undefined && { localAddress }),
      onread: { buffer: network.receiveBuffer, callback: (length, bytes) => this.read(length, bytes) },
    });
    this.socket.once("connect", () => this.introduce());
    this.socket.on("error", (error) => {
      this.cause = error;
    });
    this.socket.on("end", destroyAtEnd);
    this.socket.once("close", () => this.end("the broker closed the connection"));
    network.timers.schedule(this, this.dueMs);
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.phase === "open";
  }

  /** Sends a message at QoS 0; says whether it could be sent. */
  publish(topic: string, payload: Uint8Array): boolean {
    if (this.phase !== "open" || this.socket.writableLength >= MAX_WAITING_BYTES) return false;
    this.send(encodePublish(topic, payload));
    return true;
  }

  /** Subscribes to one more filter at QoS 0; `subscribed` follows, unless the connection is lost. One at a time. */
  subscribe(topicFilter: string): void {
    if (this.phase === "open") this.send(encodeSubscribe(LATER_MESSAGE_ID, [topicFilter]));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Says goodbye to the broker, which then closes the connection. */
  close(): void {
    if (this.phase === "closed" || this.phase === "closing") return;
    if (this.phase === "connecting") {
      this.drop();
      return;
    }
    this.send(DISCONNECT);
    // What still comes is thrown away, and the broker's end is seen.
    if (this.socket.isPaused()) this.socket.resume();
    this.phase = "closing";
    this.dueMs = this.network.touch() + CLOSE_TIMEOUT_MS;
    this.network.timers.schedule(this, this.dueMs);
  }

  /** Cuts the connection without a word. A reset leaves nothing behind; after an orderly end its port would be taken for a minute. */
  drop(): void {
    this.phase = "closed";
    this.network.timers.cancel(this);
    // Before it is connected Node would only note down to reset it, and keep it until the peer answers.
    if (this.socket.connecting) this.socket.destroy();
    else if (!this.socket.destroyed) this.socket.resetAndDestroy();
  }

  fallDue(nowMs: number): void {
    if (nowMs < this.dueMs) {
      this.network.timers.schedule(this, this.dueMs);
    } else if (this.phase === "open") {
      this.keepAlive(nowMs);
    } else {
      this.network.nowMs = nowMs;
      this.end(`no answer within ${this.network.connectTimeoutMs} ms`);
    }
  }

  runArrived(run: ReceivedRun): void {
    if (this.phase === "open") this.events.runArrived(run);
  }

  payloadArrived(bytes: Uint8Array, start: number, end: number): void {
    if (this.phase === "open") this.events.payloadArrived(bytes, start, end);
  }

  blockArrived(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined): void {
    if (this.phase === "open") this.events.blockArrived(fileId, blockId, sizeBytes, clientToken);
  }

  blockSpoiled(): void {
    if (this.phase === "open") this.events.blockSpoiled();
  }

  packetArrived(bytes: Uint8Array): void {
    const packet = decodePacket(bytes);
    if (this.phase === "closed" || this.phase === "closing") return;
    if (packet?.cmd === "connack" && this.phase === "connecting") {
      this.takeConnack(packet.returnCode ?? 0);
    } else if (packet?.cmd === "suback" && this.phase === "subscribing") {
      this.takeFirstSuback(packet.granted);
    } else if (packet?.cmd === "suback" && this.phase === "open") {
      this.events.subscribed(packet.granted.every((code) => code !== SUBSCRIPTION_REFUSED));
    } else if (packet?.cmd === "publish" && packet.qos === 0) {
      // A retained message is older than any request, and so is one that comes before the connection is open.
      if (this.phase === "open" && !packet.retain) this.events.messageArrived(packet.topic, packet.payload as Buffer);
    } else if (packet?.cmd !== "pingresp") {
      this.end(`the broker sent a malformed packet, or one that makes no sense here${packet ? `: ${packet.cmd}` : ""}`);
    }
  }

  private read(length: number, bytes: Uint8Array): boolean {
    this.hasHeard = true;
    this.network.touch();
    this.isReading = true;
    const fault = this.parser.push(bytes, length, this.network.receiveView);
    this.isReading = false;
    this.sendUnsent();
    if (fault === "packetTooLarge") this.end("the broker sent a packet of more than 262144 bytes");
    else if (fault !== undefined) this.end("the broker sent a packet with a malformed length");
    return true;
  }

  /** Nothing may wait for the broker's answers here (MQTT 3.1.1 section 3.1.4), and together they are one write and one read. */
  private introduce(): void {
    const connect = encodeConnect(this.clientId, this.network.keepAliveSeconds);
    this.send(Buffer.concat([connect, encodeSubscribe(FIRST_MESSAGE_ID, this.topicFilters)]));
  }

  private takeConnack(returnCode: number): void {
    if (returnCode !== 0) {
      this.end(`the broker refused the connection with return code ${returnCode}`);
      return;
    }
    this.phase = "subscribing";
  }

  private takeFirstSuback(granted: readonly unknown[]): void {
    const refused = this.topicFilters.filter((_, index) => granted[index] === SUBSCRIPTION_REFUSED);
    if (refused.length > 0 || granted.length !== this.topicFilters.length) {
      const which = refused.length > 0 ? `the subscription to ${refused.join(", ")}` : "a subscription";
      this.fail(new OtaError("SubscriptionRefused", `the broker refused ${which}`));
      return;
    }
    this.topicFilters = [];
    this.phase = "open";
    this.hasSent = true;
    this.keepAlive(this.network.nowMs);
    this.events.connected();
  }

  /** Looks twice in a keep-alive time: after a half without a word to the broker it asks for a sign of life. */
  private keepAlive(nowMs: number): void {
    // What is not read cannot be heard.
    if (this.awaitsPing && !this.hasHeard && !this.socket.isPaused()) {
      this.network.nowMs = nowMs;
      this.end(`no sign of life from the broker within ${this.network.keepAliveSeconds / 2} s`);
      return;
    }
    this.awaitsPing = !this.hasSent;
    if (this.awaitsPing) this.socket.write(PINGREQ);
    this.hasSent = false;
    this.hasHeard = false;
    this.dueMs = nowMs + this.network.keepAliveSeconds * 500;
    this.network.timers.schedule(this, this.dueMs);
  }

  /** What is sent while one read is taken in leaves after it, in one write: a window that grows asks more than once. */
  private send(packet: Uint8Array): void {
    this.hasSent = true;
    if (!this.isReading) this.socket.write(packet);
    else this.unsent = this.unsent === undefined ? packet : Buffer.concat([this.unsent, packet]);
  }

  private sendUnsent(): void {
    const packets = this.unsent;
    this.unsent = undefined;
    if (packets !== undefined && !this.socket.destroyed) this.socket.write(packets);
  }

  /** Ends a connection that is of no more use, for a reason in words. */
  private end(reason: string): void {
    if (this.phase === "closed" || this.phase === "closing") {
      this.drop();
      return;
    }
    const { brokerUrl } = this.network;
    const { cause } = this;
    const why = cause === undefined ? reason : cause.message || (cause as NodeJS.ErrnoException).code;
    const options = { retryable: true, ...(cause !== undefined && { cause }) };
    if (this.phase === "open") {
      this.fail(new OtaError("ConnectionLost", `lost the connection to the broker ${brokerUrl}: ${why}`, options));
    } else {
      this.fail(new OtaError("BrokerUnreachable", `cannot reach the broker ${brokerUrl}: ${why}`, options));
    }
  }

  private fail(error: OtaError): void {
    this.drop();
    this.events.lost(error);
  }
}

/** Nothing is left to say at the broker's end of a connection; Node would shut its own side down first. */
function destroyAtEnd(this: Socket): void {
  this.destroy();
}
