/** Coarse deadlines for thousands of devices and connections, driven by one timer. */
import type { Clock } from "../../shared/clock.ts";

/** Something that has deadlines. */
export interface Timed {
  /** The wheel's own: the tick this waits for; 0 while it waits for none. */
  wheelTick: number;
  /** The time of the last schedule came, or came near; `nowMs` is monotonic. What is not over yet is scheduled again. */
  fallDue(nowMs: number): void;
}

const DEFAULT_TICK_MS = 20;
const SLOTS = 1024;

/** A timer wheel: deadlines are late by up to one tick and never early, and nothing runs while nobody waits. */
export class TimerWheel {
  private readonly clock: Clock;
  private readonly tickMs: number;
  private readonly slots: Timed[][] = Array.from({ length: SLOTS }, () => []);
  private lastTick: number;
  /** In the slots, those included that were scheduled earlier since. */
  private waiting = 0;
  private isRunning = false;

  constructor(clock: Clock, tickMs: number = DEFAULT_TICK_MS) {
    this.clock = clock;
    this.tickMs = tickMs;
    this.lastTick = this.tickAt(clock.monotonicMs());
  }

  /**
   * Calls `fallDue` at `dueMs` at the latest (but for the tick). Something that is scheduled for no later already stays
   * as it is, so that a deadline which moves away with every block costs a comparison.
   */
  schedule(timed: Timed, dueMs: number): void {
    const tick = Math.max(this.lastTick + 1, Math.ceil(dueMs / this.tickMs));
    if (timed.wheelTick !== 0 && timed.wheelTick <= tick) return;
    timed.wheelTick = tick;
    this.slotOf(tick).push(timed);
    this.waiting++;
    if (!this.isRunning) this.start();
  }

  /** Forgets what was scheduled. */
  cancel(timed: Timed): void {
    timed.wheelTick = 0;
  }

  private start(): void {
    this.isRunning = true;
    const nowMs = this.clock.monotonicMs();
    this.clock.setTimer((this.tickAt(nowMs) + 1) * this.tickMs - nowMs, () => {
      this.isRunning = false;
      this.advance(this.clock.monotonicMs());
      if (this.waiting > 0 && !this.isRunning) this.start();
    });
  }

  private advance(nowMs: number): void {
    const nowTick = this.tickAt(nowMs);
    // A longer pause than one turn of the wheel comes by every slot once.
    let tick = Math.max(this.lastTick + 1, nowTick - SLOTS + 1);
    for (; tick <= nowTick; tick++) {
      this.lastTick = tick;
      const due = this.slotOf(tick);
      if (due.length === 0) continue;
      this.slots[tick % SLOTS] = [];
      this.waiting -= due.length;
      for (const timed of due) this.visit(timed, tick, nowMs);
    }
  }

  private visit(timed: Timed, tick: number, nowMs: number): void {
    const { wheelTick } = timed;
    if (wheelTick !== 0 && wheelTick <= tick) {
      timed.wheelTick = 0;
      timed.fallDue(nowMs);
    } else if (wheelTick % SLOTS === tick % SLOTS && wheelTick !== 0) {
      // Of a later turn. Scheduled for another slot, it is in that one as well.
      this.slotOf(wheelTick).push(timed);
      this.waiting++;
    }
  }

  private tickAt(nowMs: number): number {
    return Math.floor(nowMs / this.tickMs);
  }

  private slotOf(tick: number): Timed[] {
    return this.slots[tick % SLOTS] as Timed[];
  }
}
