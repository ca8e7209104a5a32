/** `npm run bench`: measures this program beside its references and prints, saves and compares the ratios. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measureFleets, measureStreams, SMALL_FILE } from "./groups/fleets.ts";
import { MANY, MANY_FILES, measureOneDevice, ONE_FILE, type Servers } from "./groups/one-device.ts";
import { measureStalled } from "./groups/stalled.ts";
import { type BenchContext, type Pace, type Results, startReceiver } from "./harness/bench-context.ts";
import { watchMachine } from "./harness/machine.ts";
import { makeSource, startOwnServer } from "./harness/own-server.ts";
import { ProcessGroup } from "./harness/process-group.ts";
import { startAedesServer, startPushServer } from "./references/reference-servers.ts";
import { findMoves } from "./regression.ts";
import { type BenchResult, formatResult, resultsOf } from "./report.ts";

const MEBIBYTE = 1024 * 1024;
const QUICK: Pace = { isQuick: true, rounds: 3, measureMs: 300, fleetWindowMs: 2_000 };
const FULL: Pace = { isQuick: false, rounds: 7, measureMs: 1_000, fleetWindowMs: 10_000 };
const inResults = (name: string): string => fileURLToPath(new URL(`./results/${name}.json`, import.meta.url));

const GROUPS = ["one", "fleets", "streams", "stalled"] as const;

const { values } = parseArgs({
  options: {
    /** In under two minutes. */
    quick: { type: "boolean", default: false },
    /** Where the results are saved. */
    json: { type: "string", default: inResults("latest") },
    /** Compare the ratios with the saved ones; status 1 when one moved by more than 15 % for the worse. */
    check: { type: "boolean", default: false },
    baseline: { type: "string", default: inResults("baseline") },
    /** Only these groups, with commas between. */
    only: { type: "string", default: GROUPS.join(",") },
    /** Where the agent writes. */
    "disk-directory": { type: "string", default: tmpdir() },
  },
});

const group = new ProcessGroup();
const directory = await mkdtemp(join(values["disk-directory"], "otastream-bench-"));
const machine = watchMachine(directory);
const report = (line: string): void => console.error(line);

async function run(): Promise<BenchResult> {
  const pace = values.quick ? QUICK : FULL;
  const source = await makeSource(directory, 2 * MEBIBYTE);
  const context: BenchContext = { group, pace, directory, source, report };
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
    fleets: () => measureFleets(context, servers, receiver),
    streams: () => measureStreams(context, own, receiver),
    stalled: () => measureStalled(context, receiver),
  };
  const results: Results = {};
  for (const name of GROUPS.filter((each) => values.only.split(",").includes(each))) {
    report(`${name}:`);
    Object.assign(results, await measureGroup[name]());
  }
  return { machine: machine(group.cpuMicroseconds()), ...resultsOf(results) };
}

async function check(now: BenchResult): Promise<void> {
  const saved = JSON.parse(await readFile(values.baseline, "utf8")) as BenchResult;
  const { worse, better } = findMoves(saved, now);
  for (const line of better) console.log(`better: ${line}`);
  for (const line of worse) console.log(`worse: ${line}`);
  if (better.length + worse.length === 0) console.log("no ratio moved by more than 15 %");
  if (worse.length > 0) process.exitCode = 1;
}

try {
  const startedMs = performance.now();
  const result = await run();
  console.log(formatResult(result));
  await mkdir(dirname(values.json), { recursive: true });
  await writeFile(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  console.log(`\nsaved as ${values.json} after ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  if (values.check) await check(result);
} finally {
  await group.close();
  await rm(directory, { recursive: true, force: true });
}
