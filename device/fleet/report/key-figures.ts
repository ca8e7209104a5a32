/** The figures at the top of the page. No IO. */
import type { FleetReport } from "../fleet-report.ts";
import { formatBytes, formatCount, formatDuration, formatNumber, formatShare } from "./display-forms.ts";
import { type Html, html } from "./html.ts";

/** One figure: the report's field it shows, so that a test can find it, its name, its value, and a word on it. */
interface KeyFigure {
  readonly field: keyof FleetReport;
  readonly name: string;
  readonly value: string;
  readonly note: string;
  readonly isBad?: boolean;
}

/** The figures as a list of definitions. */
export function renderKeyFigures(report: FleetReport): Html {
  const items = keyFigures(report).map(
    ({ field, name, value, note, isBad }) => html`<div class="figure${isBad ? " bad" : ""}">
<dt>${name}</dt>
<dd class="value" data-field="${field}">${splitUnit(value)}</dd>
<dd class="note">${note}</dd>
</div>`,
  );
  return html`<dl class="figures">${items}</dl>`;
}

function keyFigures(report: FleetReport): KeyFigure[] {
  const { devices, completed, failed, redundancy, seconds, p50Ms, p99Ms, peakBytesPerDevice } = report;
  const ratio = p50Ms !== null && p99Ms !== null && p50Ms > 0 ? `${formatNumber(p99Ms / p50Ms)} times the median` : "";
  return [
    {
      field: "completed",
      name: "Completed",
      value: formatCount(completed),
      note: `${formatShare(completed / devices)} of ${formatCount(devices)} devices, verified`,
    },
    {
      field: "failed",
      name: "Failed",
      value: formatCount(failed),
      note: failed === 0 ? "none" : `${formatShare(failed / devices)} of all`,
      isBad: failed > 0,
    },
    { field: "p50Ms", name: "Median time", value: orDash(p50Ms, formatDuration), note: "from a device's own start" },
    { field: "p99Ms", name: "99 % within", value: orDash(p99Ms, formatDuration), note: ratio },
    {
      field: "megabytesPerSecond",
      name: "Throughput",
      value: formatRate(report.megabytesPerSecond),
      note: "verified bytes, whole run",
    },
    {
      field: "redundancy",
      name: "Redundancy",
      value: orDash(redundancy, (value) => value.toFixed(3)),
      note: "bytes sent over bytes kept",
    },
    { field: "seconds", name: "Duration", value: formatDuration(seconds * 1000), note: "first start to last end" },
    {
      field: "peakBytesPerDevice",
      name: "Memory per device",
      value: orDash(peakBytesPerDevice, formatBytes),
      note: peakBytesPerDevice === null ? "not measured" : "generator, at its peak",
    },
  ];
}

/** Megabytes, 1e6 bytes, a second; in kilobytes where they are few. */
function formatRate(megabytesPerSecond: number): string {
  return megabytesPerSecond < 1
    ? `${formatNumber(megabytesPerSecond * 1000)} kB/s`
    : `${formatNumber(megabytesPerSecond)} MB/s`;
}

function orDash(value: number | null, format: (value: number) => string): string {
  return value === null ? "–" : format(value);
}

/** Units smaller than their numbers. */
function splitUnit(value: string): Html {
  const parts = value
    .split(" ")
    .map((part) => (/^[\d,.–]+$/.test(part) ? html`${part}` : html`<small>${part}</small>`));
  return html`${parts.map((part, index) => (index === 0 ? part : html` ${part}`))}`;
}
