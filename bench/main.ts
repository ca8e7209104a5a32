/** `npm run bench`: measures this program beside its references and prints, saves and compares the ratios. */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type GroupName, readBenchFlags } from "./bench-flags.ts";
import { type ControlPlaneFigures, measureControlPlane } from "./groups/control-plane.ts";
import { measureDeviceSide } from "./groups/device-side.ts";
import { measureFleetCommand } from "./groups/fleet-command.ts";
import { measureFleets, measureStreams, SMALL_FILE } from "./groups/fleets.ts";
import { type GrowthLine, measureGrowth } from "./groups/growth.ts";
import { MANY, MANY_FILES, measureOneDevice, ONE_FILE, type Servers } from "./groups/one-device.ts";
import { measureStalled } from "./groups/stalled.ts";
import type { BenchContext, Pace, Results } from "./harness/bench-context.ts";
import { watchMachine } from "./harness/machine.ts";
import { makeSource, startOwnServer } from "./harness/own-server.ts";
import { ProcessGroup } from "./harness/process-group.ts";
import { Receiver } from "./harness/receiver.ts";
import { startAedesServer, startPushServer } from "./references/reference-servers.ts";
import { findMoves } from "./regression.ts";
import { type BenchResult, formatResult, resultsOf } from "./report.ts";
import { formatSoak, soak } from "./soak.ts";

const MEBIBYTE = 1024 * 1024;
const QUICK: Pace = {
  rounds: 5,
  measureMs: 250,
  mostRepeats: 1,
  fleetWindowMs: 400,
  slowFleetRounds: "first",
  fleetBudgetMs: 20_000,
  creates: 100,
};
const FULL: Pace = {
  rounds: 7,
  measureMs: 1_000,
  mostRepeats: 2,
  fleetWindowMs: 3_000,
  slowFleetRounds: "firstAndLast",
  fleetBudgetMs: Number.POSITIVE_INFINITY,
  creates: 1_000,
};
/** With more than this share of the machine's time spent by others, a ratio says little. */
const QUIET_SHARE = 0.1;

const flags = readBenchFlags();
const group = new ProcessGroup();
const directory = await mkdtemp(join(flags.diskDirectory, "otastream-bench-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
const machine = watchMachine(directory);
const startedMs = performance.now();
const secondsSoFar = (): string => ((performance.now() - startedMs) / 1000).toFixed(0);
const report = (line: string): void => console.error(`${secondsSoFar().padStart(4)} s  ${line}`);
const failures: string[] = [];

function fail(name: string, error: unknown): void {
  const message = `${name}: ${error instanceof Error ? error.message : String(error)}`;
  failures.push(message);
  report(`FAILED ${message}`);
}

async function makeContext(): Promise<BenchContext> {
  const source = await makeSource(directory, 2 * MEBIBYTE);
  const { isQuick, lanes } = flags;
  return { group, pace: isQuick ? QUICK : FULL, directory, source, report, fail, ...(lanes && { lanes }) };
}

async function startServers(context: BenchContext): Promise<Servers> {
  const { source } = context;
  const own = await startOwnServer(group, directory);
  await own.publish(ONE_FILE, source);
  await own.publish(MANY, source, MANY_FILES);
  await own.publish(SMALL_FILE, await makeSource(directory, MEBIBYTE / 4));
  return {
    own,
    push: await startPushServer(group, source),
    broker: await startAedesServer(group, "broker", own),
    client: await startAedesServer(group, "client", own),
  };
}

/** Measures every group that is wanted; one that fails is reported, and the others go on. */
async function run(): Promise<BenchResult> {
  const context = await makeContext();
  const servers = await startServers(context);
  const receiver = new Receiver(group);
  const results: Results = {};
  let growth: readonly GrowthLine[] | undefined;
  let controlPlane: ControlPlaneFigures | undefined;
  const measureGroup: Readonly<Record<GroupName, () => Promise<unknown>>> = {
    one: async () => Object.assign(results, await measureOneDevice(context, servers, receiver)),
    fleets: async () => Object.assign(results, await measureFleets(context, servers.own, receiver)),
    streams: async () => Object.assign(results, await measureStreams(context, servers.own, receiver)),
    stalled: async () => Object.assign(results, await measureStalled(context, receiver)),
    device: async () => Object.assign(results, await measureDeviceSide(context)),
    control: async () => {
      controlPlane = await measureControlPlane(context);
    },
    command: async () => Object.assign(results, await measureFleetCommand(context)),
    growth: async () => {
      growth = await measureGrowth(context, servers, receiver);
    },
  };
  for (const name of flags.groups) {
    report(`${name}:`);
    const beforeMs = performance.now();
    const beforeUs = group.cpuMicroseconds();
    await measureGroup[name]().catch((error: unknown) => fail(name, error));
    const seconds = (performance.now() - beforeMs) / 1000;
    const cpuSeconds = (group.cpuMicroseconds() - beforeUs) / 1e6;
    report(`${name} took ${seconds.toFixed(1)} s, and ${cpuSeconds.toFixed(1)} s of processor time`);
  }
  const isMeasured = (lane: string): boolean => lane in results || growth?.some(({ label }) => label === lane) === true;
  for (const lane of flags.lanes ?? [])
    if (!isMeasured(lane)) fail(lane, "was not measured: is it a lane of these groups?");
  return {
    machine: machine(group.cpuMicroseconds()),
    ...resultsOf(results),
    ...(growth && { growth }),
    ...(controlPlane && { controlPlane }),
    ...(failures.length > 0 && { failures }),
  };
}

async function save(content: unknown): Promise<void> {
  await mkdir(dirname(flags.resultPath), { recursive: true });
  await writeFile(flags.resultPath, `${JSON.stringify(content, undefined, 2)}\n`);
}

/** Of a share of the processor time that was not there to be measured. */
function warnOf(who: string, share: number): void {
  if (share <= QUIET_SHARE) return;
  console.log(`${who} ${(share * 100).toFixed(0)} % of the processor time: ratios move by themselves`);
}

async function check(baselinePath: string, now: BenchResult): Promise<void> {
  const saved = JSON.parse(await readFile(baselinePath, "utf8")) as BenchResult;
  const { worse, better, missing } = findMoves(saved, now);
  warnOf("other programs had", Math.max(saved.machine.otherShare, now.machine.otherShare));
  warnOf("the machine's host took", Math.max(saved.machine.stolenShare ?? 0, now.machine.stolenShare));
  for (const line of better) console.log(`better: ${line}`);
  for (const line of worse) console.log(`worse: ${line}`);
  if (missing.length > 0) console.log(`not measured: ${missing.join("; ")}`);
  if (better.length + worse.length === 0) console.log("no ratio moved by more than 15 %");
  if (worse.length > 0) process.exitCode = 1;
}

try {
  if (flags.soakMinutes !== undefined) {
    const samples = await soak(await makeContext(), flags.soakMinutes);
    console.log(formatSoak(samples));
    await save({ machine: machine(group.cpuMicroseconds()), samples });
  } else {
    const result = await run();
    console.log(formatResult(result));
    await save(result);
    if (flags.baselinePath !== undefined) await check(flags.baselinePath, result);
  }
  if (failures.length > 0) process.exitCode = 1;
  console.log(`\nsaved as ${flags.resultPath} after ${secondsSoFar()} s`);
} finally {
  await group.close();
}
