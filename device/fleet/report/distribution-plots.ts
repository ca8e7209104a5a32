/** The plots of how devices are spread: time per device, and redundancy. No IO. */
import type { DeviceOutcome } from "../fleet-outcome.ts";
import type { FleetReport } from "../fleet-report.ts";
import type { DeviceGroup } from "./device-groups.ts";
import { formatDuration, formatNumber } from "./display-forms.ts";
import { binPosition, countInBins, niceStep } from "./histogram.ts";
import { completionTimes } from "./merge-devices.ts";
import { nearestRank } from "./nearest-rank.ts";
import type { Plot, PlotMark } from "./plot-data.ts";

/** Labels below bars, at most. */
const LABELS = 8;

/** How long the devices that completed took, from each one's own beginning. */
export function plotTimes(report: FleetReport, groups: readonly DeviceGroup[]): Plot {
  const values = groups.map((group) => completionTimes(group.devices));
  const marks = [50, 99].flatMap((percent) => {
    const ms = percent === 50 ? report.p50Ms : report.p99Ms;
    return ms === null ? [] : [{ value: ms, label: `p${percent} ${formatDuration(ms)}` }];
  });
  const isBrief = (report.p99Ms ?? 0) < 2000;
  const label = (ms: number): string => (isBrief ? `${formatNumber(ms)} ms` : `${formatNumber(ms / 1000)} s`);
  return barPlot("times", "time per device", "duration", groups, values, marks, label);
}

/** Bytes sent to each device over those it kept. */
export function plotRedundancy(report: FleetReport, groups: readonly DeviceGroup[]): Plot {
  const values = groups.map((group) => group.devices.flatMap(redundancyOf));
  const sorted = values.flat().sort((a, b) => a - b);
  const marks = [50, 99].flatMap((percent) => {
    const value = nearestRank(sorted, percent);
    return value === null || report.redundancy === null ? [] : [{ value, label: `p${percent} ${value.toFixed(3)}` }];
  });
  return barPlot("redundancy", "bytes sent / bytes kept", "number", groups, values, marks, (value) => String(value));
}

/** The redundancy of a device, or of several together; none when nothing was kept. */
export function redundancyOf(device: Pick<DeviceOutcome, "bytes" | "sentBytes">): number[] {
  return device.bytes === 0 ? [] : [device.sentBytes / device.bytes];
}

function barPlot(
  id: string,
  xLabel: string,
  xForm: Plot["xForm"],
  groups: readonly DeviceGroup[],
  values: readonly (readonly number[])[],
  marks: readonly { readonly value: number; readonly label: string }[],
  labelOf: (edge: number) => string,
): Plot {
  const { edges, counts } = countInBins(values);
  const placed: PlotMark[] = marks.map(({ value, label }) => ({ at: binPosition(edges, value), label }));
  return {
    id,
    kind: "bars",
    xLabel,
    xForm,
    yLabel: "devices",
    yForm: "count",
    x: edges,
    ticks: labelledEdges(edges).map((at) => ({ at, label: labelOf(edges[at] as number) })),
    marks: placed,
    series: groups.map(({ name, colour }, index) => ({
      label: groups.length > 1 ? name : "Devices",
      colour,
      values: counts[index] ?? [],
    })),
  };
}

/** Which edges to label: 1, 2 and 5 of each decade where bins grow, else multiples of a nice distance. */
function labelledEdges(edges: readonly number[]): number[] {
  const low = edges[0] ?? 0;
  const high = edges.at(-1) ?? 0;
  const places = edges.map((_, at) => at);
  const firstStep = (edges[1] ?? 0) - low;
  const lastStep = high - (edges.at(-2) ?? 0);
  if (lastStep > firstStep * 1.5) {
    return places.filter((at) => /^[125]$/.test(Number(edges[at]).toExponential().split("e")[0] ?? ""));
  }
  if (high === low) return [];
  const distance = niceStep((high - low) / LABELS);
  return places.filter((at) => {
    const multiple = (edges[at] as number) / distance;
    return Math.abs(multiple - Math.round(multiple)) < 1e-6;
  });
}
