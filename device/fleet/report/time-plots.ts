/** The plots over time: completion, throughput, and what devices are doing. No IO. */
import type { FleetReport } from "../fleet-report.ts";
import type { DeviceGroup } from "./device-groups.ts";
import type { Plot, PlotSeries } from "./plot-data.ts";

/** Points of a plot, at most. */
const POINTS = 300;

/** How many devices were done by when, of each group when there are several, and how many had failed. */
export function plotCompletion(report: FleetReport, groups: readonly DeviceGroup[]): Plot {
  const lastMs = report.timeline.at(-1)?.atMs ?? 0;
  const points = lastMs > 0 ? POINTS + 1 : 0;
  const x = Array.from({ length: points }, (_, index) => Math.round((lastMs * index) / POINTS));
  const endTimes = (devices: FleetReport["perDevice"], isFailed: boolean): number[] =>
    devices.flatMap((device) =>
      (device.failure !== undefined) === isFailed && device.endedMs !== undefined ? [device.endedMs] : [],
    );
  const series: PlotSeries[] = [
    { label: "Completed", colour: "--done", isFilled: true, values: countUpTo(endTimes(report.perDevice, false), x) },
  ];
  if (groups.length > 1) {
    for (const { name, colour, devices } of groups) {
      series.push({ label: name, colour, values: countUpTo(endTimes(devices, false), x) });
    }
  }
  if (report.failed > 0) {
    series.push({ label: "Failed", colour: "--failed", values: countUpTo(endTimes(report.perDevice, true), x) });
  }
  return linePlot("completion", "devices", "count", x, series);
}

/** Megabytes (or kilobytes) a second that devices kept, and that were sent to them where that is visibly more. */
export function plotThroughput(report: FleetReport): Plot {
  const moments = thinOut(report);
  const rates = (field: "bytes" | "sentBytes"): number[] =>
    moments.map((moment, index) => {
      const before = moments[index - 1];
      const elapsedMs = before === undefined ? 0 : moment.atMs - before.atMs;
      return before === undefined || elapsedMs <= 0 ? 0 : ((moment[field] - before[field]) / elapsedMs) * 1000;
    });
  const kept = rates("bytes");
  const sent = rates("sentBytes");
  const isSmall = Math.max(0, ...kept, ...sent) < 1e6;
  const scaled = (values: readonly number[]): number[] =>
    values.map((value) => Number((value / (isSmall ? 1e3 : 1e6)).toPrecision(4)));
  const series: PlotSeries[] = [{ label: "Kept", colour: "--series-1", isFilled: true, values: scaled(kept) }];
  if ((report.redundancy ?? 1) > 1.001) {
    series.push({ label: "Sent", colour: "--series-2", isDashed: true, values: scaled(sent) });
  }
  return linePlot("throughput", isSmall ? "kB/s" : "MB/s", "number", momentTimes(moments), series);
}

/** How many devices were connected and downloading at each moment. */
export function plotActivity(report: FleetReport): Plot {
  const moments = thinOut(report);
  return linePlot("activity", "devices", "count", momentTimes(moments), [
    { label: "Connected", colour: "--series-3", isFilled: true, values: moments.map((moment) => moment.connected) },
    { label: "Downloading", colour: "--series-1", values: moments.map((moment) => moment.downloading) },
  ]);
}

function linePlot(
  id: string,
  yLabel: string,
  yForm: Plot["yForm"],
  x: readonly number[],
  series: readonly PlotSeries[],
): Plot {
  const fixed = { kind: "lines", group: "time", xLabel: "time since the start", xForm: "duration" } as const;
  return { id, ...fixed, yLabel, yForm, x, series, ticks: [], marks: [] };
}

/** How many of `times` are not after each of `x`, both in milliseconds and `x` ascending. */
function countUpTo(times: number[], x: readonly number[]): number[] {
  times.sort((a, b) => a - b);
  let count = 0;
  return x.map((atMs) => {
    while (count < times.length && (times[count] as number) <= atMs + 0.5) count++;
    return count;
  });
}

/** At most {@link POINTS} snapshots at even distances, the last one always, each with a time of its own. */
function thinOut(report: FleetReport): FleetReport["timeline"] {
  const { timeline } = report;
  const stride = Math.max(1, Math.ceil(timeline.length / POINTS));
  const kept = timeline.filter((_, index) => index % stride === 0 || index === timeline.length - 1);
  return kept.filter((moment, index) => index === 0 || moment.atMs > (kept[index - 1]?.atMs ?? 0));
}

function momentTimes(moments: FleetReport["timeline"]): number[] {
  return moments.map((moment) => Math.round(moment.atMs));
}
