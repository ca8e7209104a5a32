/** One direction of a simulated connection: whole messages that take time, and to which things happen. */
import type { Clock } from "../../shared/clock.ts";
import { type Random, randomFraction } from "../../shared/random.ts";
import type { Faults, LinkFault } from "./faults.ts";
import type { Timed, TimerWheel } from "./lean-timers.ts";

/** What a direction is like. */
export interface SimLinkOptions {
  readonly clock: Clock;
  readonly timers: Pick<TimerWheel, "schedule" | "cancel">;
  readonly random: Random;
  readonly faults: Faults<LinkFault>;
  /** Infinity: a message leaves at once. */
  readonly bytesPerSecond: number;
  readonly oneWayMs: number;
  readonly jitterMs: number;
  /** Share of messages lost by the link itself, beside the faults. */
  readonly loss: number;
}

/** The far end of a direction. */
export interface LinkEnd<Message> {
  /** A message arrives: once, twice or never. */
  arrive(message: Message, nowMs: number): void;
  /** There is room again, after `wantRoom`. */
  roomMade(): void;
  /** Says that a message is never damaged; without it, any may be. */
  isProtected?(message: Message): boolean;
  /** The message with one bit of it changed, drawn from the faults; the original stays as it is. */
  corrupt(message: Message, faults: Faults<LinkFault>): Message;
  /** The message cut somewhere. */
  truncate(message: Message, faults: Faults<LinkFault>): Message;
}

interface Arrival<Message> {
  readonly atMs: number;
  readonly sizeBytes: number;
  readonly message: Message;
}

/** Bytes that may wait to leave, and bytes that may be on their way, before the link counts as full. */
const MOST_WAITING_BYTES = 65_536;
const MOST_HELD_BYTES = 1024 * 1024;
const NEVER = Number.POSITIVE_INFINITY;

/** Messages leave one after another at the link's rate and arrive in order, unless a fault reorders them. */
export class SimLink<Message> implements Timed {
  wheelTick = 0;
  private readonly options: SimLinkOptions;
  private readonly end: LinkEnd<Message>;
  /** The earliest first. */
  private arrivals: Arrival<Message>[] = [];
  private heldBytes = 0;
  /** When the last message will have left. */
  private freeAtMs = 0;
  private lastArrivalMs = 0;
  private wantsRoom = false;
  private isCut = false;

  constructor(options: SimLinkOptions, end: LinkEnd<Message>) {
    this.options = options;
    this.end = end;
  }

  /** Whether whoever sends had better wait. */
  get isFull(): boolean {
    return this.waitingBytes >= MOST_WAITING_BYTES || this.heldBytes >= MOST_HELD_BYTES;
  }

  /** Calls the end's `roomMade` once half of what makes the link full is gone. */
  wantRoom(): void {
    this.wantsRoom = true;
    this.arm();
  }

  /** Sends a message of so many bytes. */
  send(message: Message, sizeBytes: number): void {
    const { clock, faults, bytesPerSecond, oneWayMs, jitterMs, loss, random } = this.options;
    const nowMs = clock.monotonicMs();
    this.freeAtMs = Math.max(this.freeAtMs, nowMs) + (sizeBytes / bytesPerSecond) * 1000;
    if ((loss > 0 && randomFraction(random) < loss) || faults.strikes("drop")) return;
    const arriving = this.damage(message);
    const jitter = jitterMs === 0 ? 0 : randomFraction(random) * jitterMs;
    const delay = faults.strikes("delay") ? faults.between(1, 5_000) : 0;
    const arrivalMs = this.freeAtMs + oneWayMs + jitter + delay;
    const lateMs = faults.strikes("reorder") ? faults.between(1, 200) : undefined;
    const againMs = faults.strikes("duplicate") ? faults.between(0, 1_000) : undefined;
    if (lateMs === undefined) this.lastArrivalMs = Math.max(this.lastArrivalMs, arrivalMs);
    if (againMs !== undefined) this.insert({ atMs: arrivalMs + againMs, sizeBytes, message: arriving });
    const atMs = lateMs === undefined ? this.lastArrivalMs : arrivalMs + lateMs;
    if (atMs <= nowMs && this.arrivals.length === 0) this.end.arrive(arriving, nowMs);
    else this.insert({ atMs, sizeBytes, message: arriving });
  }

  /** Ends the link: what is on its way is lost. */
  cut(): void {
    this.isCut = true;
    this.arrivals = [];
    this.options.timers.cancel(this);
  }

  fallDue(nowMs: number): void {
    const { arrivals, end } = this;
    let due = 0;
    while (due < arrivals.length && (arrivals[due] as Arrival<Message>).atMs <= nowMs) due++;
    for (const { message, sizeBytes } of arrivals.splice(0, due)) {
      // What arrived last may have ended the connection.
      if (this.isCut) return;
      this.heldBytes -= sizeBytes;
      end.arrive(message, nowMs);
    }
    if (this.wantsRoom && this.waitingBytes <= MOST_WAITING_BYTES / 2 + 1 && this.heldBytes <= MOST_HELD_BYTES / 2) {
      this.wantsRoom = false;
      end.roomMade();
    }
    this.arm();
  }

  /** Bytes that have not left yet. */
  private get waitingBytes(): number {
    const waitingMs = this.freeAtMs - this.options.clock.monotonicMs();
    return waitingMs > 0 ? (waitingMs / 1000) * this.options.bytesPerSecond : 0;
  }

  /** Most messages come in order, and are the last. */
  private insert(arrival: Arrival<Message>): void {
    const { arrivals } = this;
    let at = arrivals.length;
    while (at > 0 && (arrivals[at - 1] as Arrival<Message>).atMs > arrival.atMs) at--;
    if (at === arrivals.length) arrivals.push(arrival);
    else arrivals.splice(at, 0, arrival);
    this.heldBytes += arrival.sizeBytes;
    if (at === 0) this.arm();
  }

  private arm(): void {
    if (this.isCut) return;
    const arrivalMs = this.arrivals[0]?.atMs ?? NEVER;
    const roomMs = this.wantsRoom
      ? this.freeAtMs - (MOST_WAITING_BYTES / 2 / this.options.bytesPerSecond) * 1000
      : NEVER;
    // With nothing left to leave, room is made by arrivals alone.
    const isRoomAhead = roomMs > this.options.clock.monotonicMs() || this.arrivals.length === 0;
    const dueMs = isRoomAhead ? Math.min(arrivalMs, roomMs) : arrivalMs;
    if (dueMs !== NEVER) this.options.timers.schedule(this, dueMs);
  }

  private damage(message: Message): Message {
    const { end } = this;
    const { faults } = this.options;
    if (end.isProtected?.(message) === true) return message;
    if (faults.strikes("corrupt")) return end.corrupt(message, faults);
    return faults.strikes("truncate") ? end.truncate(message, faults) : message;
  }
}
