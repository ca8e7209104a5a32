/** The timer wheel under a virtual clock: never early, at most a tick late, and still when nobody waits. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Timed, TimerWheel } from "../../device/fleet/lean-timers.ts";
import type { Clock, Timer } from "../../shared/clock.ts";

/** A clock with one timer at a time, whose time a test moves. */
class HandClock implements Clock {
  nowMs = 500;
  armed = 0;
  private timer: { readonly atMs: number; readonly callback: () => void } | undefined;

  epochMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (this.timer !== undefined) throw new Error("one timer drives the wheel");
    this.armed++;
    this.timer = { atMs: this.nowMs + delayMs, callback };
    return { cancel: () => undefined };
  }

  /** Lets time pass up to a moment; with `asleep` the timers of the time between are late. */
  moveTo(atMs: number, asleep = false): void {
    if (asleep) this.nowMs = atMs;
    for (let { timer } = this; timer !== undefined && timer.atMs <= atMs; timer = this.timer) {
      this.timer = undefined;
      this.nowMs = Math.max(this.nowMs, timer.atMs);
      timer.callback();
    }
    this.nowMs = atMs;
  }

  get isIdle(): boolean {
    return this.timer === undefined;
  }
}

class Alarm implements Timed {
  wheelTick = 0;
  dueMs = Number.POSITIVE_INFINITY;
  readonly rangMs: number[] = [];
  private readonly wheel: TimerWheel;

  constructor(wheel: TimerWheel) {
    this.wheel = wheel;
  }

  /** As its users do: the newest deadline counts, and one that is not over yet is scheduled again. */
  set(dueMs: number): void {
    this.dueMs = dueMs;
    this.wheel.schedule(this, dueMs);
  }

  fallDue(nowMs: number): void {
    if (nowMs >= this.dueMs) {
      this.rangMs.push(nowMs);
      this.dueMs = Number.POSITIVE_INFINITY;
    } else if (this.dueMs !== Number.POSITIVE_INFINITY) {
      this.wheel.schedule(this, this.dueMs);
    }
  }
}

const TICK_MS = 20;

describe("TimerWheel", () => {
  it("rings every alarm at its newest deadline, at most a tick late", () => {
    const settings = fc.array(
      fc.record({ alarm: fc.nat({ max: 4 }), afterMs: fc.nat({ max: 60_000 }), inMs: fc.nat({ max: 60_000 }) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(settings, (steps) => {
        const clock = new HandClock();
        const wheel = new TimerWheel(clock, TICK_MS);
        const alarms = Array.from({ length: 5 }, () => new Alarm(wheel));
        const wanted: number[][] = alarms.map(() => []);
        for (const { alarm: index, afterMs, inMs } of steps) {
          const alarm = alarms[index] as Alarm;
          const untilMs = clock.nowMs + afterMs;
          for (const [other, { dueMs }] of alarms.entries()) if (dueMs + TICK_MS < untilMs) wanted[other]?.push(dueMs);
          clock.moveTo(untilMs);
          // What is so near its deadline may or may not have rung.
          if (alarm.dueMs + TICK_MS >= untilMs) alarm.set(untilMs + inMs);
        }
        for (const [index, { dueMs }] of alarms.entries()) if (Number.isFinite(dueMs)) wanted[index]?.push(dueMs);
        clock.moveTo(clock.nowMs + 100_000);
        for (const [index, alarm] of alarms.entries()) {
          for (const dueMs of wanted[index] ?? []) {
            expect(alarm.rangMs.some((rangMs) => rangMs >= dueMs && rangMs <= dueMs + TICK_MS)).toBe(true);
          }
        }
        expect(clock.isIdle).toBe(true);
      }),
    );
  });

  it("keeps a deadline that moves away where it is, and asks its owner when that comes", () => {
    const clock = new HandClock();
    const wheel = new TimerWheel(clock, TICK_MS);
    const alarm = new Alarm(wheel);
    for (let at = 0; at < 1000; at++) alarm.set(clock.nowMs + 100 + at);
    clock.moveTo(clock.nowMs + 150);
    expect(alarm.rangMs).toEqual([]);
    clock.moveTo(clock.nowMs + 1100);
    expect(alarm.rangMs).toHaveLength(1);
  });

  it("rings what came due while the process slept", () => {
    const clock = new HandClock();
    const wheel = new TimerWheel(clock, TICK_MS);
    const alarms = [10, 5000, 100_000].map((inMs) => {
      const alarm = new Alarm(wheel);
      alarm.set(clock.nowMs + inMs);
      return alarm;
    });
    clock.moveTo(clock.nowMs + 1_000_000, true);
    expect(alarms.map(({ rangMs }) => rangMs.length)).toEqual([1, 1, 1]);
    expect(clock.isIdle).toBe(true);
  });

  it("does nothing for what was cancelled", () => {
    const clock = new HandClock();
    const wheel = new TimerWheel(clock, TICK_MS);
    const alarm = new Alarm(wheel);
    alarm.set(clock.nowMs + 100);
    wheel.cancel(alarm);
    clock.moveTo(clock.nowMs + 10_000);
    expect(alarm.rangMs).toEqual([]);
    expect(clock.isIdle).toBe(true);
    alarm.set(clock.nowMs + 100);
    clock.moveTo(clock.nowMs + 200);
    expect(alarm.rangMs).toHaveLength(1);
  });
});
