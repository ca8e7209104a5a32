/** `otastream fleet`: many simulated devices fetch one stream, are watched, and end in a report. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import { buildReport, type FleetReport } from "../../device/fleet/fleet-report.ts";
import { systemClock } from "../../shared/clock.ts";
import { interruption, openLog, tell } from "../terminal.ts";
import { planAddresses, readMachineLimits } from "./capacity.ts";
import { checkFlags, type FleetFlags } from "./fleet-flags.ts";
import { type FleetImage, makeImage } from "./fleet-image.ts";
import { judge } from "./fleet-verdict.ts";
import { openFleetView } from "./fleet-view.ts";
import { runGenerators } from "./generators.ts";
import { type OwnServer, startOwnServer } from "./own-server.ts";
import { prepareReports, type ReportFiles } from "./report-files.ts";
import { describeRun } from "./run-facts.ts";
import { runVirtualFleet } from "./virtual-run.ts";

const OWN_STREAM_ID = "fleet";
/** Files that an agent keeps open for one image: the image, its journal, its lock. */
const FILES_PER_DISK_DEVICE = 3;

/** What a run came back with. */
interface Run {
  readonly outcomes: readonly FleetOutcome[];
  readonly server?: NonNullable<FleetReport["server"]>;
}

/** Runs a fleet to its end, or to the first signal, and reports; the exit status says whether all went well. */
export async function runFleetCommand(flags: FleetFlags): Promise<void> {
  checkFlags(flags);
  const signal = interruption();
  const reports = await prepareReports(flags);
  const directory = await mkdtemp(join(tmpdir(), "otastream-fleet-"));
  try {
    await runAndReport(flags, directory, reports, signal);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runAndReport(
  flags: FleetFlags,
  directory: string,
  reports: ReportFiles,
  signal: AbortSignal,
): Promise<void> {
  const image = flags.broker === undefined ? await makeImage(flags, directory) : undefined;
  const plan = await makePlan(flags, directory);
  const startedAtMs = systemClock.epochMs();
  const run = flags.virtual
    ? { outcomes: [await runVirtual(flags, plan, image as FleetImage, signal)] }
    : await runOnSockets(flags, plan, image, directory, signal);
  const facts = describeRun({ flags, startedAtMs, interrupted: signal.aborted, server: (run as Run).server });
  const report = buildReport(plan, run.outcomes, facts);
  await reports.write(report);
  judge(report, flags);
}

async function makePlan(flags: FleetFlags, directory: string): Promise<FleetPlan> {
  const { broker, devices, ramp, seed, link, device, client, faults, connection, store, virtual } = flags;
  const brokerHost = broker === undefined ? "127.0.0.1" : new URL(broker).hostname;
  const filesPerDevice = store === "disk" ? FILES_PER_DISK_DEVICE : 0;
  const demand = {
    devices,
    processes: flags.processes,
    brokerHost,
    hasOwnServer: broker === undefined,
    filesPerDevice,
  };
  return {
    brokerUrl: broker ?? "",
    streamId: flags.streamId ?? OWN_STREAM_ID,
    devices,
    ...(ramp !== undefined && { rampDevicesPerSecond: ramp }),
    seed,
    links: link,
    deviceProfiles: device,
    clients: client,
    faults,
    connection,
    store,
    ...(store === "disk" && { diskDirectory: flags.out ?? join(directory, "devices") }),
    blockSizeBytes: flags.blockSize,
    format: flags.format,
    sourceAddresses: virtual ? [] : planAddresses(demand, await readMachineLimits()),
    // Two runs on one broker must not take each other's connections; on a virtual clock the report must be the same.
    thingPrefix: virtual ? "device" : `fleet-${randomBytes(3).toString("hex")}`,
  };
}

async function runOnSockets(
  flags: FleetFlags,
  plan: FleetPlan,
  image: FleetImage | undefined,
  directory: string,
  signal: AbortSignal,
): Promise<Run> {
  if (image === undefined) return { outcomes: await generate(flags, plan, undefined, signal) };
  const { path, sizeBytes: maxFileBytes } = image;
  const server = await startOwnServer({
    directory,
    streamId: plan.streamId,
    path,
    firstStreamVersion: firstStreamVersion(flags),
    maxFileBytes,
  });
  try {
    const before = await server.figures();
    const outcomes = await generate(flags, { ...plan, brokerUrl: server.brokerUrl }, image, signal);
    const used = await usedBy(server, before);
    return { outcomes, ...(used !== undefined && { server: used }) };
  } finally {
    await server.close();
  }
}

async function usedBy(
  server: OwnServer,
  before: Awaited<ReturnType<OwnServer["figures"]>>,
): Promise<Run["server"] | undefined> {
  const after = await server.figures();
  if (before === undefined || after === undefined) return undefined;
  return { cpuMs: after.cpuMs - before.cpuMs, idleBytes: before.residentBytes, peakBytes: after.peakBytes };
}

async function generate(
  flags: FleetFlags,
  plan: FleetPlan,
  image: FleetImage | undefined,
  signal: AbortSignal,
): Promise<FleetOutcome[]> {
  const { processes, logLevel } = flags;
  const view = openView(flags, image);
  try {
    return await runGenerators({ plan, processes, view, logLevel, signal });
  } finally {
    view.stop();
  }
}

async function runVirtual(
  flags: FleetFlags,
  plan: FleetPlan,
  image: FleetImage,
  signal: AbortSignal,
): Promise<FleetOutcome> {
  const view = openView(flags, image);
  let durationsMs: number[] = [];
  try {
    return await runVirtualFleet({
      plan,
      fileBytes: image.bytes,
      firstStreamVersion: firstStreamVersion(flags),
      log: openLog(flags.logLevel),
      signal,
      onCompleted: (durationMs) => durationsMs.push(durationMs),
      onSnapshot: (snapshot) => {
        view.show(0, snapshot, durationsMs);
        durationsMs = [];
      },
    });
  } finally {
    view.stop();
  }
}

function openView({ devices, json }: FleetFlags, image: FleetImage | undefined): ReturnType<typeof openFleetView> {
  if (json) return { show: () => {}, stop: () => {} };
  tell(
    `${devices} devices${image === undefined ? "" : `, ${image.sizeBytes} bytes each`}; Ctrl-C ends the run with its report`,
  );
  const bytesPerDevice = image?.sizeBytes;
  return openFleetView({ devices, bytesPerDevice, clock: systemClock }, process.stderr.isTTY === true);
}

/** Stock clients take version 0 for "none given": streams that they fetch begin at 1. */
function firstStreamVersion({ client }: FleetFlags): 0 | 1 {
  return client.some(({ name }) => name !== "otastream") ? 1 : 0;
}
