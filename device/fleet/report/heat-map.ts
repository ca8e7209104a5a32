/** The slowest devices as a map: a row for each, a column for each part of the image, its colour when that part arrived. No IO. */
import type { HeatRow } from "../fleet-outcome.ts";
import type { FleetReport } from "../fleet-report.ts";
import { formatDuration } from "./display-forms.ts";
import { type Html, html } from "./html.ts";

/** How many colours the style sheet has, `h0` to `h11`. */
const COLOURS = 12;
const CELL = 10;
const ROW = 18;

/** The map as a table, with its scale below; a sentence when there is nothing to show. */
export function renderHeatMap(report: FleetReport): Html {
  if (report.heat.length === 0) return html`<p class="note">No device received anything.</p>`;
  const lastMs = Math.max(1, ...report.heat.flatMap((row) => row.cellsMs.map((ms) => ms ?? 0)));
  const devices = new Map(report.perDevice.map((device) => [device.thing, device]));
  const isMixed = new Set(report.perDevice.map((device) => device.link)).size > 1;
  const linkCell = (link: string): Html => (isMixed ? html`<td class="link">${link}</td>` : html``);
  const rows = report.heat.map((row) => {
    const device = devices.get(row.thing);
    const endedMs = device?.endedMs;
    const took = device && endedMs !== undefined ? formatDuration(endedMs - device.startedMs) : "–";
    const state = device?.failure === undefined ? html`${took}` : html`<span class="bad">${device.failure.code}</span>`;
    return html`<tr>
<th scope="row"><span class="name">${row.thing}</span></th>
${linkCell(device?.link ?? "")}
<td class="cells">${renderCells(row, lastMs)}</td>
<td class="number">${state}</td>
</tr>`;
  });
  const steps = Array.from({ length: COLOURS }, (_, step) => html`<span class="h${step}"></span>`);
  return html`<table class="heat">
<caption>When each part of the image arrived, for the ${report.heat.length} slowest devices. Left is the beginning of the image.</caption>
<thead><tr><th scope="col">Device</th>${isMixed ? html`<th scope="col" class="link">Link</th>` : html``}<th scope="col">Parts of the image</th><th scope="col" class="number">Took</th></tr></thead>
<tbody>${rows}</tbody>
</table>
<p class="scale" aria-hidden="true">at once <span class="ramp">${steps}</span> after ${formatDuration(lastMs)} <span class="gap"></span> never</p>`;
}

function renderCells({ thing, cellsMs }: HeatRow, lastMs: number): Html {
  const cells = cellsMs.map((ms, column) => {
    const colour = ms === null ? "none" : `h${Math.min(COLOURS - 1, Math.floor((ms / lastMs) * COLOURS))}`;
    return html`<rect class="${colour}" x="${column * CELL}" width="${CELL - 1}" height="${ROW}"/>`;
  });
  const arrived = cellsMs.filter((ms) => ms !== null);
  const missing = cellsMs.length - arrived.length;
  const spread =
    arrived.length === 0
      ? "nothing arrived"
      : `from ${formatDuration(Math.min(...arrived))} to ${formatDuration(Math.max(...arrived))}`;
  const label = `${thing}: ${spread}${missing > 0 && arrived.length > 0 ? `, ${missing} of ${cellsMs.length} parts never` : ""}`;
  return html`<svg role="img" aria-label="${label}" viewBox="0 0 ${cellsMs.length * CELL} ${ROW}" preserveAspectRatio="none">${cells}</svg>`;
}
