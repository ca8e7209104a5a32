/** What each plot shows, in words: for who cannot see it, and for who has no time to. No IO. */
import type { FleetReport } from "../fleet-report.ts";
import { formatCount, formatDuration, formatNumber } from "./display-forms.ts";
import { redundancyOf } from "./distribution-plots.ts";
import { completionTimes } from "./merge-devices.ts";
import { nearestRank } from "./nearest-rank.ts";
import type { Plot } from "./plot-data.ts";

/** When how many devices were done. */
export function describeCompletion(report: FleetReport): string {
  const ends = report.perDevice
    .flatMap((device) => (device.failure === undefined && device.endedMs !== undefined ? [device.endedMs] : []))
    .sort((a, b) => a - b);
  const [half, most, last] = [nearestRank(ends, 50), nearestRank(ends, 99), ends.at(-1)];
  if (half === null || most === null || last === undefined) return "No device completed.";
  return `Half of the devices that completed were done ${formatDuration(half)} after the start, 99 % after ${formatDuration(most)}, the last after ${formatDuration(last)}.`;
}

/** The highest rate. */
export function describeThroughput(plot: Plot): string {
  const kept = plot.series[0]?.values ?? [];
  const highest = kept.reduce((most, value) => Math.max(most, value), 0);
  const sent =
    plot.series.length > 1 ? " Sent is what reached the devices' end, before links lost or doubled any." : "";
  return `New bytes that devices kept, up to ${formatNumber(highest)} ${plot.yLabel}.${sent}`;
}

/** The most devices at once. */
export function describeActivity(plot: Plot): string {
  const [connected = 0, downloading = 0] = plot.series.map((series) =>
    series.values.reduce((most, value) => Math.max(most, value), 0),
  );
  return `At most ${formatCount(connected)} connected and ${formatCount(downloading)} downloading at a time.`;
}

/** The shortest, the median and the longest time. */
export function describeTimes(report: FleetReport): string {
  const times = completionTimes(report.perDevice);
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined || report.p50Ms === null) return "No device completed.";
  return `From each device's own start: ${formatDuration(first)} at least, ${formatDuration(report.p50Ms)} in the median, ${formatDuration(last)} at most.`;
}

/** The median and the worst redundancy. */
export function describeRedundancy(report: FleetReport): string {
  const values = report.perDevice.flatMap(redundancyOf).sort((a, b) => a - b);
  const [median, worst] = [nearestRank(values, 50), values.at(-1)];
  if (median === null || worst === undefined) return "No device kept anything.";
  return `Bytes sent to a device over those it kept, 1 at best: ${median.toFixed(3)} in the median, ${worst.toFixed(3)} at worst.`;
}
