/** The tables of the page: failures, groups of devices, simulated faults, and how the run was made. No IO. */
import type { FleetReport } from "../fleet-report.ts";
import type { DeviceGroup } from "./device-groups.ts";
import { formatBytes, formatCount, formatDuration, formatNumber, formatShare } from "./display-forms.ts";
import { redundancyOf } from "./distribution-plots.ts";
import { type Html, html } from "./html.ts";
import { completionTimes } from "./merge-devices.ts";
import { nearestRank } from "./nearest-rank.ts";

/** Characters of a message that are shown. */
const LONGEST_MESSAGE = 600;

/** Failures by cause, with the names of devices. */
export function renderFailures(report: FleetReport): Html {
  if (report.failures.length === 0) return html`<p class="note">No device failed.</p>`;
  const rows = report.failures.map(({ code, count, message, things }) => {
    const names = things.map((thing) => html`<li><code>${thing}</code></li>`);
    const more =
      count > things.length ? html`<li class="more">and ${formatCount(count - things.length)} more</li>` : html``;
    return html`<tr>
<th scope="row"><code>${code}</code></th>
<td class="number">${formatCount(count)}</td>
<td><p class="message">${message.slice(0, LONGEST_MESSAGE)}</p><ul class="names">${names}${more}</ul></td>
</tr>`;
  });
  return html`<table class="failures">
<caption>Failures by cause: how many devices, the first one's message, and their names.</caption>
<thead><tr><th scope="col">Cause</th><th scope="col" class="number">Devices</th><th scope="col">Message and names</th></tr></thead>
<tbody>${rows}</tbody>
</table>`;
}

/** What became of each group of devices. */
export function renderGroups(kind: string, groups: readonly DeviceGroup[]): Html {
  const rows = groups.map(({ name, colour, devices }) => {
    const times = completionTimes(devices);
    const time = (percent: number): string => {
      const ms = nearestRank(times, percent);
      return ms === null ? "–" : formatDuration(ms);
    };
    const total = (field: "bytes" | "sentBytes" | "requests" | "duplicates" | "timeouts"): number =>
      devices.reduce((sum, device) => sum + device[field], 0);
    const [redundancy] = redundancyOf({ bytes: total("bytes"), sentBytes: total("sentBytes") });
    const completed = devices.filter((device) => device.failure === undefined).length;
    const cells = [
      `${formatCount(completed)} of ${formatCount(devices.length)}`,
      time(50),
      time(99),
      redundancy === undefined ? "–" : redundancy.toFixed(3),
      formatNumber(total("requests") / devices.length),
      formatNumber(total("timeouts") / devices.length),
    ];
    return html`<tr><th scope="row"><span class="key ${colour.slice(2)}"></span>${name}</th>${cells.map(
      (cell) => html`<td class="number">${cell}</td>`,
    )}</tr>`;
  });
  const heads = ["Completed", "p50", "p99", "Redundancy", "Requests each", "Timeouts each"];
  return html`<table class="groups">
<caption>What became of the devices of each group. Times are of those that completed.</caption>
<thead><tr><th scope="col">${kind}</th>${heads.map((head) => html`<th scope="col" class="number">${head}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table>`;
}

/** How often each simulated fault struck; nothing when none was simulated. */
export function renderFaults(report: FleetReport): Html {
  const faults = Object.entries(report.faults);
  if (faults.length === 0) return html``;
  const rows = faults.map(
    ([name, count]) => html`<tr><th scope="row">${name}</th><td class="number">${formatCount(count)}</td></tr>`,
  );
  return html`<table>
<caption>Simulated faults, and how often each struck.</caption>
<thead><tr><th scope="col">Fault</th><th scope="col" class="number">Times</th></tr></thead>
<tbody>${rows}</tbody>
</table>`;
}

/** The plan, the versions, the machine and the processes. */
export function renderRun(report: FleetReport): Html {
  const rows = [...planRows(report), ...machineRows(report)].map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  );
  return html`<dl class="run">${rows}</dl>`;
}

type Row = readonly [name: string, value: string];

function planRows({ plan, seed, requests, duplicates, timeouts }: FleetReport): Row[] {
  const mix = (parts: FleetReport["plan"]["links"]): string => {
    const total = parts.reduce((sum, part) => sum + part.share, 0);
    return parts.map((part) => `${part.name} ${formatShare(part.share / total)}`).join(", ");
  };
  const faults = Object.entries(plan.faults).map(([name, value]) => `${name} ${value}`);
  const rows: (Row | undefined)[] = [
    ["Stream", plan.streamId],
    ["Seed", String(seed)],
    ["Blocks", `${formatBytes(plan.blockSizeBytes)}, ${plan.format}`],
    ["Ramp", plan.rampDevicesPerSecond ? `${formatCount(plan.rampDevicesPerSecond)} devices a second` : "all at once"],
    ["Connection, store", `${plan.connection}, ${plan.store}`],
    ["Links", plan.links.length > 0 ? mix(plan.links) : "none simulated"],
    plan.deviceProfiles.length > 0 ? ["Kinds of device", mix(plan.deviceProfiles)] : undefined,
    plan.clients.length > 0 ? ["Clients", mix(plan.clients)] : undefined,
    faults.length > 0 ? ["Faults asked for", faults.join(", ")] : undefined,
    ["Requests, duplicates, timeouts", [requests, duplicates, timeouts].map(formatCount).join(", ")],
  ];
  return rows.filter((row) => row !== undefined);
}

function machineRows({ machine, server, devices, seconds, versions, ...report }: FleetReport): Row[] {
  const shares = report.generatorCpuShares.map(formatShare).join(", ");
  const bySize = report.perDevice.reduce((sum, device) => sum + device.filesWithoutDigest, 0);
  const perBlock = report.generatorMicrosecondsPerBlock;
  const serverShare = server && seconds > 0 ? formatShare(server.cpuMs / 1000 / seconds) : "–";
  const rows: (Row | undefined)[] = [
    shares === "" ? ["Clock", "virtual"] : ["Generator", `${shares} of a core`],
    perBlock === null ? undefined : ["Generator per block", `${formatNumber(perBlock)} µs of processor time`],
    server
      ? ["Server", `${serverShare} of a core, ${formatBytes((server.peakBytes - server.idleBytes) / devices)} a device`]
      : undefined,
    machine ? ["Machine", `${machine.cpus}, ${formatNumber(machine.memoryGibibytes)} GiB`] : undefined,
    machine ? ["System", machine.system] : undefined,
    bySize > 0 ? ["Files verified by size only", formatCount(bySize)] : undefined,
    [
      "Versions",
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", "),
    ],
  ];
  return rows.filter((row) => row !== undefined);
}
