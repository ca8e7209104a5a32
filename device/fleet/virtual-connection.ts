/** One connection to a broker in memory. */
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import type { OtaError } from "../../shared/protocol/errors.ts";
import type { BlockRun } from "../../shared/transport.ts";
import type { FleetConnection, FleetConnectionOptions, FleetEvents } from "./fleet-connection.ts";

/** What a connection does with its broker. */
export interface VirtualBroker {
  publish(topic: string, payload: Uint8Array): void;
  /** The device can take more. */
  ready(): void;
  /** There is something to deliver: call `deliver`, in an event of its own. */
  busy(): void;
  ended(): void;
}

/** What waits to be delivered. */
type Delivery =
  | { readonly run: BlockRun; readonly blockId: number; readonly sizeBytes: number }
  | { readonly topic: string; readonly payload: Uint8Array }
  | "connected"
  | "subscribed";

/** What an in-process broker keeps ahead of a socket, in bytes. */
const CHUNK_BYTES = 65_536;

/** Delivers in order, and nothing while it is paused. */
export class VirtualConnection implements FleetConnection {
  /** Set by the broker that has more for it. */
  wantsReady = false;
  private readonly events: FleetEvents;
  private readonly broker: VirtualBroker;
  private readonly topicFilters: Set<string>;
  private readonly dataTopic: string | undefined;
  private deliveries: Delivery[] = [];
  private waitingBytes = 0;
  private phase: "connecting" | "open" | "closed" = "connecting";
  private isPaused = false;
  private isBusy = false;
  /** Of the run whose blocks are being delivered whole. */
  private frame: { readonly run: BlockRun; readonly frame: DataFrame } | undefined;

  constructor({ topicFilters, dataTopic }: FleetConnectionOptions, events: FleetEvents, broker: VirtualBroker) {
    this.events = events;
    this.broker = broker;
    this.topicFilters = new Set(topicFilters);
    this.dataTopic = dataTopic;
  }

  get isOpen(): boolean {
    return this.phase === "open";
  }

  /** Whether the device can be sent more. */
  get hasRoom(): boolean {
    return this.waitingBytes < CHUNK_BYTES;
  }

  isSubscribed(topic: string): boolean {
    return this.isOpen && this.topicFilters.has(topic);
  }

  /** Lets the device know that it is connected. */
  begin(): void {
    this.take("connected");
  }

  /** Takes something to deliver. */
  take(delivery: Delivery): void {
    this.deliveries.push(delivery);
    this.waitingBytes += sizeOf(delivery);
    this.schedule();
  }

  /** Ends it from the broker's side. */
  lose(error: OtaError): void {
    if (this.phase === "closed") return;
    this.end();
    this.events.lost(error);
  }

  publish(topic: string, payload: Uint8Array): boolean {
    if (this.phase !== "open") return false;
    this.broker.publish(topic, payload);
    return true;
  }

  subscribe(topicFilter: string): void {
    this.topicFilters.add(topicFilter);
    this.take("subscribed");
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    if (this.deliveries.length > 0) this.schedule();
  }

  close(): void {
    if (this.phase !== "closed") this.end();
  }

  drop(): void {
    this.close();
  }

  /** Hands over what waits; what is added meanwhile comes later. */
  deliver(): void {
    this.isBusy = false;
    const { deliveries } = this;
    let done = 0;
    while (done < deliveries.length && !this.isPaused && this.phase !== "closed") {
      const delivery = deliveries[done++] as Delivery;
      this.waitingBytes -= sizeOf(delivery);
      this.hand(delivery);
    }
    deliveries.splice(0, done);
    if (!this.wantsReady || this.waitingBytes > CHUNK_BYTES / 2 || this.phase === "closed") return;
    this.wantsReady = false;
    this.broker.ready();
  }

  private schedule(): void {
    if (this.isBusy || this.isPaused) return;
    this.isBusy = true;
    this.broker.busy();
  }

  private hand(delivery: Delivery): void {
    if (delivery === "connected") {
      this.phase = "open";
      this.events.connected();
    } else if (delivery === "subscribed") {
      this.events.subscribed(true);
    } else if ("payload" in delivery) {
      this.events.messageArrived(delivery.topic, delivery.payload);
    } else {
      this.handBlock(delivery.run, delivery.blockId, delivery.sizeBytes);
    }
  }

  private handBlock(run: BlockRun, blockId: number, sizeBytes: number): void {
    const start = blockId * run.blockSizeBytes;
    if (run.topic === this.dataTopic && run.format === "cbor") {
      this.events.payloadArrived(run.fileBytes, start, start + sizeBytes);
      this.events.blockArrived(run.fileId, blockId, sizeBytes, run.clientToken);
      return;
    }
    if (this.frame?.run !== run) this.frame = { run, frame: new DataFrame(run) };
    const message = this.frame.frame.encode(blockId, run.fileBytes.subarray(start, start + sizeBytes));
    this.events.messageArrived(run.topic, message);
  }

  private end(): void {
    this.phase = "closed";
    this.deliveries = [];
    this.waitingBytes = 0;
    this.broker.ended();
  }
}

function sizeOf(delivery: Delivery): number {
  if (typeof delivery === "string") return 0;
  return "payload" in delivery ? delivery.payload.length : delivery.sizeBytes;
}
