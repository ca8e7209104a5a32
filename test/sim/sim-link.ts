/** One direction of a simulated connection: whole messages that take time, and to which things happen. */
import type { Clock } from "../../shared/clock.ts";
import { type Random, randomFraction } from "../../shared/random.ts";
import type { Faults } from "./faults.ts";

/** What a direction is like. */
export interface SimLinkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly bytesPerSecond: number;
  readonly oneWayMs: number;
  readonly jitterMs: number;
  /** Share of messages lost by the link itself, beside the faults. */
  readonly loss: number;
}

/** Messages leave one after another at the link's rate and arrive in order, unless a fault reorders them. */
export class SimLink {
  /** Bytes that have not left yet. */
  queuedBytes = 0;
  private readonly options: SimLinkOptions;
  private freeAtMs = 0;
  private lastArrivalMs = 0;
  private isCut = false;

  constructor(options: SimLinkOptions) {
    this.options = options;
  }

  /** Sends a message; `arrive` gets its bytes, which may be changed ones, once, twice or never. */
  send(message: Uint8Array, arrive: (message: Uint8Array) => void, left: () => void): void {
    const { clock, faults, bytesPerSecond, oneWayMs, jitterMs, loss, random } = this.options;
    this.queuedBytes += message.length;
    this.freeAtMs = Math.max(this.freeAtMs, clock.monotonicMs()) + (message.length / bytesPerSecond) * 1000;
    clock.setTimer(this.freeAtMs - clock.monotonicMs(), () => {
      this.queuedBytes -= message.length;
      left();
    });
    if ((loss > 0 && randomFraction(random) < loss) || faults.strikes("drop")) return;
    const bytes = this.damage(message);
    const jitter = jitterMs === 0 ? 0 : randomFraction(random) * jitterMs;
    const delay = faults.strikes("delay") ? faults.between(1, 5_000) : 0;
    const arrivalMs = this.freeAtMs + oneWayMs + jitter + delay;
    if (faults.strikes("reorder")) {
      this.deliver(bytes, arrive, arrivalMs + faults.between(1, 200));
    } else {
      this.lastArrivalMs = Math.max(this.lastArrivalMs, arrivalMs);
      this.deliver(bytes, arrive, this.lastArrivalMs);
    }
    if (faults.strikes("duplicate")) this.deliver(bytes, arrive, arrivalMs + faults.between(0, 1_000));
  }

  /** Ends the link: what is on its way is lost. */
  cut(): void {
    this.isCut = true;
  }

  private deliver(message: Uint8Array, arrive: (message: Uint8Array) => void, atMs: number): void {
    const { clock } = this.options;
    clock.setTimer(atMs - clock.monotonicMs(), () => {
      if (!this.isCut) arrive(message);
    });
  }

  private damage(message: Uint8Array): Uint8Array {
    const { faults } = this.options;
    if (message.length > 0 && faults.strikes("corrupt")) {
      const corrupt = message.slice();
      const at = faults.between(0, corrupt.length - 1);
      corrupt[at] = (corrupt[at] as number) ^ (1 << faults.between(0, 7));
      return corrupt;
    }
    return faults.strikes("truncate") ? message.slice(0, faults.between(0, message.length)) : message;
  }
}
