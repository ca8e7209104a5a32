/** How the cost of a block grows: with the block size, the format, the devices, and the size of the file. */
import { type BenchContext, measure, type Receiver } from "../harness/bench-context.ts";
import { type Measurement, megabytesPerSecond, spreadOf } from "../harness/measurement.ts";
import { makeSource, type OwnServer } from "../harness/own-server.ts";
import { kernelSocketBytes, residentBytes } from "../harness/process-figures.ts";
import type { ReferenceServer } from "../references/reference-servers.ts";
import { fleetTask, SMALL_FILE } from "./fleets.ts";
import { type Servers, windowTask } from "./one-device.ts";

/** One line of a growth table: medians of the rounds. */
export interface GrowthLine {
  readonly label: string;
  readonly megabytesPerSecond: number;
  readonly serverUsPerBlock: number;
  readonly receiverUsPerBlock: number;
  /** Memory at the end of the last round, in bytes: the server's, the receiver's, and the kernel's for all sockets. */
  readonly serverBytes: number;
  readonly receiverBytes: number;
  readonly kernelBytes: number;
}

const BLOCK_SIZES = [256, 1024, 4096, 16_384, 131_072];
const DEVICES = [1, 100, 1_000, 5_000, 9_500];
const FILE_SIZES = [2_048, 32_768, 262_144, 2_097_152];
const FILE_DEVICES = 100;
const ROUNDS = 3;

/** Measures every line {@link ROUNDS} times. */
export async function measureGrowth(
  context: BenchContext,
  servers: Servers,
  receiver: Receiver,
): Promise<GrowthLine[]> {
  const { own, push, broker } = servers;
  const lines: GrowthLine[] = [];
  const add = async (label: string, server: ReferenceServer, run: () => Promise<Measurement>): Promise<void> => {
    context.report(label);
    lines.push(await lineOf(label, server, receiver, run));
  };
  for (const blockSizeBytes of BLOCK_SIZES) {
    const requestBlocks = 131_072 / blockSizeBytes;
    for (const [name, server] of [
      ["own", own],
      ["push", push],
      ["broker.publish", broker],
    ] as const) {
      const task = windowTask(context, server, { blockSizeBytes, requestBlocks });
      await add(`${name}, ${blockSizeBytes}-byte blocks`, server, () => measure(receiver, task));
    }
  }
  for (const [name, server] of [
    ["own", own],
    ["push", push],
  ] as const) {
    const task = windowTask(context, server, { format: "json" });
    await add(`${name}, JSON`, server, () => measure(receiver, task));
  }
  for (const devices of DEVICES) {
    await add(`${devices} devices x 256 KiB`, own, () => measure(receiver, fleetTask(own, devices, SMALL_FILE)));
  }
  for (const sizeBytes of FILE_SIZES) {
    const streamId = await publishSize(context, own, sizeBytes);
    await add(`${FILE_DEVICES} devices x ${sizeBytes} bytes`, own, () =>
      measure(receiver, fleetTask(own, FILE_DEVICES, streamId)),
    );
  }
  return lines;
}

async function publishSize({ directory }: BenchContext, own: OwnServer, sizeBytes: number): Promise<string> {
  const streamId = `size-${sizeBytes}`;
  await own.publish(streamId, await makeSource(directory, sizeBytes));
  return streamId;
}

async function lineOf(
  label: string,
  { pids }: ReferenceServer,
  receiver: Receiver,
  run: () => Promise<Measurement>,
): Promise<GrowthLine> {
  const rounds: Measurement[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await run());
  const median = (pick: (round: Measurement) => number): number => spreadOf(rounds.map(pick)).median;
  return {
    label,
    megabytesPerSecond: median(megabytesPerSecond),
    serverUsPerBlock: median(({ serverCpuUs, blocks }) => serverCpuUs / blocks),
    receiverUsPerBlock: median(({ receiverCpuUs, blocks }) => receiverCpuUs / blocks),
    serverBytes: pids.reduce((sum, pid) => sum + residentBytes(pid), 0),
    receiverBytes: residentBytes(receiver.pid),
    kernelBytes: kernelSocketBytes(),
  };
}
