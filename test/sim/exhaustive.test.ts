import { expect, it } from "vitest";
import { runExhaustive } from "./exhaustive.ts";

it("files of up to 4 blocks survive one fault at every possible place", async () => {
  const { runs, violations } = await runExhaustive(4);
  expect(violations).toEqual([]);
  expect(runs).toBeGreaterThan(250);
});
