/** What the live view makes of the snapshots of several processes. */
import { describe, expect, it } from "vitest";
import { FleetProgress } from "../../cli/fleet/fleet-progress.ts";
import { formatBlock, formatLine } from "../../cli/fleet/fleet-view.ts";

const SNAPSHOT = {
  atMs: 1000,
  connected: 10,
  downloading: 5,
  done: 4,
  failed: 1,
  blocks: 100,
  bytes: 400_000,
  sentBytes: 410_000,
  duplicates: 2,
  requests: 20,
};

describe("progress", () => {
  it("adds up processes, and works out rate, percentiles and time left", () => {
    const progress = new FleetProgress({ devices: 20, bytesPerDevice: 100_000 });
    progress.take(0, { ...SNAPSHOT, atMs: 200, bytes: 0 }, []);
    progress.take(1, { ...SNAPSHOT, atMs: 200, bytes: 0 }, []);
    progress.take(0, SNAPSHOT, [30, 10]);
    progress.take(1, { ...SNAPSHOT, atMs: 1200, bytes: 600_000 }, [20]);
    const state = progress.state();
    expect(state.total).toMatchObject({ atMs: 1200, done: 8, failed: 2, bytes: 1_000_000, requests: 40 });
    expect(state).toMatchObject({ megabytesPerSecond: 1, p50Ms: 20, p99Ms: 30, secondsLeft: 1 });
    expect(formatLine(state, 20)).toBe(
      "1 s: 8 of 20 done, 2 failed, 20 connected, 10 downloading, 1.0 MB/s, p50 20 ms p99 30 ms, 4 duplicates, 1 s left",
    );
    expect(formatBlock(state, 20)).toContain(`${"#".repeat(20)}${"-".repeat(20)} 50 %  1 s, 1 s left`);
  });

  it("says nothing that it does not know", () => {
    const progress = new FleetProgress({ devices: 3, bytesPerDevice: undefined });
    expect(progress.state()).toMatchObject({ megabytesPerSecond: 0, p50Ms: undefined, secondsLeft: undefined });
    expect(formatLine(progress.state(), 3)).toContain("p50 - p99 -, 0 duplicates, time left unknown");
  });
});
