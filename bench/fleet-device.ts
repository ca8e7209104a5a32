/**
 * Measures simulated devices against a running server: throughput, time per block and memory, on both sides. Run it with
 * `node --min-semi-space-size=8 --max-semi-space-size=8`, as the fleet command does: otherwise the memory per device is mostly
 * that of the young generation.
 */
import { readdirSync, readFileSync } from "node:fs";
import { FleetDevice } from "../device/fleet/fleet-device.ts";
import { FleetJob } from "../device/fleet/fleet-job.ts";
import { LeanNetwork } from "../device/fleet/lean-network.ts";
import type { Format } from "../shared/protocol/topics.ts";
import { seededRandom } from "../shared/random.ts";
import { readToolFlags } from "../test/support/tool-flags.ts";

const HELP = `node bench/fleet-device.ts --stream ID [options]
  --broker URL       mqtt://127.0.0.1:1883 by default
  --devices N        1 by default
  --runs N           how often the whole fleet downloads, 5 by default; of several the first one warms up
  --block-size N     4096 by default
  --format FORMAT    cbor (the default) or json
  --window BYTES     most bytes asked for ahead
  --sources A,B      local addresses to connect from
  --concurrency N    connections begun at the same time, 100 by default
  --server-pid N     the server's process: its time is measured, too
  --memory           collect garbage before memory is read; needs node --expose-gc, and slows what follows
  --quiet            print the medians only
  --json             one line of JSON for each run
`;
const values = readToolFlags(HELP, {
  broker: { type: "string", default: "mqtt://127.0.0.1:1883" },
  stream: { type: "string" },
  devices: { type: "string", default: "1" },
  runs: { type: "string", default: "5" },
  "block-size": { type: "string", default: "4096" },
  format: { type: "string", default: "cbor" },
  window: { type: "string" },
  sources: { type: "string" },
  concurrency: { type: "string", default: "100" },
  "server-pid": { type: "string" },
  memory: { type: "boolean", default: false },
  quiet: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
});

interface Run {
  readonly seconds: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly megabytesPerSecond: number;
  readonly generatorUsPerBlock: number;
  /** The part of it that the kernel has. */
  readonly generatorKernelUsPerBlock: number;
  readonly serverUsPerBlock: number | undefined;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
  readonly requests: number;
  readonly duplicates: number;
  readonly timeouts: number;
  readonly connectSeconds: number;
  /** Over the process before it had devices. */
  readonly idleBytesPerDevice: number;
  readonly peakBytesPerDevice: number;
  readonly serverIdleBytesPerDevice: number | undefined;
  readonly serverPeakBytesPerDevice: number | undefined;
}

const SAMPLE_MS = 50;
const deviceCount = Number(values.devices);
const serverPid = values["server-pid"] === undefined ? undefined : Number(values["server-pid"]);
if (values.stream === undefined) throw new Error("--stream is missing");
const streamId = values.stream;

/** The time a process has spent on a processor, in microseconds, from the scheduler's own books. */
function cpuMicroseconds(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1000;
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) * 1024;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Starts all devices held, a number of them at a time; resolves when every one is connected or has failed. */
async function connectAll(devices: readonly FleetDevice[], concurrency: number): Promise<void> {
  let next = Math.min(concurrency, devices.length);
  for (const device of devices.slice(0, next)) device.start(true);
  const isSettled = (device: FleetDevice): boolean => device.isEnded || device.stats.connections > 0;
  let settled = 0;
  const waiting = new Set(devices.slice(0, next));
  while (settled < devices.length) {
    await new Promise((resolve) => setImmediate(resolve));
    for (const device of waiting) {
      if (!isSettled(device)) continue;
      waiting.delete(device);
      settled++;
      const following = devices[next++];
      if (following === undefined) continue;
      following.start(true);
      waiting.add(following);
    }
  }
}

