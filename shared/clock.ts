/** The clock port: what time it is and a timer, so that tests and simulators can own both. */

/** A pending timer; cancelling one that fired, or twice, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Tells time and arms timers. */
export interface Clock {
  /** Wall time, in milliseconds since 1970; may jump. For records and timestamps. */
  epochMs(): number;
  /** Monotonic time, in milliseconds with a fraction, from an arbitrary start. For durations and deadlines. */
  monotonicMs(): number;
  /** Calls `callback` once, `delayMs` from now at the earliest. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** The machine's own clock. Its timers keep the process alive. */
export const systemClock: Clock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
