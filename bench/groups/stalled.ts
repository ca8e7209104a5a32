/** Healthy devices beside devices that ask and never read. */
import { type BenchContext, interleave, type Lanes, measure, type Results } from "../harness/bench-context.ts";
import { figureOnly, type Measurement } from "../harness/measurement.ts";
import { type OwnServer, startOwnServer } from "../harness/own-server.ts";
import { kernelSocketBytes } from "../harness/process-figures.ts";
import { Receiver } from "../harness/receiver.ts";
import { fleetTask } from "./fleets.ts";
import { ONE_FILE, windowTask } from "./one-device.ts";

/** How long the stalled devices may take to fill what the server and the kernel keep for them. */
const FILLING_LIMIT_MS = 20_000;
const LOOK_EVERY_MS = 100;
/** How long the server may take to notice that they are gone. */
const LEAVING_LIMIT_MS = 30_000;
const HEALTHY_DEVICES = 200;

/** Measures on a server of its own, whose stalled devices stay until it ends. */
export async function measureStalled(context: BenchContext, receiver: Receiver): Promise<Results> {
  const { group, directory, pace, source } = context;
  const own = await startOwnServer(group, directory);
  await own.publish(ONE_FILE, source);
  const stallers = new Receiver(group);
  const healthyBeside = (name: string): Lanes => ({
    [`healthy beside ${name}`]: () => measure(receiver, windowTask(context, own)),
    [`${HEALTHY_DEVICES} healthy beside ${name}`]: () => measure(receiver, fleetTask(own, HEALTHY_DEVICES, ONE_FILE)),
  });
  // Half of the rounds without them before and half after: what else the machine did meanwhile falls on both.
  const half = { rounds: Math.ceil(pace.rounds / 2) };
  const results = await interleave(context, healthyBeside("0"), { ...half, warmUp: true });
  for (const [devices, name] of [
    [1, "1"],
    [100, "100"],
    [1_000, "1,000"],
  ] as const) {
    await stall(context, own, stallers, devices);
    Object.assign(results, await interleave(context, healthyBeside(name)));
    results[`queue of ${name}`] = [await queueOf(context, own, devices)];
  }
  await group.end([stallers.pid]);
  await isQuiet(own);
  for (const [name, rounds] of Object.entries(await interleave(context, healthyBeside("0"), half))) {
    results[name] = [...(results[name] ?? []), ...rounds];
  }
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
  const startedMs = performance.now();
  while ((await own.state()).connections > 0) {
    if (performance.now() - startedMs > LEAVING_LIMIT_MS) throw new Error("connections of ended devices stay");
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** What the server's process keeps for a stalled device: bytes that the kernel has not taken. */
async function queueOf({ report }: BenchContext, own: OwnServer, devices: number): Promise<Measurement> {
  const { waitingBytes, stalledConnections, heapBytes, bufferBytes } = await own.state();
  report(
    `server holds ${Math.round(heapBytes / 1e6)} MB heap, ${Math.round(bufferBytes / 1e6)} MB buffers for ${stalledConnections} stalled devices`,
  );
  return figureOnly(waitingBytes / Math.max(1, Math.min(devices, stalledConnections)) / 1024);
}
