/** Measures what all devices of a window task receive together, from when the last of them is connected. */
import type { Measurement } from "../harness/measurement.ts";
import { cpuMicroseconds } from "../harness/process-figures.ts";
import type { WindowTask } from "./tasks.ts";

interface Reading {
  readonly atMs: number;
  readonly serverUs: number;
  readonly receiverUs: number;
  readonly blocks: number;
}

/** What is not counted, before what is, as a share of it. */
const WARM_UP_SHARE = 0.2;

/** Counts blocks; looks at the clock whenever a device has a whole file. */
export class WindowMeter {
  /** Blocks that arrived. */
  blocks = 0;
  private readonly task: WindowTask;
  private readonly outcome = Promise.withResolvers<Measurement>();
  private missing: number;
  private beganMs = Number.POSITIVE_INFINITY;
  private first: Reading | undefined;
  private isSettled = false;

  constructor(task: WindowTask) {
    this.task = task;
    this.missing = task.devices ?? 1;
  }

  /** Settled when enough was measured, or when something went wrong. */
  get measured(): Promise<Measurement> {
    return this.outcome.promise;
  }

  /** Nothing more needs to be received. */
  get isOver(): boolean {
    return this.isSettled;
  }

  /** Notes that one more device is connected. */
  deviceStarted(): void {
    if (--this.missing === 0) this.beganMs = performance.now();
  }

  /** Notes that a device has a whole file more. */
  fileFinished(): void {
    const { measureMs } = this.task;
    const nowMs = performance.now();
    if (this.first === undefined) {
      if (nowMs - this.beganMs >= WARM_UP_SHARE * measureMs) this.first = this.read(nowMs);
    } else if (nowMs - this.first.atMs >= measureMs) {
      this.isSettled = true;
      this.outcome.resolve(this.between(this.first, this.read(nowMs)));
    }
  }

  /** Ends the measurement without one. */
  fail(error: Error): void {
    this.isSettled = true;
    this.outcome.reject(error);
  }

  private read(atMs: number): Reading {
    const serverUs = cpuMicroseconds(this.task.serverPids);
    return { atMs, serverUs, receiverUs: cpuMicroseconds([process.pid]), blocks: this.blocks };
  }

  private between(first: Reading, last: Reading): Measurement {
    const { blockSizeBytes, file } = this.task;
    const blocks = last.blocks - first.blocks;
    return {
      blocks,
      // Of one device whole files, to the byte: both readings were made at the end of a file.
      bytes: (blocks / Math.ceil(file.sizeBytes / blockSizeBytes)) * file.sizeBytes,
      seconds: (last.atMs - first.atMs) / 1000,
      serverCpuUs: last.serverUs - first.serverUs,
      receiverCpuUs: last.receiverUs - first.receiverUs,
    };
  }
}
