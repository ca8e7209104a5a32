/** The port to a broker as a simulated device sees it: one connection from its beginning to its end, and who makes them. */
import type { OtaError } from "../../shared/protocol/errors.ts";
import type { TimerWheel } from "./lean-timers.ts";
import type { ReceivedRun } from "./received-run.ts";

/** What a connection tells its device. Nothing is told before `connect` returned, after `lost`, or once `close` or `drop` was called. */
export interface FleetEvents {
  /** Connected and subscribed. */
  connected(): void;
  /**
   * The connection could not be made (`BrokerUnreachable`), its topics were refused (`SubscriptionRefused`), or it broke
   * (`ConnectionLost`). The cause has the system's own error, where there is one.
   */
  lost(error: OtaError): void;
  /** The answer to `subscribe`. */
  subscribed(isGranted: boolean): void;
  /** A message that is not streamed; the payload is valid during the call. */
  messageArrived(topic: string, payload: Uint8Array): void;
  /** Whole blocks came at once; valid during the call. */
  runArrived(run: ReceivedRun): void;
  /** Of a block that does not come so, the next part of its payload: `bytes` from `start` to `end`, valid during the call. */
  payloadArrived(bytes: Uint8Array, start: number, end: number): void;
  /** The block whose payload came last in parts is whole. */
  blockArrived(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined): void;
  /** A block that is whole, by the CRC-32 of its bytes, unsigned: in place of the calls above, where no bytes are left. */
  takeBlock(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined, crc32: number): void;
  /** The message of the block whose payload came last is malformed: it counts as not arrived. */
  blockSpoiled(): void;
}

/** Who connects, and for what. */
export interface FleetConnectionOptions {
  readonly clientId: string;
  /** Subscribed to at QoS 0. */
  readonly topicFilters: readonly string[];
  /** The topic on which blocks arrive in CBOR and may be streamed; without it, all messages are whole. */
  readonly dataTopic?: string;
}

/** One connection; a device that comes back makes another. */
export interface FleetConnection {
  /** Whether messages can be sent. */
  readonly isOpen: boolean;
  /** Sends a message at QoS 0; says whether it could be sent. The payload must not change after the call. */
  publish(topic: string, payload: Uint8Array): boolean;
  /** Subscribes to one more filter at QoS 0; `subscribed` follows, unless the connection is lost. One at a time. */
  subscribe(topicFilter: string): void;
  /** Stops reading until `resume`, as far as the connection can: what it has read already still arrives. */
  pause(): void;
  resume(): void;
  /** Says goodbye to the broker. */
  close(): void;
  /** Cuts the connection without a word. */
  drop(): void;
}

/** A way to the broker. */
export interface FleetPath {
  /** Begins to connect; an event follows, never before this returned. */
  connect(options: FleetConnectionOptions, events: FleetEvents): FleetConnection;
}

/** What all connections of a process share. */
export interface FleetNetwork extends FleetPath {
  readonly timers: TimerWheel;
  /** When the event that is being handled came, in monotonic milliseconds. */
  nowMs: number;
  /** Reads the clock; returns the time. */
  touch(): number;
}
