/** Bins, percentiles, and figures as people read them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatShare,
} from "../../device/fleet/report/display-forms.ts";
import { binPosition, countInBins } from "../../device/fleet/report/histogram.ts";
import { nearestRank } from "../../device/fleet/report/nearest-rank.ts";

const value = fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 1e9, noNaN: true }));
const values = fc.array(value, { minLength: 1, maxLength: 60 });

describe("bins", () => {
  it("hold every value once, rise, and are few", () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 3 }), (groups) => {
        const { edges, counts } = countInBins(groups);
        expect(edges.length).toBeLessThan(150);
        for (const [index, edge] of edges.entries()) {
          if (index > 0) expect(edge).toBeGreaterThan(edges[index - 1] as number);
        }
        const all = groups.flat();
        expect(edges[0]).toBeLessThanOrEqual(Math.max(Math.min(...all), Math.max(...all) * 1e-6));
        expect(edges.at(-1)).toBeGreaterThanOrEqual(Math.max(...all));
        expect(counts.map((group) => group.reduce((sum, count) => sum + count, 0))).toEqual(
          groups.map((group) => group.length),
        );
        const [low, high] = [Math.min(...all), Math.max(...all)];
        expect(binPosition(edges, low)).toBeLessThanOrEqual(binPosition(edges, high));
      }),
    );
  });

  it("are even for values that are close, and grow for those that are not", () => {
    const near = countInBins([[10, 12, 14]]).edges;
    expect((near[1] ?? 0) - (near[0] ?? 0)).toBeCloseTo((near.at(-1) ?? 0) - (near.at(-2) ?? 0));
    const far = countInBins([[1, 1000]]).edges;
    expect(far.slice(0, 4)).toEqual([1, 1.12, 1.25, 1.4]);
  });

  it("hold a smallest value that is just below a power of ten", () => {
    const { edges, counts } = countInBins([[999.9999999999999, 1e5]]);
    expect(edges[0]).toBeLessThan(1000);
    expect(counts[0]?.reduce((sum, count) => sum + count, 0)).toBe(2);
  });

  it.each([999_999_999.999_000_1, 1_000_000_000.001, 0.3, 0.1 + 0.2, 1e-3])("hold %d alone", (value) => {
    const { edges } = countInBins([[value]]);
    expect(edges[0]).toBeLessThanOrEqual(value);
    expect(edges.at(-1)).toBeGreaterThanOrEqual(value);
  });

  it("are none without values", () => expect(countInBins([[], []])).toEqual({ edges: [], counts: [[], []] }));
});

describe("nearest rank", () => {
  it("is the smallest value that the share of values does not exceed", () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 100 }), (drawn, percent) => {
        const sorted = drawn.toSorted((a, b) => a - b);
        const found = nearestRank(sorted, percent) as number;
        expect(sorted.filter((value) => value <= found).length * 100).toBeGreaterThanOrEqual(percent * sorted.length);
        expect(sorted.filter((value) => value < found).length * 100).toBeLessThan(percent * sorted.length);
      }),
    );
  });

  it("is null of nothing", () => expect(nearestRank([], 50)).toBeNull());
});

describe("figures", () => {
  it.each([
    [formatCount(10_000), "10,000"],
    [formatCount(1_234_567), "1,234,567"],
    [formatNumber(0.01254), "0.0125"],
    [formatNumber(1240.4), "1,240"],
    [formatDuration(0), "0 ms"],
    [formatDuration(850), "850 ms"],
    [formatDuration(999.9), "1 s"],
    [formatDuration(9812), "9.81 s"],
    [formatDuration(59_990), "1 min"],
    [formatDuration(200_000), "3 min 20 s"],
    [formatDuration(7_500_000), "2 h 5 min"],
    [formatDuration(3_599_600), "1 h"],
    [formatDuration(3 * 86_400_000), "3 d"],
    [formatBytes(512), "512 B"],
    [formatBytes(6300), "6.15 KiB"],
    [formatBytes(-2048), "-2 KiB"],
    [formatShare(0.99998), "99.99 %"],
    [formatShare(1), "100 %"],
    [formatShare(0), "0 %"],
  ])("read %s", (shown, expected) => expect(shown).toBe(expected));
});
