/** A real `download` process, killed at random: it finishes after restarts, and each kill costs no more than it may. */
import { expect, it } from "vitest";
import { countKills, DURABLE_DISTANCE_BYTES, runKills } from "../kill/kill-run.ts";

const SEED = 0x5eed;
const BLOCK_BYTES = 4096;

it("finishes with every byte right, however often it is killed, and asks again for little", async () => {
  const downloads = await runKills({
    kills: 8,
    seed: SEED,
    sizeBytes: 1_048_576 - 1000,
    blockSizeBytes: BLOCK_BYTES,
    mostBlocksPerRun: 60,
    report: (line) => console.log(line),
  });
  expect(downloads.map(({ fault }) => fault)).toEqual(downloads.map(() => undefined));
  expect(countKills(downloads)).toBe(8);
  for (const { askedTwice, windowBlocks, deliveredBlocks } of downloads.flatMap(({ runs }) => runs)) {
    expect(deliveredBlocks).toBeGreaterThanOrEqual(1);
    expect(askedTwice).toBeLessThanOrEqual(DURABLE_DISTANCE_BYTES / BLOCK_BYTES + windowBlocks);
  }
});
