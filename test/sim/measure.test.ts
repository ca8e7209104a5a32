import { describe, expect, it } from "vitest";
import { DEVICE_PROFILES } from "../../device/fleet/device-profiles.ts";
import { LINK_PROFILES } from "../../device/fleet/link-profiles.ts";
import { allowedMs, measureDownload, measureStockClient, PLACES } from "./measure.ts";

/** Enough for the means to settle; `npm run sim:table` takes 200. */
const SEEDS = 20;

describe.each([
  { loss: 0, limit: 1.0 },
  { loss: 0.01, limit: 1.02 },
  { loss: 0.05, limit: 1.08 },
  { loss: 0.2, limit: 1.3 },
])("at a message loss of $loss", ({ loss, limit }) => {
  it(`sends at most ${limit} times the bytes needed, and hardly a block twice`, async () => {
    let redundancy = 0;
    let surplus = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await measureDownload({ ...LINK_PROFILES["wifi-poor"], loss }, DEVICE_PROFILES.linux, seed);
      redundancy += run.redundancy / SEEDS;
      surplus += run.surplus / SEEDS;
    }
    expect(redundancy).toBeLessThanOrEqual(limit + 1e-9);
    expect(surplus).toBeLessThanOrEqual(0.01);
  });
});

describe.each(PLACES)("on $name", ({ link, device }) => {
  it("takes no longer than link and flash allow, and less than a stock client", async () => {
    let milliseconds = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      milliseconds += (await measureDownload(link, device, seed)).milliseconds / SEEDS;
    }
    const stock = await measureStockClient(link, device, 1);
    expect(milliseconds).toBeLessThanOrEqual(allowedMs(link, device));
    expect(milliseconds).toBeLessThan(stock.milliseconds);
  });
});
