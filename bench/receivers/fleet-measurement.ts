/** Devices with the real download session over lean connections, held until all are connected, then begun at once. */
import { FleetDevice } from "../../device/fleet/fleet-device.ts";
import { FleetJob } from "../../device/fleet/fleet-job.ts";
import { seededRandom } from "../../shared/random.ts";
import { type Measurement, percentile } from "../harness/measurement.ts";
import { cpuMicroseconds } from "../harness/process-figures.ts";
import { StandingNetwork } from "./standing-network.ts";
import type { FleetTask } from "./tasks.ts";

const CONNECTING_AT_ONCE = 100;
/** How long a fleet may take until as many blocks as devices have come; only then its windows begin. */
const RAMP_LIMIT_MS = 20_000;
const LOOK_EVERY_MS = 50;
/** Each address has its own range of ports. */
const SOURCE_ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

let fleetsMade = 0;

/**
 * Measures one download by a fleet, from the moment it begins to the end of its last device, or to the time limit; or,
 * with {@link FleetTask.windows}, what it receives in each of them.
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
  if (task.windows !== undefined) {
    const windows = await measureWindows(task, devices, task.windows);
    network.leave();
    return windows;
  }
  const serverUs = cpuMicroseconds(task.serverPids);
  const receiverUs = cpuMicroseconds([process.pid]);
  const startedMs = performance.now();
  for (const device of devices) device.release();
  const limit = setTimeout(() => over.resolve(), task.limitMs);
  await over.promise;
  clearTimeout(limit);
  const seconds = (performance.now() - startedMs) / 1000;
  const cpu = {
    serverCpuUs: cpuMicroseconds(task.serverPids) - serverUs,
    receiverCpuUs: cpuMicroseconds([process.pid]) - receiverUs,
  };
  // A session counts what it did when it ends.
  for (const device of devices) device.stop();
  network.leave();
  return [{ seconds, ...cpu, ...count(devices, startedMs) }];
}

/** Blocks that come twice are counted twice. */
async function measureWindows(
  { limitMs, serverPids }: FleetTask,
  devices: readonly FleetDevice[],
  windows: number,
): Promise<Measurement[]> {
  const read = () => ({
    bytes: devices.reduce((sum, { stats }) => sum + stats.receivedBytes, 0),
    blocks: devices.reduce((sum, { stats }) => sum + stats.messages, 0),
    seconds: performance.now() / 1000,
    serverCpuUs: cpuMicroseconds(serverPids),
    receiverCpuUs: cpuMicroseconds([process.pid]),
  });
  for (const device of devices) device.release();
  const startedMs = performance.now();
  while (read().blocks < devices.length && performance.now() - startedMs < RAMP_LIMIT_MS) await pass(LOOK_EVERY_MS);
  const readings = [read()];
  while (readings.length <= windows) {
    await pass(limitMs);
    readings.push(read());
  }
  for (const device of devices) device.stop();
  return readings.slice(1).map((after, index) => between(readings[index] as Measurement, after));
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
): Omit<Measurement, "seconds" | "serverCpuUs" | "receiverCpuUs"> & { unfinished: number } {
  const finished = devices.filter(({ stats }) => stats.endedAtMs !== undefined && stats.failure === undefined);
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
