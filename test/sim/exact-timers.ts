/** Deadlines that are kept to the instant, on a virtual clock. */
import type { Timed } from "../../device/fleet/lean-timers.ts";
import type { Clock } from "../../shared/clock.ts";

/** Does what a timer wheel does, without its ticks. */
export class ExactTimers {
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  schedule(timed: Timed, dueMs: number): void {
    const atMs = Math.max(dueMs, this.clock.monotonicMs());
    // 0 means that nothing is waited for.
    const name = atMs + 1;
    if (timed.wheelTick !== 0 && timed.wheelTick <= name) return;
    timed.wheelTick = name;
    this.clock.setTimer(atMs - this.clock.monotonicMs(), () => {
      if (timed.wheelTick !== name) return;
      timed.wheelTick = 0;
      timed.fallDue(this.clock.monotonicMs());
    });
  }

  cancel(timed: Timed): void {
    timed.wheelTick = 0;
  }
}
