/** What a fleet's report comes to for whoever started it: a few lines, and the exit status. */
import type { FleetReport } from "../../device/fleet/fleet-report.ts";
import { checkAssertion } from "../../device/fleet/report-assertions.ts";
import { print, tell } from "../terminal.ts";
import type { FleetFlags } from "./fleet-flags.ts";

/** Prints the report in short and sets the exit status: 130 interrupted, 1 when devices failed or an assertion did not hold. */
export function judge(report: FleetReport, { allowFailures, assert, json }: FleetFlags): void {
  const { perDevice: _perDevice, timeline: _timeline, heat: _heat, ...summary } = report;
  if (json) print(JSON.stringify(summary));
  else for (const line of formatSummary(report)) print(line);
  if (report.interrupted) {
    process.exitCode = 130;
    return;
  }
  const broken = assert.map((assertion) => checkAssertion(assertion, report)).filter((result) => !result.holds);
  for (const { message } of broken) tell(`otastream: ${message}`);
  const tooMany = report.failed > allowFailures;
  if (tooMany)
    tell(
      `otastream: ${report.failed} of ${report.devices} devices did not complete, --allow-failures is ${allowFailures}`,
    );
  if (tooMany || broken.length > 0) process.exitCode = 1;
}

/** The report in a few lines. */
function formatSummary(report: FleetReport): string[] {
  const { devices, completed, failed, seconds, megabytesPerSecond, redundancy, p50Ms, p99Ms, failures, limits } =
    report;
  const ms = (value: number | null): string => (value === null ? "-" : `${Math.round(value)} ms`);
  const unfinished = failures.find(({ code }) => code === "Unfinished")?.count ?? 0;
  const since = report.plan.together ? " since all began together" : "";
  return [
    `devices      ${completed} of ${devices} completed and verified, ${failed - unfinished} failed${unfinished > 0 ? `, ${unfinished} unfinished` : ""}`,
    `time         ${seconds.toFixed(1)} s${since}, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}`,
    `delivery     ${seconds === 0 ? "-" : megabytesPerSecond.toFixed(1)} MB/s, redundancy ${redundancy === null ? "-" : redundancy.toFixed(4)}, ${report.requests} requests, ${report.duplicates} duplicates`,
    ...(report.peakBytesPerDevice === null ? [] : [formatCost(report)]),
    ...failures
      .filter(({ code }) => code !== "Unfinished" || !report.interrupted)
      .map(
        ({ code, count, message, things }) =>
          `${(code === "Unfinished" ? "unfinished" : "failed").padEnd(13)}${count} x ${code}: ${message} (${things.slice(0, 3).join(", ")}${count > 3 ? ", ..." : ""})`,
      ),
    ...limits.map((limit) => `limit        ${limit}`),
    `repeat       ${report.command}`,
  ];
}

function formatCost(report: FleetReport): string {
  const { devices, peakBytesPerDevice, generatorCpuShares, generatorMicrosecondsPerBlock, server } = report;
  const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB a device`;
  const shares = generatorCpuShares.map((share) => `${Math.round(share * 100)} %`).join(", ");
  const perBlock =
    generatorMicrosecondsPerBlock === null ? "" : `, ${generatorMicrosecondsPerBlock.toFixed(2)} us a block`;
  const ofServer = server === undefined ? "" : `; server ${kibibytes((server.peakBytes - server.idleBytes) / devices)}`;
  return `cost         generator ${kibibytes(peakBytesPerDevice ?? 0)}, ${shares} of a core${perBlock}${ofServer}`;
}
