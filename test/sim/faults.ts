/** What goes wrong in a simulated world, how often, and how often it did. */
import { type Random, randomFraction, randomInteger } from "../../shared/random.ts";

/** Every kind of fault there is. */
export const FAULT_CLASSES = [
  "drop",
  "duplicate",
  "reorder",
  "delay",
  "corrupt",
  "truncate",
  "disconnect",
  "power-cut",
  "publisher-restart",
  "slow-read",
  "short-read",
  "failing-read",
  "version-bump",
  "object-swap",
  "slow-flash",
  "few-buffers",
] as const;

/** One of {@link FAULT_CLASSES}. */
export type FaultClass = (typeof FAULT_CLASSES)[number];

/** How likely each fault is: per message, per read, or per second of virtual time, as its class has it. */
export type FaultRates = Readonly<Partial<Record<FaultClass, number>>>;

/** Draws faults and counts them. */
export class Faults {
  readonly counts: Record<FaultClass, number>;
  private readonly random: Random;
  private rates: FaultRates;

  constructor(random: Random, rates: FaultRates) {
    this.random = random;
    this.rates = rates;
    this.counts = Object.fromEntries(FAULT_CLASSES.map((name) => [name, 0])) as Record<FaultClass, number>;
  }

  /** Draws whether a fault happens now; a class with no rate never does, and draws nothing. */
  strikes(fault: FaultClass): boolean {
    const rate = this.rates[fault] ?? 0;
    if (rate === 0 || randomFraction(this.random) >= rate) return false;
    this.counts[fault]++;
    return true;
  }

  /** Notes a fault that was not drawn here. */
  count(fault: FaultClass): void {
    this.counts[fault]++;
  }

  /** A number from `low` to `high` for the size of a fault. */
  between(low: number, high: number): number {
    return randomInteger(this.random, low, high);
  }

  /** From now on nothing goes wrong. */
  stop(): void {
    this.rates = {};
  }
}
