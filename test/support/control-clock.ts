/** A clock that stands still until a test moves it. */
import type { Clock } from "../../shared/clock.ts";

/** A clock and the handle that moves it. */
export interface ControlClock extends Clock {
  /** Moves both times forward and calls the timers that came due, in order. */
  advance(durationMs: number): void;
}

/** Makes a clock that starts at `epochMs`; its monotonic time starts at 0. */
export function createControlClock(epochMs: number): ControlClock {
  let elapsedMs = 0;
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  return {
    epochMs: () => epochMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    setTimer(delayMs, callback) {
      const timer = { dueMs: elapsedMs + delayMs, callback };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    advance(durationMs) {
      elapsedMs += durationMs;
      const due = [...timers].filter((timer) => timer.dueMs <= elapsedMs);
      for (const timer of due.sort((left, right) => left.dueMs - right.dueMs)) {
        if (timers.delete(timer)) timer.callback();
      }
    },
  };
}
