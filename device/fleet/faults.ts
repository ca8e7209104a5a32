/** What goes wrong in a simulation, how often, and how often it did. No IO. */
import { type Random, randomFraction, randomInteger } from "../../shared/random.ts";

/** The faults that strike a message on a link. */
export const LINK_FAULTS = ["drop", "duplicate", "reorder", "delay", "corrupt", "truncate"] as const;

/** One of {@link LINK_FAULTS}. */
export type LinkFault = (typeof LINK_FAULTS)[number];

/** How likely each fault is: per message, per read, or per second of virtual time, as its class has it. */
export type FaultRates<Name extends string> = Readonly<Partial<Record<Name, number>>>;

/** How often each fault struck. */
export type FaultTally<Name extends string> = Record<Name, number>;

/** A tally in which nothing has struck. */
export function emptyTally<Name extends string>(names: readonly Name[]): FaultTally<Name> {
  return Object.fromEntries(names.map((name) => [name, 0])) as FaultTally<Name>;
}

/** Draws faults and counts them; several may share one tally. */
export class Faults<Name extends string> {
  readonly counts: FaultTally<Name>;
  private readonly random: Random;
  private rates: FaultRates<Name>;

  constructor(random: Random, rates: FaultRates<Name>, counts: FaultTally<Name>) {
    this.random = random;
    this.rates = rates;
    this.counts = counts;
  }

  /** Draws whether a fault happens now; a class with no rate never does, and draws nothing. */
  strikes(fault: Name): boolean {
    const rate = this.rates[fault] ?? 0;
    if (rate === 0 || randomFraction(this.random) >= rate) return false;
    this.counts[fault]++;
    return true;
  }

  /** Notes a fault that was not drawn here. */
  count(fault: Name): void {
    this.counts[fault]++;
  }

  /** A number from `low` to `high` for the size of a fault. */
  between(low: number, high: number): number {
    return randomInteger(this.random, low, high);
  }

  /** From now on nothing goes wrong. */
  stop(): void {
    this.rates = {} as FaultRates<Name>;
  }
}
