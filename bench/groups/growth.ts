/** How the cost of a block grows: with the block size, the format, the receiver, the devices, the streams and the file. */
import { type BenchContext, measure } from "../harness/bench-context.ts";
import { type Measurement, megabytesPerSecond, spreadOf } from "../harness/measurement.ts";
import { type MemoryPeak, watchMemory } from "../harness/memory-watch.ts";
import { makeSource, type OwnServer, startOwnServer } from "../harness/own-server.ts";
import type { Receiver } from "../harness/receiver.ts";
import type { FleetTask, WindowTask } from "../receivers/tasks.ts";
import type { ReferenceServer } from "../references/reference-servers.ts";
import { fleetTask, onStreams, SMALL_FILE } from "./fleets.ts";
import { ONE_FILE, type Servers, windowTask } from "./one-device.ts";

/** One line of the growth table: medians of the rounds, and the most memory in any of them. */
export interface GrowthLine extends Readonly<MemoryPeak> {
  readonly label: string;
  readonly megabytesPerSecond: number;
  readonly serverUsPerBlock: number;
  readonly receiverUsPerBlock: number;
}

const BLOCK_SIZES = [256, 1024, 4096, 16_384, 131_072];
const DEVICES = [1, 100, 1_000, 5_000, 9_500];
const JSON_DEVICES = [100, 1_000];
/** With a fixed window each, so that both receivers do the same. */
const WINDOW_DEVICES = [10, 100];
const STREAMS = [1, 10, 100, 1_000, 10_000];
const FILE_SIZES = [2_048, 32_768, 262_144, 2_097_152];
const FILE_DEVICES = 100;
const ROUNDS = 3;

interface Line {
  readonly label: string;
  readonly server: ReferenceServer;
  readonly run: () => Promise<Measurement>;
}

/** Measures every line {@link ROUNDS} times; one that cannot be measured is left out. */
export async function measureGrowth(
  context: BenchContext,
  servers: Servers,
  receiver: Receiver,
): Promise<GrowthLine[]> {
  const { directory, fail, group, lanes: wanted, report, source } = context;
  const lines: GrowthLine[] = [];
  const measureLines = async (each: readonly Line[]): Promise<void> => {
    for (const line of each) {
      if (wanted?.has(line.label) === false) continue;
      report(line.label);
      try {
        lines.push(await growthLine(line, receiver));
      } catch (error) {
        fail(line.label, error);
      }
    }
  };
  await measureLines(blockLines(context, servers, receiver));
  await measureLines(deviceLines(context, servers.own, receiver));
  for (const sizeBytes of FILE_SIZES) {
    const streamId = `size-${sizeBytes}`;
    await servers.own.publish(streamId, await makeSource(directory, sizeBytes));
    const label = `${FILE_DEVICES} devices x ${sizeBytes} bytes`;
    await measureLines([fleetLine(label, receiver, fleetTask(servers.own, FILE_DEVICES, streamId), servers.own)]);
  }
  // A server of its own, so that the streams grow in number.
  const server = await startOwnServer(group, directory);
  await server.publish(ONE_FILE, source);
  let registered = 1;
  for (const streams of STREAMS) {
    await server.registerLike(ONE_FILE, streams - registered, registered);
    registered = streams;
    const run =
      streams === 1
        ? () => measure(receiver, fleetTask(server, FILE_DEVICES, ONE_FILE))
        : onStreams(receiver, server, streams);
    await measureLines([{ label: `100 devices on ${streams} streams`, server, run }]);
  }
  await group.end(server.pids);
  return lines;
}

/** One device: the block sizes, and JSON. */
function blockLines(context: BenchContext, { own, push, broker }: Servers, receiver: Receiver): Line[] {
  const line = (label: string, server: ReferenceServer, part: Partial<WindowTask>): Line => {
    return { label, server, run: () => measure(receiver, windowTask(context, server, part)) };
  };
  const sizes = BLOCK_SIZES.flatMap((blockSizeBytes) => {
    const part = { blockSizeBytes, requestBlocks: 131_072 / blockSizeBytes };
    return [
      line(`own, ${blockSizeBytes}-byte blocks`, own, part),
      line(`push, ${blockSizeBytes}-byte blocks`, push, part),
      line(`broker.publish, ${blockSizeBytes}-byte blocks`, broker, part),
    ];
  });
  return [...sizes, line("own, JSON", own, { format: "json" }), line("push, JSON", push, { format: "json" })];
}

/** Many devices: their number, JSON, and the two receivers. */
function deviceLines(context: BenchContext, own: OwnServer, receiver: Receiver): Line[] {
  const small = (devices: number): FleetTask => fleetTask(own, devices, SMALL_FILE);
  return [
    ...DEVICES.map((devices) => fleetLine(`${devices} devices x 256 KiB`, receiver, small(devices), own)),
    ...JSON_DEVICES.map((devices) =>
      fleetLine(`${devices} devices x 256 KiB, JSON`, receiver, { ...small(devices), format: "json" }, own),
    ),
    ...WINDOW_DEVICES.flatMap((devices) =>
      (["lean", "mqttjs"] as const).map((client): Line => {
        const run = () => measure(receiver, windowTask(context, own, { client, devices }));
        return { label: `${devices} devices, fixed window, ${client}`, server: own, run };
      }),
    ),
  ];
}

function fleetLine(label: string, receiver: Receiver, task: FleetTask, server: ReferenceServer): Line {
  return { label, server, run: () => measure(receiver, task) };
}

async function growthLine({ label, server, run }: Line, receiver: Receiver): Promise<GrowthLine> {
  const rounds: Measurement[] = [];
  const peakOf = watchMemory(server.pids, receiver.pid);
  try {
    for (let round = 0; round < ROUNDS; round++) rounds.push(await run());
  } finally {
    peakOf();
  }
  const median = (pick: (round: Measurement) => number): number => spreadOf(rounds.map(pick)).median;
  return {
    label,
    megabytesPerSecond: median(megabytesPerSecond),
    serverUsPerBlock: median(({ serverCpuUs, blocks }) => serverCpuUs / blocks),
    receiverUsPerBlock: median(({ receiverCpuUs, blocks }) => receiverCpuUs / blocks),
    ...peakOf(),
  };
}
