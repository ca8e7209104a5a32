/** The promise of a pace, over random requests, silences, and a transport that takes what it likes. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { makeFile, makeRun } from "../support/broker.ts";
import { type Departure, startPacedRig } from "../support/paced-rig.ts";

const FILE = makeFile(131_072);
const THINGS = ["a", "b"];

const pace = fc.oneof(fc.integer({ min: 1024, max: 65_536 }), fc.integer({ min: 65_536, max: 16_777_216 }));
const request = fc.record({
  waitMs: fc.oneof(fc.constant(0), fc.nat({ max: 3000 })),
  thing: fc.constantFrom(...THINGS),
  blockSizeBytes: fc.constantFrom(256, 1000, 4096, 65_535, 131_072),
  blocks: fc.integer({ min: 1, max: 32 }),
  percentTaken: fc.constantFrom(0, 30, 100),
});

/** Rounding of sums of fractions, in bytes. */
const TOLERANCE = 1e-3;

it("gives a thing in no time more than the rate times the time and one burst, and all of it in the end", async () => {
  await fc.assert(
    fc.asyncProperty(pace, fc.array(request, { minLength: 1, maxLength: 8 }), async (bytesPerSecond, requests) => {
      let percentTaken = 100;
      const rig = await startPacedRig(bytesPerSecond, (_thing, offered) => Math.floor((offered * percentTaken) / 100));
      let owedBytes = 0;
      for (const { waitMs, thing, blockSizeBytes, blocks, percentTaken: share } of requests) {
        rig.clock.advance(waitMs);
        percentTaken = share;
        const fileBytes = FILE.subarray(0, Math.min(FILE.length, blocks * blockSizeBytes));
        rig.publisher.send(thing, makeRun(thing, { blockSizeBytes, fileBytes }));
        owedBytes += fileBytes.length;
        for (const name of THINGS) rig.inner.deviceReady(name);
      }
      percentTaken = 100;
      for (const name of THINGS) rig.inner.deviceReady(name);
      const left = (): number => owedBytes - rig.departures.reduce((sum, { bytes }) => sum + bytes, 0);
      // No block is longer to wait for, and none leaves earlier for having waited longer.
      const longestMs = (131_072 / bytesPerSecond) * 1000;
      for (let calls = 0; left() > 0 && calls < 10_000; calls++) rig.clock.advance(longestMs);
      expect(left()).toBe(0);
      for (const thing of THINGS)
        expectPace(
          rig.departures.filter((each) => each.thing === thing),
          bytesPerSecond,
        );
    }),
    { numRuns: 100 },
  );
}, 60_000);

function expectPace(departures: readonly Departure[], bytesPerSecond: number): void {
  const largest = Math.max(0, ...departures.map(({ blockSizeBytes }) => blockSizeBytes));
  const burst = Math.min(131_072, Math.max(bytesPerSecond / 10, largest));
  departures.forEach((first, from) => {
    let bytes = 0;
    for (const { atMs, bytes: more } of departures.slice(from)) {
      bytes += more;
      const earned = ((atMs - first.atMs) / 1000) * bytesPerSecond;
      expect(bytes).toBeLessThanOrEqual(burst + earned + TOLERANCE);
    }
  });
}
