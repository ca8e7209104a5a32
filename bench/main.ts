/** `npm run bench`: measures this program beside its references and prints, saves and compares the ratios. */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measureControlPlane } from "./groups/control-plane.ts";
import { measureFleets, measureStreams, SMALL_FILE } from "./groups/fleets.ts";
import { measureGrowth } from "./groups/growth.ts";
import { MANY, MANY_FILES, measureOneDevice, ONE_FILE, type Servers } from "./groups/one-device.ts";
import { measureStalled } from "./groups/stalled.ts";
import { type BenchContext, type Pace, type Receiver, type Results, startReceiver } from "./harness/bench-context.ts";
import { watchMachine } from "./harness/machine.ts";
import { makeSource, startOwnServer } from "./harness/own-server.ts";
import { ProcessGroup } from "./harness/process-group.ts";
import { startAedesServer, startPushServer } from "./references/reference-servers.ts";
import { findMoves } from "./regression.ts";
import { type BenchResult, formatResult, resultsOf } from "./report.ts";
import { formatSoak, soak } from "./soak.ts";

const MEBIBYTE = 1024 * 1024;
const QUICK: Pace = { isQuick: true, rounds: 3, measureMs: 250, fleetWindowMs: 2_000 };
const FULL: Pace = { isQuick: false, rounds: 7, measureMs: 1_000, fleetWindowMs: 10_000 };
const inResults = (name: string): string => fileURLToPath(new URL(`./results/${name}.json`, import.meta.url));

const GROUPS = ["one", "fleets", "streams", "stalled"] as const;
/** What a quick run leaves out. */
const LONG_GROUPS = ["growth", "control"] as const;
const SOAK_MINUTES = 10;
/** With more than this share of the machine's time spent by other programs, a ratio says little. */
const QUIET_SHARE = 0.1;

const { values } = parseArgs({
  options: {
    /** In under two minutes. */
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
const report = (line: string): void => console.error(line);

async function makeContext(): Promise<BenchContext> {
  const source = await makeSource(directory, 2 * MEBIBYTE);
  const lanes = values.lanes === undefined ? undefined : new Set(values.lanes.split(";"));
  return { group, pace: values.quick ? QUICK : FULL, directory, source, report, ...(lanes && { lanes }) };
}

async function run(): Promise<BenchResult> {
  const context = await makeContext();
  const { source } = context;
  const own = await startOwnServer(group, directory);
  await own.publish(ONE_FILE, source);
  await own.publish(MANY, source, MANY_FILES);
  await own.publish(SMALL_FILE, await makeSource(directory, MEBIBYTE / 4));
  const servers: Servers = {
    own,
    push: await startPushServer(group, source),
    broker: await startAedesServer(group, "broker", own),
    client: await startAedesServer(group, "client", own),
  };
  const receiver = startReceiver(group);
  const measureGroup = {
    one: () => measureOneDevice(context, servers, receiver),
    fleets: () => measureFleets(context, own, receiver),
    streams: () => measureStreams(context, own, receiver),
    stalled: () => measureStalled(context, receiver),
  };
  const results: Results = {};
  for (const name of GROUPS.filter(isWanted)) {
    report(`${name}:`);
    Object.assign(results, await measureGroup[name]());
  }
  const more = await measureMore(context, servers, receiver);
  return { machine: machine(group.cpuMicroseconds()), ...resultsOf(results), ...more };
}

function isWanted(name: (typeof GROUPS)[number] | (typeof LONG_GROUPS)[number]): boolean {
  if (values.only !== undefined) return values.only.split(",").includes(name);
  return !values.quick || (name !== "growth" && name !== "control");
}

async function measureMore(context: BenchContext, servers: Servers, receiver: Receiver): Promise<Partial<BenchResult>> {
  const growth = isWanted("growth") ? await measureGrowth(context, servers, receiver) : undefined;
  if (!isWanted("control")) return growth ? { growth } : {};
  const controlPlane = await measureControlPlane(servers.own, await servers.own.objectOf(ONE_FILE));
  return { ...(growth && { growth }), controlPlane };
}

async function save(content: unknown): Promise<void> {
  await mkdir(dirname(values.json), { recursive: true });
  await writeFile(values.json, `${JSON.stringify(content, undefined, 2)}\n`);
}

async function check(now: BenchResult): Promise<void> {
  const saved = JSON.parse(await readFile(values.baseline, "utf8")) as BenchResult;
  const { worse, better, missing } = findMoves(saved, now);
  const busiest = Math.max(saved.machine.otherShare, now.machine.otherShare);
  if (busiest > QUIET_SHARE) {
    console.log(`other programs had ${(busiest * 100).toFixed(0)} % of the processor time: ratios move by themselves`);
  }
  for (const line of better) console.log(`better: ${line}`);
  for (const line of worse) console.log(`worse: ${line}`);
  if (missing.length > 0) console.log(`not measured: ${missing.join("; ")}`);
  if (better.length + worse.length === 0) console.log("no ratio moved by more than 15 %");
  if (worse.length > 0) process.exitCode = 1;
}

try {
  const startedMs = performance.now();
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
  console.log(`\nsaved as ${values.json} after ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
} finally {
  await group.close();
}
