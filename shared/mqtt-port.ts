/** The port to one MQTT connection as a client: opened once, lost once. What repairs it and what uses it build on this. */
import type { Clock } from "./clock.ts";

/** What a connection reports once it is open. */
export interface MqttConnectionEvents {
  /** The payload is the receiver's to keep. */
  messageArrived(topic: string, payload: Uint8Array, isRetained: boolean): void;
  /** A connection that was backed up takes messages again. */
  drained(): void;
  /** The connection is gone, once, unless `close` was called. */
  lost(reason: string): void;
}

/** How to open a connection. */
export interface MqttConnectionOptions {
  readonly url: URL;
  readonly clientId: string;
  /** Subscribed at QoS 0 before the connection counts as open. */
  readonly topicFilters: readonly string[];
  /** For all of connecting and subscribing. */
  readonly timeoutMs: number;
  readonly keepAliveSeconds: number;
  readonly clock: Clock;
  /** Gives up an attempt that is under way. */
  readonly signal: AbortSignal;
  readonly events: MqttConnectionEvents;
}

/** An open connection. */
export interface MqttConnection {
  /** More waits to be sent than the stream wants to hold; `drained` follows. */
  readonly isBackedUp: boolean;
  /**
   * Sends at QoS 0, not retained; the payload must not change after the call. False: dropped, because 1 MiB and more
   * waits for a broker that does not read.
   */
  publish(topic: string, payload: Uint8Array): boolean;
  /** Subscribes at QoS 0 to one more filter. Rejects with OtaError `SubscriptionRefused` or `ConnectionLost`. */
  subscribe(topicFilter: string): Promise<void>;
  /** Says DISCONNECT and closes; resolves when the socket is gone, one second later at most. */
  close(): Promise<void>;
}

/** Connects and subscribes. Rejects with OtaError `BrokerUnreachable` or `SubscriptionRefused`, leaving nothing open. */
export type OpenMqttConnection = (options: MqttConnectionOptions) => Promise<MqttConnection>;
