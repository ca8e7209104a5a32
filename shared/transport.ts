/** The transport port: how a publisher and a device reach a broker, whichever broker that is. */
import type { BlockRun } from "./protocol/block-run.ts";

export type { BlockRun };

/** A message from a device to the publisher. The payload is the publisher's to keep: no transport reuses its memory. */
export interface IncomingRequest {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** What a transport tells the publisher. */
export interface PublisherHandlers {
  requestArrived(request: IncomingRequest): void;
  /** A device that took less than it was offered can take more now, or is gone: offer again. */
  deviceReady(thing: string): void;
}

/** The publisher's side of a broker. Nothing it sends is retained; everything goes at QoS 0. */
export interface PublisherTransport {
  /** Starts handing over requests; resolves when the broker carries them. */
  start(handlers: PublisherHandlers): Promise<void>;
  /**
   * Offers the blocks of `run` from index `from` on. Returns how many were taken, which may be none: then, and whenever
   * some are left, `deviceReady` follows once the device can take more. Undefined: nobody receives this topic, and the
   * run may be forgotten. What is taken is copied or kept until sent; at most one chunk waits in user space. Never calls a
   * handler before it returns.
   */
  sendBlocks(thing: string, run: BlockRun, from: number): number | undefined;
  /** Sends a small message to the receivers of `topic`, in order with the thing's blocks. */
  sendMessage(thing: string, topic: string, payload: Uint8Array): void;
  stop(): Promise<void>;
}

/** What a broker tells a device. */
export interface DeviceHandlers {
  /** Connected and subscribed, for the first time or again. */
  connected(): void;
  disconnected(reason: string): void;
  /** The payload is the device's to keep: no transport reuses its memory. */
  messageArrived(topic: string, payload: Uint8Array): void;
}

/** A device's side of a broker: one connection that comes back by itself until it is closed. */
export interface DeviceTransport {
  /**
   * Connects and subscribes to `topicFilters` at QoS 0; resolves when both are done. Rejects with OtaError
   * `BrokerUnreachable` or `SubscriptionRefused`. Later losses are reported to the handlers and repaired.
   */
  connect(topicFilters: readonly string[], handlers: DeviceHandlers): Promise<void>;
  /** Subscribes to one more filter until the connection is lost. Rejects as `connect` does. */
  subscribe(topicFilter: string): Promise<void>;
  /** Sends a message at QoS 0; while disconnected it is dropped, as the network would drop it. */
  publish(topic: string, payload: Uint8Array): void;
  close(): Promise<void>;
}
