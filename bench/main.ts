/** `npm run bench`: measures this program beside its references and prints, saves and compares the ratios. */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
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
const inResults = (name: string): string => fileURLToPath(new URL(`./results/${name}.json`, import.meta.url));

/** The stalled devices come before the fleets, whose closed connections lengthen the kernel's tables for a minute. */
const GROUPS = ["one", "stalled", "fleets", "streams", "device", "control", "command", "growth"] as const;
type GroupName = (typeof GROUPS)[number];
/** What a quick run leaves out. */
const LONG_GROUPS: readonly GroupName[] = ["command", "growth"];
const SOAK_MINUTES = 10;
/** With more than this share of the machine's time spent by others, a ratio says little. */
const QUIET_SHARE = 0.1;

const { values } = parseArgs({
  options: {
    /** In about two minutes. */
    quick: { type: "boolean", default: false },
    /** Where the results are saved. */
    json: { type: "string", default: inResults("latest") },
    /** Compare the ratios with the saved ones; status 1 when one moved by more than 15 % for the worse. */
    check: { type: "boolean", default: false },
    baseline: { type: "string", default: inResults("baseline") },
    /** Nothing but a fleet that downloads again and again for ten minutes, or for so many. */
    soak: { type: "boolean", default: false },
    minutes: { type: "string", default: String(SOAK_MINUTES) },
    /** Only these groups, with commas between. */
    only: { type: "string" },
    /** Only these lanes, as the second table names them, with semicolons between. */
    lanes: { type: "string" },
    /** Where the agent writes. */
    "disk-directory": { type: "string", default: tmpdir() },
  },
});

const group = new ProcessGroup();
const directory = await mkdtemp(join(values["disk-directory"], "otastream-bench-"));
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
  const lanes = values.lanes === undefined ? undefined : new Set(values.lanes.split(";"));
  return { group, pace: values.quick ? QUICK : FULL, directory, source, report, fail, ...(lanes && { lanes }) };
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
  for (const name of GROUPS.filter(isWanted)) {
    report(`${name}:`);
    const beforeMs = performance.now();
    const beforeUs = group.cpuMicroseconds();
    await measureGroup[name]().catch((error: unknown) => fail(name, error));
    const seconds = (performance.now() - beforeMs) / 1000;
    const cpuSeconds = (group.cpuMicroseconds() - beforeUs) / 1e6;
    report(`${name} took ${seconds.toFixed(1)} s, and ${cpuSeconds.toFixed(1)} s of processor time`);
  }
  return {
    machine: machine(group.cpuMicroseconds()),
    ...resultsOf(results),
    ...(growth && { growth }),
    ...(controlPlane && { controlPlane }),
    ...(failures.length > 0 && { failures }),
  };
}

function isWanted(name: GroupName): boolean {
  if (values.only !== undefined) return values.only.split(",").includes(name);
  return !values.quick || !LONG_GROUPS.includes(name);
}

async function save(content: unknown): Promise<void> {
  await mkdir(dirname(values.json), { recursive: true });
  await writeFile(values.json, `${JSON.stringify(content, undefined, 2)}\n`);
}

/** Of a share of the processor time that was not there to be measured. */
function warnOf(who: string, share: number): void {
  if (share <= QUIET_SHARE) return;
  console.log(`${who} ${(share * 100).toFixed(0)} % of the processor time: ratios move by themselves`);
}

async function check(now: BenchResult): Promise<void> {
  const saved = JSON.parse(await readFile(values.baseline, "utf8")) as BenchResult;
  const { worse, better, missing } = findMoves(saved, now);
  warnOf("other programs had", Math.max(saved.machine.otherShare, now.machine.otherShare));
  warnOf("the machine's host took", Math.max(saved.machine.stolenShare, now.machine.stolenShare));
  for (const line of better) console.log(`better: ${line}`);
  for (const line of worse) console.log(`worse: ${line}`);
  if (missing.length > 0) console.log(`not measured: ${missing.join("; ")}`);
  if (better.length + worse.length === 0) console.log("no ratio moved by more than 15 %");
  if (worse.length > 0) process.exitCode = 1;
}

try {
  if (values.soak) {
    const samples = await soak(await makeContext(), Number(values.minutes));
    console.log(formatSoak(samples));
    await save({ machine: machine(group.cpuMicroseconds()), samples });
  } else {
    const result = await run();
    console.log(formatResult(result));
    await save(result);
    if (values.check) await check(result);
  }
  if (failures.length > 0) process.exitCode = 1;
  console.log(`\nsaved as ${values.json} after ${secondsSoFar()} s`);
} finally {
  await group.close();
}
