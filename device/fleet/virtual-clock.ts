/** Time that passes only when nothing is left to do: an event queue that is also the clock of everything simulated. */
import type { Clock, Timer } from "../../shared/clock.ts";

interface Event {
  readonly atMs: number;
  /** Events of one instant happen in the order in which they were scheduled. */
  readonly sequence: number;
  run: (() => void) | undefined;
}

/** A clock whose events are run one by one, each followed by every promise it settles. */
export class VirtualClock implements Clock {
  private nowMs = 0;
  private sequence = 0;
  /** A binary heap: the earliest event is the first. */
  private readonly heap: Event[] = [];

  epochMs(): number {
    return 1_700_000_000_000 + this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const event: Event = { atMs: this.nowMs + Math.max(0, delayMs), sequence: this.sequence++, run: callback };
    this.push(event);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }

  /** Runs events until `done` says so or time runs out; says whether it was done. */
  async runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    await settled();
    while (!done()) {
      if (this.heap[0] === undefined || this.heap[0].atMs > limitMs) return false;
      const event = this.pop() as Event;
      if (event.run === undefined) continue;
      this.nowMs = event.atMs;
      event.run();
      await settled();
    }
    return true;
  }

  /** Runs events until a promise is settled, and returns what it is settled with; throws when nothing is left to do before. */
  async runToEnd<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const note = (): void => {
      isSettled = true;
    };
    work.then(note, note);
    if (await this.runUntil(() => isSettled, Number.POSITIVE_INFINITY)) return await work;
    throw new Error("nothing is left to do on the virtual clock, and what was waited for has not come");
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): Event | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

/** Resolves after every promise that is settled by now, and what follows from it, has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
