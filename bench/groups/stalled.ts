/** One healthy device beside devices that ask and never read. */
import {
  type BenchContext,
  interleave,
  measure,
  type Receiver,
  type Results,
  startReceiver,
} from "../harness/bench-context.ts";
import type { Measurement } from "../harness/measurement.ts";
import { type OwnServer, startOwnServer } from "../harness/own-server.ts";
import { kernelSocketBytes } from "../harness/process-figures.ts";
import { ONE_FILE, windowTask } from "./one-device.ts";

/** How long the stalled devices may take to fill what the server and the kernel keep for them. */
const FILLING_LIMIT_MS = 20_000;
const LOOK_EVERY_MS = 100;

/** Measures on a server of its own, whose stalled devices stay until it ends. */
export async function measureStalled(context: BenchContext, receiver: Receiver): Promise<Results> {
  const { group, directory, source } = context;
  const own = await startOwnServer(group, directory);
  await own.publish(ONE_FILE, source);
  const stallers = startReceiver(group);
  const healthy = () => measure(receiver, windowTask(context, own));
  const results: Results = await interleave(context, { "healthy beside 0": healthy }, true);
  for (const [devices, name] of [
    [100, "100"],
    [1_000, "1,000"],
  ] as const) {
    await stall(context, own, stallers, devices);
    const beside = await interleave(context, { [`healthy beside ${name}`]: healthy }, true);
    Object.assign(results, beside, { [`queue of ${name}`]: [await queueOf(context, own, devices)] });
  }
  // The same once more without them: what else the machine did meanwhile falls on both.
  await group.end([stallers.pid]);
  await isQuiet(own);
  const after = await interleave(context, { "healthy beside 0": healthy }, true);
  results["healthy beside 0"] = [...(results["healthy beside 0"] ?? []), ...(after["healthy beside 0"] ?? [])];
  await group.end(own.pids);
  return results;
}

async function stall(
  { report, source }: BenchContext,
  own: OwnServer,
  stallers: Receiver,
  devices: number,
): Promise<void> {
  const { sizeBytes, crc32 } = source;
  const asked = { url: own.url, serverPids: [], streamId: ONE_FILE, blockSizeBytes: 4096, format: "cbor" } as const;
  await stallers.ask({ kind: "stall", ...asked, devices, file: { sizeBytes, crc32 } });
  const startedMs = performance.now();
  let stalled = 0;
  while (stalled < devices && performance.now() - startedMs < FILLING_LIMIT_MS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    stalled = (await own.state()).stalledConnections;
  }
  await stallers.ask({ kind: "freeze" });
  const seconds = (performance.now() - startedMs) / 1000;
  report(
    `${stalled} of ${devices} devices stalled after ${seconds.toFixed(1)} s, kernel ${Math.round(kernelSocketBytes() / 1e6)} MB`,
  );
}

/** Resolves once the server has noticed that the stalled devices are gone. */
async function isQuiet(own: OwnServer): Promise<void> {
  while ((await own.state()).connections > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
}

/** What the server's process keeps for a stalled device: bytes that the kernel has not taken. */
async function queueOf({ report }: BenchContext, own: OwnServer, devices: number): Promise<Measurement> {
  const { waitingBytes, stalledConnections, heapBytes, bufferBytes } = await own.state();
  report(
    `server holds ${Math.round(heapBytes / 1e6)} MB heap, ${Math.round(bufferBytes / 1e6)} MB buffers for ${stalledConnections} stalled devices`,
  );
  const figure = waitingBytes / Math.max(1, Math.min(devices, stalledConnections)) / 1024;
  return { bytes: 0, blocks: 0, seconds: 0, serverCpuUs: 0, receiverCpuUs: 0, figure };
}
