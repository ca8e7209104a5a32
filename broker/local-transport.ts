/** The publisher's transport inside the broker's process: blocks and messages straight onto each connection. */
import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import { MAX_RESPONSE_BYTES } from "../shared/protocol/limits.ts";
import type { BlockRun, IncomingRequest, PublisherHandlers, PublisherTransport } from "../shared/transport.ts";
import { BlockFramer, type FramedChunk } from "./block-framer.ts";
import type { ClientDirectory } from "./client-directory.ts";
import { type ClientLink, encodePublish } from "./client-link.ts";
import type { KernelQueues } from "./kernel-queues.ts";
import { SendAllowance } from "./send-allowance.ts";

/** The log hears of dropped messages this often at most. */
const DROP_REPORT_INTERVAL_MS = 10_000;

/**
 * Carries what the publisher sends past Aedes's publish queue, which is one for all clients and waits for the slowest.
 * A device has at most one chunk waiting; an observer that does not keep up loses messages and delays nobody.
 */
export class LocalTransport implements PublisherTransport {
  private readonly clients: ClientDirectory;
  private readonly log: Log;
  private readonly clock: Clock;
  /** How much the kernel may keep for each device. */
  readonly allowance: SendAllowance;
  private readonly framer = new BlockFramer();
  private readonly ready = (link: ClientLink): void => this.reportReady(link);
  /** Things that can take more, in the order in which they will. */
  private waiting: string[] = [];
  private turn = 0;
  private endsSoon = false;
  private handlers: PublisherHandlers | undefined;
  private nextDropReportMs = 0;

  constructor(clients: ClientDirectory, log: Log, clock: Clock, kernel?: KernelQueues) {
    this.clients = clients;
    this.allowance = new SendAllowance(kernel, clock, this.ready);
    this.log = log;
    this.clock = clock;
  }

  start(handlers: PublisherHandlers): Promise<void> {
    this.handlers = handlers;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.handlers = undefined;
    return Promise.resolve();
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number | undefined {
    const device = this.clients.device(thing, run.topic);
    const watchers = this.clients.watchers(run.topic);
    if (device === undefined && watchers.length === 0) return undefined;
    if (device !== undefined && !this.canTakeChunk(device)) {
      device.owesReady = true;
      return 0;
    }
    if (device !== undefined && this.hadItsTurn(device)) {
      this.waitForTurn(thing);
      return 0;
    }
    const mayGather = watchers.length === 0 && device?.takesPieces === true && this.framer.gathers(run);
    const end = run.blockIds.length;
    let next = from;
    // An answer goes on as long as the kernel takes each chunk at once.
    do {
      const chunk = mayGather ? this.framer.gather(run, next) : this.framer.frame(run, next);
      next += chunk.blockCount;
      this.writeChunk(chunk, device, watchers);
    } while (next < end && device?.tookAll === true && !device.isHeld && !this.hadItsTurn(device));
    if (next < end && device !== undefined) device.owesReady = true;
    else if (next < end) this.waitForTurn(thing);
    return next - from;
  }

  /** Hands a chunk over to everybody who receives it. */
  private writeChunk(chunk: FramedChunk, device: ClientLink | undefined, watchers: readonly ClientLink[]): void {
    for (const watcher of watchers) {
      if (!this.admits(watcher, chunk.blockCount)) continue;
      chunk.share();
      watcher.write(chunk);
    }
    if (device === undefined) {
      chunk.release();
      return;
    }
    device.writeChunk(chunk, this.ready);
    this.allowance.count(device, chunk.sizeBytes);
    device.turnBytes += chunk.sizeBytes;
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    if (!this.deliver(thing, topic, payload)) this.log.debug("nobody receives this topic", { thing, topic });
  }

  /** Shows a thing's request to those who are subscribed to its topic, then hands it to the publisher. */
  requestArrived(thing: string, request: IncomingRequest): void {
    this.deliver(thing, request.topic, request.payload);
    if (this.handlers === undefined) this.log.warn("no publisher for a request", { thing, topic: request.topic });
    else this.handlers.requestArrived(request);
  }

  /**
   * Tells the publisher that a device which took less than all can take more, or is gone; not before the turn ends. A
   * kernel takes chunk after chunk at once: told at once, the publisher would serve one device to the end before it saw
   * the next one's request, and whoever asked for the most would be the first to have its file.
   */
  reportReady(link: ClientLink): void {
    if (!link.owesReady || !(link.isClosed || this.canTakeChunk(link))) return;
    link.owesReady = false;
    this.waitForTurn(link.clientId);
  }

  private waitForTurn(thing: string): void {
    this.waiting.push(thing);
    this.endTurnSoon();
  }

  /** Says whether a device was given as many bytes as the largest answer has since the turn began, heads counted. */
  private hadItsTurn(link: ClientLink): boolean {
    if (link.turn !== this.turn) {
      link.turn = this.turn;
      link.turnBytes = 0;
      this.endTurnSoon();
    }
    return link.turnBytes >= MAX_RESPONSE_BYTES;
  }

  /** A turn ends when everything that arrived meanwhile was read. */
  private endTurnSoon(): void {
    if (this.endsSoon) return;
    this.endsSoon = true;
    setImmediate(this.endTurn);
  }

  private readonly endTurn = (): void => {
    const things = this.waiting;
    this.waiting = [];
    this.endsSoon = false;
    this.turn++;
    for (const thing of things) this.handlers?.deviceReady(thing);
  };

  /** Writes a message to one connection, or drops it when too much waits there. */
  write(link: ClientLink, topic: string, payload: Uint8Array): void {
    if (this.admits(link, 1)) link.writeMessage(encodePublish(topic, payload));
  }

  private canTakeChunk(link: ClientLink): boolean {
    return !link.isHeld && link.canTakeChunk;
  }

  private deliver(thing: string, topic: string, payload: Uint8Array): boolean {
    const device = this.clients.device(thing, topic);
    const watchers = this.clients.watchers(topic);
    if (device === undefined && watchers.length === 0) return false;
    const packet = encodePublish(topic, payload);
    for (const link of device === undefined ? watchers : [device, ...watchers]) {
      if (this.admits(link, 1)) link.writeMessage(packet);
    }
    return true;
  }

  private admits(link: ClientLink, messageCount: number): boolean {
    if (link.hasRoom) return true;
    link.droppedMessages += messageCount;
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.nextDropReportMs) return false;
    this.nextDropReportMs = nowMs + DROP_REPORT_INTERVAL_MS;
    this.log.warn("a client does not keep up, messages dropped", {
      clientId: link.clientId,
      droppedMessages: link.droppedMessages,
    });
    link.droppedMessages = 0;
    return false;
  }
}
