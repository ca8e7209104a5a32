/** One timeline from those of several processes. No IO. */
import type { FleetSnapshot } from "../fleet-outcome.ts";

const NOTHING: FleetSnapshot = {
  atMs: 0,
  connected: 0,
  downloading: 0,
  done: 0,
  failed: 0,
  blocks: 0,
  bytes: 0,
  sentBytes: 0,
  duplicates: 0,
  requests: 0,
};

/**
 * Sums timelines, each in order of time, at common times: those of the one with the most snapshots, and the last of all.
 * Between two of its snapshots a process is taken to have moved evenly; before the first it was at 0, after the last it
 * stays.
 */
export function mergeTimelines(timelines: readonly (readonly FleetSnapshot[])[]): FleetSnapshot[] {
  const finest = timelines.reduce((best, timeline) => (timeline.length > best.length ? timeline : best), []);
  const lastMs = timelines.reduce((last, timeline) => Math.max(last, timeline.at(-1)?.atMs ?? 0), 0);
  const times = finest.map((snapshot) => snapshot.atMs);
  if (times.length > 0 && lastMs > (times.at(-1) ?? 0)) times.push(lastMs);
  const readers = timelines.map(readTimeline);
  return times.map((atMs) => {
    const moments = readers.map((read) => read(atMs));
    return combine(atMs, (field) => moments.reduce((sum, moment) => sum + moment[field], 0));
  });
}

/** Reads a timeline at times that never go back. */
function readTimeline(timeline: readonly FleetSnapshot[]): (atMs: number) => FleetSnapshot {
  let next = 0;
  return (atMs) => {
    while (next < timeline.length && (timeline[next] as FleetSnapshot).atMs <= atMs) next++;
    const before = timeline[next - 1] ?? NOTHING;
    const after = timeline[next];
    if (after === undefined || before.atMs === atMs) return before;
    const share = (atMs - before.atMs) / (after.atMs - before.atMs);
    return combine(atMs, (field) => Math.round(before[field] + share * (after[field] - before[field])));
  };
}

function combine(atMs: number, totalOf: (field: Exclude<keyof FleetSnapshot, "atMs">) => number): FleetSnapshot {
  return {
    atMs,
    connected: totalOf("connected"),
    downloading: totalOf("downloading"),
    done: totalOf("done"),
    failed: totalOf("failed"),
    blocks: totalOf("blocks"),
    bytes: totalOf("bytes"),
    sentBytes: totalOf("sentBytes"),
    duplicates: totalOf("duplicates"),
    requests: totalOf("requests"),
  };
}
