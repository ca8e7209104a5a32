/** The tests of a share of the seeds; two files of them run side by side. */
import { describe, expect, it } from "vitest";
import { FAULT_CLASSES, type FaultClass } from "./faults.ts";
import { runScenario } from "./scenario.ts";

const SEEDS_PER_TEST = 50;

/** Describes the given parts, 50 seeds each; every fault has to strike in them. */
export function describeSeeds(title: string, parts: readonly number[]): void {
  describe(title, () => {
    const totals = Object.fromEntries(FAULT_CLASSES.map((name) => [name, 0])) as Record<FaultClass, number>;

    it.each(parts)("every device gets there, and nothing wrong is ever accepted, part %i", async (part) => {
      for (let seed = part * SEEDS_PER_TEST; seed < (part + 1) * SEEDS_PER_TEST; seed++) {
        const outcome = await runScenario(seed);
        for (const name of FAULT_CLASSES) totals[name] += outcome.faults[name];
        expect(outcome.violations, `replay: npm run sim -- --seed 0x${seed.toString(16)}`).toEqual([]);
      }
    });

    it("every fault struck", () => {
      console.info(JSON.stringify(totals));
      for (const name of FAULT_CLASSES) expect(totals[name], `${name} was never injected`).toBeGreaterThan(0);
    });
  });
}
