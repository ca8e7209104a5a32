/** Devices with the real download session over lean connections, held until all are connected, then begun at once. */
import { FleetDevice } from "../../device/fleet/fleet-device.ts";
import { FleetJob } from "../../device/fleet/fleet-job.ts";
import { seededRandom } from "../../shared/random.ts";
import { type Measurement, percentile } from "../harness/measurement.ts";
import { cpuMicroseconds } from "../harness/process-figures.ts";
import { StandingNetwork } from "./standing-network.ts";
import type { FleetTask, FleetWindows } from "./tasks.ts";

const CONNECTING_AT_ONCE = 100;
/** How long a fleet may take until as many blocks as devices have come; only then its windows begin. */
const RAMP_LIMIT_MS = 20_000;
const LOOK_EVERY_MS = 50;
/** Each address has its own range of ports. */
const SOURCE_ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

/** What became of the devices. */
type Outcome = Required<Pick<Measurement, "unfinished" | "duplicates" | "timeouts">>;

let fleetsMade = 0;

/**
 * Measures one download by a fleet, from the moment it begins to the end of its last device, or to the time limit; or,
 * with {@link FleetTask.windows}, what it receives in each of them. Rejects when no window was over in time.
 */
export async function measureFleet(task: FleetTask): Promise<Measurement[]> {
  const over = Promise.withResolvers<void>();
  let left = task.devices;
  const ended = (): void => {
    if (--left === 0) over.resolve();
  };
  const network = new StandingNetwork({ url: task.url, sourceAddresses: SOURCE_ADDRESSES });
  const jobs = (task.streamIds ?? [task.streamId]).map((streamId) => jobFor(task, streamId, network, ended));
  const prefix = `fleet-${process.pid}-${fleetsMade++}`;
  const devices = Array.from(
    { length: task.devices },
    (_, index) => new FleetDevice(jobs[index % jobs.length] as FleetJob, `${prefix}-${index}`),
  );
  await connectAll(devices);
  const before = read(task, devices);
  const startedMs = performance.now();
  for (const device of devices) device.release();
  const windows = task.windows && (await measureWindows(task, devices, task.windows));
  if (task.windows?.toEnd !== false) await withLimit(over.promise, task.limitMs);
  const seconds = (performance.now() - startedMs) / 1000;
  const spent = between(before, read(task, devices));
  // A session counts what it did when it ends.
  for (const device of devices) device.stop();
  network.leave();
  const outcome = count(devices, startedMs);
  if (windows === undefined) return [{ ...spent, seconds, ...outcome }];
  if (windows.length === 0) throw new Error(`no window was over before a device had its file: ${seconds.toFixed(1)} s`);
  return task.windows?.toEnd ? withOutcome(windows, outcome) : windows;
}

/** Says of the first window what became of the devices, and how many copies and timeouts fall to all windows. */
function withOutcome(windows: readonly Measurement[], outcome: Outcome & { readonly blocks: number }): Measurement[] {
  const share = windows.reduce((sum, { blocks }) => sum + blocks, 0) / outcome.blocks;
  const { unfinished, duplicates, timeouts } = outcome;
  const ofAll = { unfinished, duplicates: duplicates * share, timeouts: timeouts * share };
  return windows.map((window, index) => (index === 0 ? { ...window, ...ofAll } : window));
}

/** Blocks that come twice are counted twice. The window in which the last devices begin is not counted. */
async function measureWindows(
  task: FleetTask,
  devices: readonly FleetDevice[],
  { count: windows, lengthMs, toEnd }: FleetWindows,
): Promise<Measurement[]> {
  const startedMs = performance.now();
  const isTail = (): boolean => toEnd && devices.some(hasItsFiles);
  let last = read(task, devices);
  while (last.blocks < devices.length && performance.now() - startedMs < RAMP_LIMIT_MS) {
    await pass(LOOK_EVERY_MS);
    last = read(task, devices);
  }
  const measured: Measurement[] = [];
  while (measured.length < windows + 1) {
    await pass(lengthMs);
    const next = read(task, devices);
    if (isTail()) break;
    measured.push(between(last, next));
    last = next;
  }
  return measured.slice(1);
}

/** What was received so far, copies included, and what it cost. */
function read({ serverPids }: FleetTask, devices: readonly FleetDevice[]): Measurement {
  return {
    bytes: devices.reduce((sum, { stats }) => sum + stats.receivedBytes, 0),
    blocks: devices.reduce((sum, { stats }) => sum + stats.messages, 0),
    seconds: performance.now() / 1000,
    serverCpuUs: cpuMicroseconds(serverPids),
    receiverCpuUs: cpuMicroseconds([process.pid]),
  };
}

async function withLimit(end: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([end, new Promise((resolve) => (timer = setTimeout(resolve, limitMs)))]);
  clearTimeout(timer);
}

function pass(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function between(before: Measurement, after: Measurement): Measurement {
  return {
    bytes: after.bytes - before.bytes,
    blocks: after.blocks - before.blocks,
    seconds: after.seconds - before.seconds,
    serverCpuUs: after.serverCpuUs - before.serverCpuUs,
    receiverCpuUs: after.receiverCpuUs - before.receiverCpuUs,
  };
}

function jobFor(task: FleetTask, streamId: string, network: StandingNetwork, ended: () => void): FleetJob {
  return new FleetJob({
    network,
    streamId,
    format: task.format,
    blockSizeBytes: task.blockSizeBytes,
    random: seededRandom(1),
    ...(task.maxWindowBytes !== undefined && { maxWindowBytes: task.maxWindowBytes }),
    ended,
  });
}

function count(
  devices: readonly FleetDevice[],
  startedMs: number,
): Pick<Measurement, "bytes" | "blocks" | "p50Ms" | "p99Ms"> & Outcome {
  const finished = devices.filter(hasItsFiles);
  const timesMs = finished.map(({ stats }) => (stats.endedAtMs ?? 0) - startedMs).sort((a, b) => a - b);
  return {
    bytes: devices.reduce((sum, { stats }) => sum + stats.bytes, 0),
    blocks: devices.reduce((sum, { stats }) => sum + stats.blocks, 0),
    duplicates: devices.reduce((sum, { stats }) => sum + stats.duplicates, 0),
    timeouts: devices.reduce((sum, { stats }) => sum + stats.timeouts, 0),
    unfinished: devices.length - finished.length,
    ...(finished.length > 0 && { p50Ms: percentile(timesMs, 0.5), p99Ms: percentile(timesMs, 0.99) }),
  };
}

function hasItsFiles({ isEnded, stats }: FleetDevice): boolean {
  return isEnded && stats.failure === undefined;
}

/** Connects all devices, a number of them at a time; resolves when each is connected or has failed. */
async function connectAll(devices: readonly FleetDevice[]): Promise<void> {
  let next = 0;
  const isSettled = ({ isEnded, stats }: FleetDevice): boolean => isEnded || stats.connections > 0;
  const connecting = new Set<FleetDevice>();
  while (next < devices.length || connecting.size > 0) {
    for (const device of connecting) if (isSettled(device)) connecting.delete(device);
    for (const device of devices.slice(next, next + CONNECTING_AT_ONCE - connecting.size)) {
      device.start(true);
      connecting.add(device);
      next++;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