async function run(name: string): Promise<Run> {
  const over = Promise.withResolvers<void>();
  let left = deviceCount;
  const network = new LeanNetwork({
    url: values.broker,
    ...(values.sources !== undefined && { sourceAddresses: values.sources.split(",") }),
  });
  const job = new FleetJob({
    network,
    streamId,
    format: values.format as Format,
    blockSizeBytes: Number(values["block-size"]),
    random: seededRandom(1),
    ...(values.window !== undefined && { maxWindowBytes: Number(values.window) }),
    ended: () => {
      if (--left === 0) over.resolve();
    },
  });
  if (values.memory) globalThis.gc?.();
  const emptyBytes = residentBytes(process.pid);
  const serverEmptyBytes = serverPid === undefined ? 0 : residentBytes(serverPid);
  const devices = Array.from({ length: deviceCount }, (_, index) => new FleetDevice(job, `bench-${name}-${index}`));
  const connectingAtMs = performance.now();
  await connectAll(devices, Number(values.concurrency));
  const connectSeconds = (performance.now() - connectingAtMs) / 1000;
  if (values.memory) globalThis.gc?.();
  const idleBytes = residentBytes(process.pid);
  const serverIdleBytes = serverPid === undefined ? 0 : residentBytes(serverPid);
  let peakBytes = idleBytes;
  let serverPeakBytes = serverIdleBytes;
  const sample = (): void => {
    peakBytes = Math.max(peakBytes, residentBytes(process.pid));
    if (serverPid !== undefined) serverPeakBytes = Math.max(serverPeakBytes, residentBytes(serverPid));
  };
  const sampler = setInterval(sample, SAMPLE_MS);
  const kernelBefore = process.cpuUsage();
  const generatorBefore = cpuMicroseconds(process.pid);
  const serverBefore = serverPid === undefined ? 0 : cpuMicroseconds(serverPid);
  const startedAtMs = performance.now();
  for (const device of devices) device.release();
  await over.promise;
  const seconds = (performance.now() - startedAtMs) / 1000;
  const generatorUs = cpuMicroseconds(process.pid) - generatorBefore;
  const kernelUs = process.cpuUsage(kernelBefore).system;
  const serverUs = serverPid === undefined ? undefined : cpuMicroseconds(serverPid) - serverBefore;
  clearInterval(sampler);
  sample();
  const total = (pick: (device: FleetDevice) => number): number => devices.reduce((sum, each) => sum + pick(each), 0);
  const failures = devices.filter((device) => device.stats.failure !== undefined);
  for (const { thing, stats } of failures.slice(0, 3)) console.error(`${thing}: ${stats.failure?.message}`);
  const times = devices.map(({ stats }) => (stats.endedAtMs ?? Number.NaN) - startedAtMs).sort((a, b) => a - b);
  const blocks = total(({ stats }) => stats.blocks);
  const bytes = total(({ stats }) => stats.bytes);
  const perDevice = (now: number, before: number): number => Math.round((now - before) / deviceCount);
  return {
    seconds,
    bytes,
    blocks,
    megabytesPerSecond: bytes / 1e6 / seconds,
    generatorUsPerBlock: generatorUs / blocks,
    generatorKernelUsPerBlock: kernelUs / blocks,
    serverUsPerBlock: serverUs === undefined ? undefined : serverUs / blocks,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    failed: failures.length,
    requests: total(({ stats }) => stats.requests),
    duplicates: total(({ stats }) => stats.duplicates),
    timeouts: total(({ stats }) => stats.timeouts),
    connectSeconds,
    idleBytesPerDevice: perDevice(idleBytes, emptyBytes),
    peakBytesPerDevice: perDevice(peakBytes, emptyBytes),
    serverIdleBytesPerDevice: serverPid === undefined ? undefined : perDevice(serverIdleBytes, serverEmptyBytes),
    serverPeakBytesPerDevice: serverPid === undefined ? undefined : perDevice(serverPeakBytes, serverEmptyBytes),
  };
}

const figure = (value: number | undefined, digits = 2): string => (value === undefined ? "-" : value.toFixed(digits));
const print = (name: string, result: Run): void => {
  if (values.json) {
    console.log(JSON.stringify({ name, ...result }));
    return;
  }
  console.log(
    [
      `${name}: ${figure(result.megabytesPerSecond, 0)} MB/s`,
      `us/block: generator ${figure(result.generatorUsPerBlock)} (kernel ${figure(result.generatorKernelUsPerBlock)}) server ${figure(result.serverUsPerBlock)}`,
      `p50 ${figure(result.p50Ms, 1)} p99 ${figure(result.p99Ms, 1)} ms`,
      `bytes/device: idle ${result.idleBytesPerDevice} peak ${result.peakBytesPerDevice}, server idle ${figure(result.serverIdleBytesPerDevice, 0)} peak ${figure(result.serverPeakBytesPerDevice, 0)}`,
      `requests ${result.requests} duplicates ${result.duplicates} timeouts ${result.timeouts} failed ${result.failed}`,
      `connect ${figure(result.connectSeconds)} s`,
    ].join("  "),
  );
};

/** Of each figure its median over the runs. */
function medianOf(runs: readonly Run[]): Run {
  const names = Object.keys(runs[0] as Run) as (keyof Run)[];
  const median = (name: keyof Run): number =>
    percentile(
      runs.map((each) => each[name] ?? Number.NaN).sort((a, b) => a - b),
      0.5,
    );
  return Object.fromEntries(names.map((name) => [name, median(name)])) as unknown as Run;
}

const runs: Run[] = [];
for (let index = 0; index < Number(values.runs); index++) {
  const result = await run(`${process.pid}-${index}`);
  runs.push(result);
  if (!values.quiet) print(`run ${index}`, result);
}
if (runs.length > 1) print("median without the first", medianOf(runs.slice(1)));
