/** Timelines of several processes as one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FleetSnapshot } from "../../device/fleet/fleet-outcome.ts";
import { mergeTimelines } from "../../device/fleet/report/merge-timelines.ts";

const count = fc.nat(1000);

/** Snapshots in order of time, whose totals never fall. */
const timeline = fc
  .array(fc.record({ stepMs: fc.integer({ min: 1, max: 500 }), done: count, bytes: count, connected: count }), {
    maxLength: 12,
  })
  .map((steps) => {
    const snapshots: FleetSnapshot[] = [];
    let [atMs, done, bytes] = [0, 0, 0];
    for (const step of steps) {
      [atMs, done, bytes] = [atMs + step.stepMs, done + step.done, bytes + step.bytes];
      snapshots.push(snapshot(atMs, done, bytes, step.connected));
    }
    return snapshots;
  });

function snapshot(atMs: number, done: number, bytes: number, connected: number): FleetSnapshot {
  const rest = { downloading: 0, failed: 0, blocks: 0, sentBytes: bytes, duplicates: 0, requests: 0 };
  return { atMs, done, bytes, connected, ...rest };
}

describe("merged timelines", () => {
  it("of one process are its own", () => {
    fc.assert(
      fc.property(timeline, (one) => {
        expect(mergeTimelines([one])).toEqual(one);
      }),
    );
  });

  it("end with the sums of all ends, rise in time, and never fall in their totals", () => {
    fc.assert(
      fc.property(fc.array(timeline, { maxLength: 4 }), (parts) => {
        const merged = mergeTimelines(parts);
        const ends = parts.flatMap((part) => part.at(-1) ?? []);
        const sum = (field: "bytes" | "done"): number => ends.reduce((total, end) => total + end[field], 0);
        if (ends.length > 0) {
          const atMs = Math.max(...ends.map((end) => end.atMs));
          expect(merged.at(-1)).toMatchObject({ atMs, bytes: sum("bytes"), done: sum("done") });
        }
        for (const [index, moment] of merged.entries()) {
          const before = merged[index - 1] ?? snapshot(-1, 0, 0, 0);
          expect(moment.atMs).toBeGreaterThan(before.atMs);
          expect(moment.bytes).toBeGreaterThanOrEqual(before.bytes);
          expect(moment.done).toBeGreaterThanOrEqual(before.done);
        }
      }),
    );
  });

  it("sum what stands at a common time, and move evenly between", () => {
    const merged = mergeTimelines([
      [snapshot(100, 1, 10, 5), snapshot(200, 2, 20, 5), snapshot(300, 3, 30, 0)],
      [snapshot(100, 4, 100, 2), snapshot(300, 8, 300, 0)],
    ]);
    expect(merged.map(({ atMs, done, bytes, connected }) => [atMs, done, bytes, connected])).toEqual([
      [100, 5, 110, 7],
      [200, 8, 220, 6],
      [300, 11, 330, 0],
    ]);
  });
});
