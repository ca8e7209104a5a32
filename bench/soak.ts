/** A long run of the same fleet, over and over, with memory, processor time and throughput in a line for each download. */
import { fleetTask } from "./groups/fleets.ts";
import { ONE_FILE } from "./groups/one-device.ts";
import { type BenchContext, measure } from "./harness/bench-context.ts";
import { megabytesPerSecond } from "./harness/measurement.ts";
import { watchMemory } from "./harness/memory-watch.ts";
import { startOwnServer } from "./harness/own-server.ts";
import { Receiver } from "./harness/receiver.ts";
import { markdownTable } from "./report.ts";

/** What was seen at the end of one download by the whole fleet. */
interface SoakSample {
  readonly seconds: number;
  readonly megabytesPerSecond: number;
  readonly serverUsPerBlock: number;
  readonly serverBytes: number;
  readonly receiverBytes: number;
  readonly kernelBytes: number;
  readonly unfinished: number;
}

const DEVICES = 500;
const SHOWN_SAMPLES = 20;

/** Runs for `minutes`; returns every sample. */
export async function soak(context: BenchContext, minutes: number): Promise<SoakSample[]> {
  const { directory, group, report, source } = context;
  const own = await startOwnServer(group, directory);
  await own.publish(ONE_FILE, source);
  const receiver = new Receiver(group);
  const startedMs = performance.now();
  const samples: SoakSample[] = [];
  while (performance.now() - startedMs < minutes * 60_000) {
    const peakOf = watchMemory(own.pids, receiver.pid);
    const measurement = await measure(receiver, fleetTask(own, DEVICES, ONE_FILE));
    const { blocks, serverCpuUs, unfinished = 0 } = measurement;
    const sample = {
      seconds: (performance.now() - startedMs) / 1000,
      megabytesPerSecond: megabytesPerSecond(measurement),
      serverUsPerBlock: serverCpuUs / blocks,
      ...peakOf(),
      unfinished,
    };
    samples.push(sample);
    report(`${sample.seconds.toFixed(0)} s: ${sample.megabytesPerSecond.toFixed(0)} MB/s`);
  }
  return samples;
}

/** Some of the samples, evenly spread, the last one among them. */
export function formatSoak(samples: readonly SoakSample[]): string {
  const step = Math.max(1, Math.ceil(samples.length / SHOWN_SAMPLES));
  const shown = samples.filter((_, index) => (samples.length - 1 - index) % step === 0);
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  return markdownTable(
    ["seconds", "MB/s", "server us/block", "server MiB", "receiver MiB", "kernel MiB", "unfinished"],
    shown.map((sample) => [
      sample.seconds.toFixed(0),
      sample.megabytesPerSecond.toFixed(0),
      sample.serverUsPerBlock.toFixed(2),
      mebibytes(sample.serverBytes),
      mebibytes(sample.receiverBytes),
      mebibytes(sample.kernelBytes),
      String(sample.unfinished),
    ]),
  );
}
