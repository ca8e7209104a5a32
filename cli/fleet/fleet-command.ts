/** `otastream fleet`: many simulated devices fetch one stream, are watched, and end in a report. */
import { rmSync } from "node:fs";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import { buildReport } from "../../device/fleet/fleet-report.ts";
import { systemClock } from "../../shared/clock.ts";
import { makeTemporaryDirectory } from "../temporary-directory.ts";
import { interruption, openLog } from "../terminal.ts";
import { checkFlags, type FleetFlags } from "./fleet-flags.ts";
import { firstStreamVersion, makeImage } from "./fleet-image.ts";
import { judge } from "./fleet-verdict.ts";
import { openFleetView } from "./fleet-view.ts";
import { makePlan } from "./make-plan.ts";
import { prepareOut, prepareReports } from "./report-files.ts";
import { describeRun } from "./run-facts.ts";
import { type FleetRun, runAgainstBroker, runWithOwnServer } from "./socket-run.ts";
import { runVirtualFleet } from "./virtual-run.ts";

/** Runs a fleet to its end, or to the first signal, and reports; the exit status says whether all went well. */
export async function runFleetCommand(flags: FleetFlags): Promise<void> {
  checkFlags(flags);
  const signal = interruption();
  const reports = await prepareReports(flags);
  await prepareOut(flags);
  const directory = await makeTemporaryDirectory("fleet");
  // A second signal ends the process at once.
  const remove = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  process.once("exit", remove);
  try {
    const plan = await makePlan(flags, directory);
    const startedAtMs = systemClock.epochMs();
    const run = await runPlan(flags, plan, directory, signal);
    const facts = describeRun({ ...run, flags, startedAtMs, interrupted: signal.aborted });
    const report = buildReport(plan, run.outcomes, facts);
    await reports.write(report);
    judge(report, flags);
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

async function runPlan(flags: FleetFlags, plan: FleetPlan, directory: string, signal: AbortSignal): Promise<FleetRun> {
  const options = { flags, plan, directory, signal };
  if (flags.broker !== undefined) return await runAgainstBroker(options);
  const image = await makeImage(flags, directory);
  return flags.virtual ? await runVirtual(flags, plan, image.bytes, signal) : await runWithOwnServer(options, image);
}

async function runVirtual(
  flags: FleetFlags,
  plan: FleetPlan,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<FleetRun> {
  const view = openFleetView(flags, bytes.length);
  let durationsMs: number[] = [];
  try {
    const outcome = await runVirtualFleet({
      plan,
      files: [bytes],
      streamVersion: firstStreamVersion(flags),
      log: openLog(flags.logLevel),
      signal,
      onCompleted: (durationMs) => durationsMs.push(durationMs),
      onSnapshot: (snapshot) => {
        view.show(0, snapshot, durationsMs);
        durationsMs = [];
      },
    });
    return { outcomes: [outcome], incidents: [] };
  } finally {
    view.stop();
  }
}
