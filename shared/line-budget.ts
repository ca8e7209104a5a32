/** How many lines of one kind the log gets: so many in a window, and then one that counts the others. */
import type { Clock, Timer } from "./clock.ts";

/** How to bound lines. `Key` is what has a window of its own. */
export interface LineBudgetOptions<Key> {
  readonly clock: Clock;
  readonly maxPerWindow: number;
  readonly windowMs: number;
  /** Called when a window ends in which something was left out, with how much. */
  readonly ended: (key: Key, leftOut: number) => void;
}

interface Window {
  readonly startedAtMs: number;
  written: number;
  leftOut: number;
}

/** Decides which lines are written; one timer, which runs only while something was left out. */
export class LineBudget<Key> {
  private readonly options: LineBudgetOptions<Key>;
  /** In the order in which they were begun. */
  private readonly windows = new Map<Key, Window>();
  private timer: Timer | undefined;

  constructor(options: LineBudgetOptions<Key>) {
    this.options = options;
  }

  /** Says whether a line may be written that stands for `amount` things; if not, they are counted. */
  admits(key: Key, amount = 1): boolean {
    const { clock, maxPerWindow, windowMs } = this.options;
    const nowMs = clock.monotonicMs();
    this.endWindows(nowMs);
    let window = this.windows.get(key);
    if (window === undefined) {
      window = { startedAtMs: nowMs, written: 0, leftOut: 0 };
      this.windows.set(key, window);
    }
    if (window.written < maxPerWindow) {
      window.written++;
      return true;
    }
    window.leftOut += amount;
    this.timer ??= clock.setTimer(window.startedAtMs + windowMs - nowMs, () => this.wake());
    return false;
  }

  /** Says now what was left out. */
  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.endWindows(Number.POSITIVE_INFINITY);
  }

  private wake(): void {
    const { clock, windowMs } = this.options;
    this.timer = undefined;
    const nowMs = clock.monotonicMs();
    this.endWindows(nowMs);
    for (const { startedAtMs, leftOut } of this.windows.values()) {
      if (leftOut === 0) continue;
      this.timer = clock.setTimer(startedAtMs + windowMs - nowMs, () => this.wake());
      return;
    }
  }

  private endWindows(nowMs: number): void {
    for (const [key, { startedAtMs, leftOut }] of this.windows) {
      if (nowMs - startedAtMs < this.options.windowMs) return;
      this.windows.delete(key);
      if (leftOut > 0) this.options.ended(key, leftOut);
    }
  }
}
