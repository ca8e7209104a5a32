/** Finds the connections that have bytes to take and take none, and closes them. */
import type { Clock, Timer } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import type { ClientLink } from "./client-link.ts";

/** Looks in one timeout; a stall is noticed at most a quarter of the timeout late. */
const LOOKS_PER_TIMEOUT = 4;

interface Stall {
  readonly progressCount: number;
  readonly sinceMs: number;
}

/** Watches connections for stalls with one timer for all of them; nothing is done when a block is sent. */
export class StallWatch {
  private readonly links = new Set<ClientLink>();
  private readonly stalls = new WeakMap<ClientLink, Stall>();
  private readonly timeoutMs: number;
  private readonly clock: Clock;
  private readonly log: Log;
  private timer: Timer | undefined;

  constructor(timeoutMs: number, clock: Clock, log: Log) {
    this.timeoutMs = timeoutMs;
    this.clock = clock;
    this.log = log;
  }

  /** Starts to watch a connection. */
  add(link: ClientLink): void {
    this.links.add(link);
    this.timer ??= this.arm();
  }

  /** Ends the watch over a connection. */
  remove(link: ClientLink): void {
    this.links.delete(link);
    if (this.links.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private arm(): Timer {
    return this.clock.setTimer(this.timeoutMs / LOOKS_PER_TIMEOUT, () => {
      this.timer = this.arm();
      const nowMs = this.clock.monotonicMs();
      for (const link of this.links) this.look(link, nowMs);
    });
  }

  private look(link: ClientLink, nowMs: number): void {
    const stall = this.stalls.get(link);
    // A device that is owed more than it is allowed has bytes to take, too: the kernel has them.
    if (link.connection.writableLength === 0 && !link.owesReady) {
      this.stalls.delete(link);
    } else if (stall === undefined || stall.progressCount !== link.progressCount) {
      this.stalls.set(link, { progressCount: link.progressCount, sinceMs: nowMs });
    } else if (nowMs - stall.sinceMs >= this.timeoutMs) {
      const stalledMs = Math.round(nowMs - stall.sinceMs);
      const waitingBytes = link.connection.writableLength || link.unseenBytes;
      this.log.warn("client evicted: it takes nothing", { clientId: link.clientId, stalledMs, waitingBytes });
      link.reset("stalled");
    }
  }
}
