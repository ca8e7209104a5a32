/** What the load generator of `otastream fleet` costs: the whole command, with its server, on both processors. */
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import type { FleetReport } from "../../device/fleet/fleet-report.ts";
import { type BenchContext, interleave, type Results } from "../harness/bench-context.ts";
import { figureOnly, type Measurement, spreadOf } from "../harness/measurement.ts";
import { outputOf } from "../harness/process-group.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const DEVICES = 1_000;
const BLOCK_BYTES = 4096;
/** Of one calibration, and how many there are before each run and after it. */
const CRCS = 20_000;
const CALIBRATIONS = 5;

/** The lane itself, and the figures of its generator: a block in CRCs, and the share of a core in percent. */
const COMMAND = "fleet command";
const CRCS_A_BLOCK = "fleet command, CRCs a block";
const CORE_SHARE = "fleet command, share of a core";

/**
 * Runs 1,000 devices x 2 MiB by the command, which warms both of its sides itself. Processor time is told in the time
 * that zlib needs for the CRC-32 of a block, measured just before and after, because that is a figure of the machine.
 */
export async function measureFleetCommand(context: BenchContext): Promise<Results> {
  const figures: Results = {};
  const note = (lane: string, figure: number): void => {
    figures[lane] = [...(figures[lane] ?? []), figureOnly(figure)];
  };
  const run = async (): Promise<Measurement> => {
    const before = crcMicroseconds();
    const report = await runFleet(context);
    const crcUs = spreadOf([...before, ...crcMicroseconds()]).median;
    const { completed, seconds, server, generatorCpuShares, generatorMicrosecondsPerBlock } = report;
    const blocks = (completed * context.source.sizeBytes) / BLOCK_BYTES;
    note(CRCS_A_BLOCK, (generatorMicrosecondsPerBlock ?? Number.NaN) / crcUs);
    note(CORE_SHARE, 100 * (generatorCpuShares[0] ?? Number.NaN));
    return {
      bytes: blocks * BLOCK_BYTES,
      blocks,
      seconds,
      serverCpuUs: (server?.cpuMs ?? Number.NaN) * 1000,
      receiverCpuUs: (generatorMicrosecondsPerBlock ?? Number.NaN) * blocks,
    };
  };
  return { ...(await interleave(context, { [COMMAND]: run }, { repeats: false })), ...figures };
}

/** Rejects when a device failed, because the command does. */
async function runFleet({ group, source }: BenchContext): Promise<FleetReport> {
  const args = ["fleet", "--devices", String(DEVICES), "--size", String(source.sizeBytes), "--json"];
  const child = group.start({ side: "both", command: process.execPath, args: [MAIN, ...args] });
  return JSON.parse(await outputOf(child)) as FleetReport;
}

/** The processor time that zlib needs for the CRC-32 of a block, in microseconds, several times. */
function crcMicroseconds(): number[] {
  const block = Buffer.alloc(BLOCK_BYTES, 0x5a);
  return Array.from({ length: CALIBRATIONS }, () => {
    const before = process.cpuUsage();
    for (let index = 0; index < CRCS; index++) crc32(block);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / CRCS;
  });
}
