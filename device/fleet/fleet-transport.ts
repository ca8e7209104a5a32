/** A device's transport over the connections of a fleet, for clients that are not simulated themselves. */
import type { Clock, Timer } from "../../shared/clock.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { Random } from "../../shared/random.ts";
import type { DeviceHandlers, DeviceTransport } from "../../shared/transport.ts";
import type { FleetConnection, FleetEvents, FleetPath } from "./fleet-connection.ts";
import { reconnectDelayMs } from "./reconnect-delay.ts";

/** What a transport is made of. */
export interface FleetTransportOptions {
  readonly clientId: string;
  readonly path: FleetPath;
  readonly clock: Clock;
  readonly random: Random;
  /** For how long a first connection that cannot be made is tried again, as after a reboot, in milliseconds. */
  readonly patienceMs: number;
  /** Whether the client is told of no connection before `release`. */
  readonly isHeld: boolean;
  /** Told of each connection, of each loss, and of each message before its receiver is. */
  readonly connected: () => void;
  readonly lost: (error: OtaError) => void;
  readonly messageArrived: (topic: string, payload: Uint8Array) => void;
}

/** Makes one connection after another until it is closed, `reconnectDelayMs` apart. */
export class FleetTransport implements DeviceTransport, FleetEvents {
  private readonly options: FleetTransportOptions;
  private connection: FleetConnection | undefined;
  private topicFilters: readonly string[] = [];
  private handlers: DeviceHandlers | undefined;
  private readonly first = Promise.withResolvers<void>();
  /** Of `subscribe`, in order. */
  private readonly subscribing: { resolve(): void; reject(error: OtaError): void; topicFilter: string }[] = [];
  private retry: Timer | undefined;
  private hasConnected = false;
  private impatientAtMs = 0;
  private isHeld: boolean;
  private fruitlessAttempts = 0;
  private isClosed = false;

  constructor(options: FleetTransportOptions) {
    this.options = options;
    this.isHeld = options.isHeld;
  }

  get isConnected(): boolean {
    return this.connection?.isOpen === true;
  }

  connect(topicFilters: readonly string[], handlers: DeviceHandlers): Promise<void> {
    this.topicFilters = topicFilters;
    this.handlers = handlers;
    this.impatientAtMs = this.options.clock.monotonicMs() + this.options.patienceMs;
    this.open();
    return this.first.promise;
  }

  subscribe(topicFilter: string): Promise<void> {
    const { connection } = this;
    if (connection?.isOpen !== true) {
      return Promise.reject(new OtaError("ConnectionLost", "there is no connection to subscribe on"));
    }
    return new Promise((resolve, reject) => {
      this.subscribing.push({ resolve, reject, topicFilter });
      // One at a time.
      if (this.subscribing.length === 1) connection.subscribe(topicFilter);
    });
  }

  publish(topic: string, payload: Uint8Array): void {
    this.connection?.publish(topic, payload);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.retry?.cancel();
    this.connection?.close();
    this.connection = undefined;
  }

  /** Cuts the connection, if it stands; it comes back. */
  disconnect(): void {
    if (!this.isConnected) return;
    this.connection?.drop();
    this.lost(new OtaError("ConnectionLost", "the device cut its connection"));
  }

  /** Cuts the connection without a word, for good. */
  drop(): void {
    this.isClosed = true;
    this.retry?.cancel();
    this.connection?.drop();
    this.connection = undefined;
  }

  connected(): void {
    this.hasConnected = true;
    this.fruitlessAttempts = 0;
    this.options.connected();
    if (!this.isHeld) this.announce();
  }

  /** Tells the client of the connection, if it stands, and of those that follow. */
  release(): void {
    this.isHeld = false;
    if (!this.hasConnected) return;
    this.announce();
    // Its patience begins now.
    if (!this.isConnected) this.handlers?.disconnected("the connection was lost before the beginning");
  }

  lost(error: OtaError): void {
    this.connection = undefined;
    this.options.lost(error);
    for (const { reject } of this.subscribing.splice(0)) reject(new OtaError("ConnectionLost", error.message));
    if (this.isClosed) return;
    const { clock, random } = this.options;
    if (!this.hasConnected && clock.monotonicMs() >= this.impatientAtMs) {
      this.isClosed = true;
      this.first.reject(error);
      return;
    }
    this.retry = clock.setTimer(reconnectDelayMs(this.fruitlessAttempts++, random), () => this.open());
    if (error.code === "ConnectionLost" && !this.isHeld) this.handlers?.disconnected(error.message);
  }

  subscribed(isGranted: boolean): void {
    const answered = this.subscribing.shift();
    const [next] = this.subscribing;
    if (next !== undefined) this.connection?.subscribe(next.topicFilter);
    if (isGranted) answered?.resolve();
    else answered?.reject(new OtaError("SubscriptionRefused", `the broker refused ${answered.topicFilter}`));
  }

  messageArrived(topic: string, payload: Uint8Array): void {
    this.options.messageArrived(topic, payload);
    // Other than here, it is the device's to keep.
    this.handlers?.messageArrived(topic, new Uint8Array(payload));
  }

  // Without a data topic nothing is streamed.
  runArrived(): void {}
  payloadArrived(): void {}
  blockArrived(): void {}
  takeBlock(): void {}
  blockSpoiled(): void {}

  private announce(): void {
    this.first.resolve();
    this.handlers?.connected();
  }

  private open(): void {
    if (this.isClosed) return;
    const { clientId, path } = this.options;
    this.connection = path.connect({ clientId, topicFilters: this.topicFilters }, this);
  }
}
