/** A fleet's network over MQTT.js: the library that real devices use, at its cost. */
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { DeviceTransport } from "../../shared/transport.ts";
import type { FleetConnection, FleetConnectionOptions, FleetEvents, FleetNetwork } from "./fleet-connection.ts";
import { TimerWheel } from "./lean-timers.ts";

/** Made once for all connections of a process to one broker. Source addresses are the system's choice. */
export class MqttJsNetwork implements FleetNetwork {
  readonly timers: TimerWheel;
  nowMs: number;
  private readonly url: string;
  private readonly clock: Clock;
  private readonly log: Log;

  constructor({ url, clock, log }: { readonly url: string; readonly clock: Clock; readonly log: Log }) {
    this.url = url;
    this.clock = clock;
    this.log = log;
    this.timers = new TimerWheel(clock);
    this.nowMs = clock.monotonicMs();
  }

  connect(options: FleetConnectionOptions, events: FleetEvents): FleetConnection {
    const { url, clock, log } = this;
    const transport = createDeviceTransport({ url, clientId: options.clientId, clock, log });
    return new MqttJsConnection(this, transport, options, events);
  }

  touch(): number {
    this.nowMs = this.clock.monotonicMs();
    return this.nowMs;
  }
}

/** One connection of a transport that would make others: its loss is the end. */
class MqttJsConnection implements FleetConnection {
  private readonly network: MqttJsNetwork;
  private readonly transport: DeviceTransport;
  private readonly events: FleetEvents;
  private phase: "connecting" | "open" | "closed" = "connecting";

  constructor(
    network: MqttJsNetwork,
    transport: DeviceTransport,
    { topicFilters }: FleetConnectionOptions,
    events: FleetEvents,
  ) {
    this.network = network;
    this.transport = transport;
    this.events = events;
    transport
      .connect(topicFilters, {
        connected: () => this.open(),
        disconnected: (reason) => this.fail(new OtaError("ConnectionLost", reason)),
        messageArrived: (topic, payload) => {
          this.network.touch();
          if (this.phase === "open") this.events.messageArrived(topic, payload);
        },
      })
      .catch((error: OtaError) => this.fail(error));
  }

  get isOpen(): boolean {
    return this.phase === "open";
  }

  publish(topic: string, payload: Uint8Array): boolean {
    if (this.phase !== "open") return false;
    this.transport.publish(topic, payload);
    return true;
  }

  subscribe(topicFilter: string): void {
    const answer = (isGranted: boolean): void => {
      this.network.touch();
      if (this.phase === "open") this.events.subscribed(isGranted);
    };
    this.transport.subscribe(topicFilter).then(
      () => answer(true),
      (error: unknown) => {
        if (error instanceof OtaError && error.code === "SubscriptionRefused") answer(false);
      },
    );
  }

  // MQTT.js is not asked to wait: what a session asks for ahead bounds what arrives.
  pause(): void {}
  resume(): void {}

  close(): void {
    this.phase = "closed";
    void this.transport.close();
  }

  drop(): void {
    this.close();
  }

  private open(): void {
    if (this.phase !== "connecting") return;
    this.phase = "open";
    this.network.touch();
    this.events.connected();
  }

  private fail(error: OtaError): void {
    if (this.phase === "closed") return;
    this.close();
    this.network.touch();
    this.events.lost(error);
  }
}
