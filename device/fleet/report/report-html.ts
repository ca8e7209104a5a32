/** The report as one page that needs nothing but itself: no network, no fonts, no files beside it. */
import { createHash } from "node:crypto";
import type { FleetReport } from "../fleet-report.ts";
import { type GroupField, groupDevices } from "./device-groups.ts";
import { formatCount } from "./display-forms.ts";
import { plotRedundancy, plotTimes } from "./distribution-plots.ts";
import { renderHeatMap } from "./heat-map.ts";
import { Html, html, scriptJson } from "./html.ts";
import { renderKeyFigures } from "./key-figures.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import type { Plot } from "./plot-data.ts";
import {
  describeActivity,
  describeCompletion,
  describeRedundancy,
  describeThroughput,
  describeTimes,
} from "./plot-summaries.ts";
import { renderFailures, renderFaults, renderGroups, renderRun } from "./report-tables.ts";
import { plotActivity, plotCompletion, plotThroughput } from "./time-plots.ts";
import { plotAssets } from "./uplot.ts";

/** How many limits are shown; the report in JSON has them all. */
const MOST_LIMITS = 20;

/** What devices are told apart by, and how that is called. */
const GROUPINGS: readonly (readonly [GroupField, string])[] = [
  ["link", "Link"],
  ["client", "Client"],
  ["deviceProfile", "Kind of device"],
];

/**
 * Renders the report as a page of its own, below 1 MB whatever the number of devices. Its content security policy allows
 * its own script and style only, by their hashes. Reads the plot library's files when it is first called.
 */
export function renderReportHtml(report: FleetReport): string {
  const assets = plotAssets();
  const style = `${assets.style}${pageStyle()}`;
  const scripts = [assets.script, pageScript()];
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.map(hashSource).join(" ")}`,
    `style-src ${hashSource(style)}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const groups = groupDevices(report.perDevice, "link");
  const plots = [
    plotCompletion(report, groups),
    plotThroughput(report),
    plotActivity(report),
    plotTimes(report, groups),
    plotRedundancy(report, groups),
  ];
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="otastream">
<link rel="icon" href="data:,">
<title>${titleOf(report)} – otastream fleet</title>
<style>${new Html(style)}</style>
</head>
<body>
<main id="report">
${renderHead(report)}
${renderKeyFigures(report)}
${renderBody(report, plots)}
</main>
<script type="application/json" id="plot-data">${scriptJson(plots)}</script>
<script>${new Html(scripts[0] ?? "")}</script>
<script>${new Html(scripts[1] ?? "")}</script>
</body>
</html>
`;
  return page.markup;
}

function titleOf(report: FleetReport): string {
  return `${formatCount(report.completed)} of ${formatCount(report.devices)} devices completed`;
}

function renderHead(report: FleetReport): Html {
  const { devices, failed, interrupted, limits, plan, machine } = report;
  const state = interrupted ? "Interrupted" : failed > 0 ? `${formatCount(failed)} failed` : "All completed";
  const about = [
    `Stream ${plan.streamId}`,
    `seed ${report.seed}`,
    machine ? machine.startedAt.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC") : "virtual clock",
  ].join(" · ");
  const notices = limits.slice(0, MOST_LIMITS).map((limit) => html`<li>${limit}</li>`);
  const more = limits.length - notices.length;
  const rest = more > 0 ? html`<li>and ${more} more</li>` : html``;
  return html`<header>
<h1>Fleet of ${formatCount(devices)} ${devices === 1 ? "device" : "devices"}</h1>
<span class="state ${interrupted || failed > 0 ? "bad" : "good"}">${state}</span>
<p>${about}</p>
</header>
${limits.length > 0 ? html`<ul class="limits" aria-label="Limits of this run">${notices}${rest}</ul>` : html``}`;
}

function renderBody(report: FleetReport, plots: readonly Plot[]): Html {
  const [completion, throughput, activity, times, redundancy] = plots as [Plot, Plot, Plot, Plot, Plot];
  const groupings = GROUPINGS.map(([field, name]) => ({ name, groups: groupDevices(report.perDevice, field) }))
    .filter(({ groups }) => groups.length > 1)
    .map(
      ({ name, groups }) =>
        html`<section class="card wide scroll"><h2>By ${name.toLowerCase()}</h2>${renderGroups(name, groups)}</section>`,
    );
  const faults = renderFaults(report);
  return html`<div class="grid">
${renderPlot("Completion", completion, describeCompletion(report), true)}
${renderPlot("Throughput", throughput, describeThroughput(throughput))}
${renderPlot("Devices at work", activity, describeActivity(activity))}
${renderPlot("Time per device", times, describeTimes(report))}
${renderPlot("Redundancy per device", redundancy, describeRedundancy(report))}
${groupings}
<section class="card wide"><h2>Slowest devices</h2>${renderHeatMap(report)}</section>
<section class="card wide"><h2>Failures</h2><div class="scroll">${renderFailures(report)}</div></section>
${faults.markup === "" ? html`` : html`<section class="card wide"><h2>Faults</h2>${faults}</section>`}
<section class="card wide"><h2>This run</h2>
<p class="summary">The command that repeats it:</p>
<div class="command"><pre><code id="command">${report.command}</code></pre><button type="button" id="copy">Copy</button></div>
${renderRun(report)}</section>
</div>
<footer>otastream fleet report, schema version ${report.schemaVersion}</footer>`;
}

function renderPlot(title: string, plot: Plot, summary: string, isWide = false): Html {
  const isEmpty = plot.x.length === 0;
  return html`<figure class="card${isWide ? " wide" : ""}">
<figcaption><h2>${title}</h2><p class="summary" id="about-${plot.id}">${summary}</p></figcaption>
${isEmpty ? html`` : html`<div class="plot" id="plot-${plot.id}" role="img" aria-label="${title}" aria-describedby="about-${plot.id}"></div>`}
</figure>`;
}

function hashSource(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
