/** A connection behind a simulated link: whole messages wait, are lost, doubled or changed on their way, both ways. */
import { crc32 } from "../../shared/crc32.ts";
import type { OtaError } from "../../shared/protocol/errors.ts";
import type { DeviceProfile } from "./device-profiles.ts";
import { FlashQueue } from "./flash-queue.ts";
import type { FleetConnection, FleetConnectionOptions, FleetEvents, FleetNetwork } from "./fleet-connection.ts";
import type { DeviceStats } from "./fleet-stats.ts";
import type { TimerWheel } from "./lean-timers.ts";
import {
  type BlockNote,
  blockBytesIn,
  corruptMessage,
  type LinkMessage,
  sizeOf,
  truncateMessage,
  type WholeMessage,
} from "./linked-messages.ts";
import { type ReceivedRun, takeOneByOne } from "./received-run.ts";
import { type LinkEnd, SimLink, type SimLinkOptions } from "./sim-link.ts";

/** The link of a device, which outlives its connections. */
export interface LinkState {
  readonly network: FleetNetwork;
  readonly timers: TimerWheel;
  readonly device: DeviceProfile;
  readonly stats: DeviceStats;
  readonly tally: { "few-buffers": number };
  readonly down: SimLinkOptions;
  readonly up: SimLinkOptions;
}

/**
 * Carries one connection's messages over the link. While more waits than the link holds, the connection is not read,
 * so that the broker feels it. Connecting and subscribing take no time of the link and do not fail in it.
 */
export class LinkedConnection implements FleetConnection, FleetEvents, LinkEnd<LinkMessage> {
  private readonly link: LinkState;
  private readonly events: FleetEvents;
  private readonly inner: FleetConnection;
  private readonly down: SimLink<LinkMessage>;
  private readonly up: SimLink<WholeMessage>;
  private readonly flash: FlashQueue<LinkMessage>;
  /** Of the payload that is arriving. */
  private blockCrc = 0;
  /** Whether it was closed, dropped or lost: nothing is carried any more. */
  isEnded = false;
  private isPaused = false;

  constructor(link: LinkState, options: FleetConnectionOptions, events: FleetEvents) {
    this.link = link;
    this.events = events;
    this.down = new SimLink<LinkMessage>(link.down, this);
    this.up = new SimLink<WholeMessage>(link.up, {
      arrive: ({ topic, payload }) => this.inner.publish(topic, payload),
      roomMade: () => {},
      isProtected: () => true,
      corrupt: corruptMessage,
      truncate: truncateMessage,
    });
    this.flash = new FlashQueue(link.device, link.timers, (message, nowMs) => this.hand(message, nowMs));
    this.inner = link.network.connect(options, this);
  }

  get isOpen(): boolean {
    return this.inner.isOpen;
  }

  publish(topic: string, payload: Uint8Array): boolean {
    if (!this.isOpen || this.up.isFull) return false;
    this.up.send({ topic, payload, blockBytes: 0 }, payload.length);
    return true;
  }

  subscribe(topicFilter: string): void {
    this.inner.subscribe(topicFilter);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    if (!this.isPaused) this.inner.resume();
  }

  close(): void {
    this.end();
    this.inner.close();
  }

  drop(): void {
    this.end();
    this.inner.drop();
  }

  connected(): void {
    this.events.connected();
  }

  lost(error: OtaError): void {
    this.end();
    this.events.lost(error);
  }

  subscribed(isGranted: boolean): void {
    this.events.subscribed(isGranted);
  }

  messageArrived(topic: string, payload: Uint8Array): void {
    // A Buffer's slice would still be the connection's memory.
    this.send({ topic, payload: new Uint8Array(payload), blockBytes: blockBytesIn(topic, payload) });
  }

  runArrived(run: ReceivedRun): void {
    takeOneByOne(run, this);
  }

  payloadArrived(bytes: Uint8Array, start: number, end: number): void {
    this.blockCrc = crc32(bytes.subarray(start, end), this.blockCrc);
  }

  blockArrived(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined): void {
    const crc = this.blockCrc;
    this.blockCrc = 0;
    this.takeBlock(fileId, blockId, sizeBytes, clientToken, crc);
  }

  takeBlock(fileId: number, blockId: number, blockBytes: number, clientToken: string | undefined, crc: number): void {
    this.send({ fileId, blockId, blockBytes, clientToken, crc32: crc });
  }

  blockSpoiled(): void {
    this.blockCrc = 0;
    this.events.blockSpoiled();
  }

  arrive(message: LinkMessage, nowMs: number): void {
    if (message.blockBytes === 0) this.hand(message, nowMs);
    else if (!this.flash.take(message, message.blockBytes, nowMs)) this.link.tally["few-buffers"]++;
  }

  roomMade(): void {
    this.isPaused = false;
    this.inner.resume();
  }

  /** A wrong block is found out and fetched again; a wrong description or request may end a download for good. */
  isProtected({ blockBytes }: LinkMessage): boolean {
    return blockBytes === 0;
  }

  corrupt = corruptMessage;
  truncate = truncateMessage;

  private send(message: LinkMessage): void {
    this.link.stats.sentBytes = (this.link.stats.sentBytes ?? 0) + message.blockBytes;
    this.down.send(message, sizeOf(message));
    if (!this.down.isFull || this.isPaused) return;
    this.isPaused = true;
    this.inner.pause();
    this.down.wantRoom();
  }

  private hand(message: LinkMessage, nowMs: number): void {
    if (this.isEnded) return;
    this.link.network.nowMs = nowMs;
    if ("payload" in message) this.events.messageArrived(message.topic, message.payload);
    else this.handBlock(message);
  }

  private handBlock({ fileId, blockId, blockBytes, clientToken, crc32: crc, isSpoiled }: BlockNote): void {
    if (isSpoiled) this.events.blockSpoiled();
    else this.events.takeBlock(fileId, blockId, blockBytes, clientToken, crc);
  }

  private end(): void {
    this.isEnded = true;
    this.down.cut();
    this.up.cut();
    this.flash.clear();
  }
}
