/** The faults of the simulated world: those of its links, and its own. */
import { emptyTally, type FaultRates, Faults, LINK_FAULTS } from "../../device/fleet/faults.ts";
import type { Random } from "../../shared/random.ts";

/** Every kind of fault there is. */
export const FAULT_CLASSES = [
  ...LINK_FAULTS,
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

/** How likely each fault of the world is. */
export type SimFaultRates = FaultRates<FaultClass>;

/** Draws the faults of one world. */
export class SimFaults extends Faults<FaultClass> {
  constructor(random: Random, rates: SimFaultRates) {
    super(random, rates, emptyTally(FAULT_CLASSES));
  }
}
