/** A download of one file over and over with a fixed number of requests in flight: the steady state of a fast link. */
import type { CrcPlan } from "../../device/fleet/crc-combine.ts";
import { CrcPlans } from "../../device/fleet/crc-combine.ts";
import { VerifyStore } from "../../device/fleet/verify-store.ts";
import { formatBitmap } from "../../shared/protocol/bitmap.ts";
import { encodeGet } from "../../shared/protocol/encode.ts";
import type { Measurement } from "../harness/measurement.ts";
import { cpuMicroseconds } from "../harness/process-figures.ts";
import type { WindowTask } from "./tasks.ts";

interface Reading {
  readonly atMs: number;
  readonly serverUs: number;
  readonly receiverUs: number;
  readonly blocks: number;
}

const CLIENT_TOKEN = "bench-00000000";
/** What is not counted, before what is, as a share of it. */
const WARM_UP_SHARE = 0.2;

/** Takes blocks by name and CRC-32, verifies every whole file, and asks for the blocks that follow. */
export class WindowDownload {
  private readonly task: WindowTask;
  private readonly send: (get: Uint8Array) => void;
  private readonly outcome = Promise.withResolvers<Measurement>();
  private readonly plan: CrcPlan;
  private readonly store: VerifyStore;
  private blocks = 0;
  private nextBlockId = 0;
  private beganMs = 0;
  private first: Reading | undefined;

  constructor(task: WindowTask, send: (get: Uint8Array) => void) {
    this.task = task;
    this.send = send;
    this.plan = new CrcPlans().planFor(task.file.sizeBytes, task.blockSizeBytes);
    this.store = new VerifyStore(this.plan);
  }

  /** Settled when enough was measured, or when a file turned out wrong. */
  get measured(): Promise<Measurement> {
    return this.outcome.promise;
  }

  /** Begins once the device is connected and subscribed. */
  start(): void {
    this.beganMs = performance.now();
    for (let index = 0; index < this.task.requests; index++) this.askNext();
  }

  /** Takes a block; after the last of a request the next request goes out. */
  take(blockId: number, crc32: number): void {
    this.store.take(blockId, crc32);
    if (++this.blocks % this.task.requestBlocks === 0) this.askNext();
    if (this.store.complete) this.finishFile();
  }

  /** Ends the measurement without one. */
  fail(error: Error): void {
    this.outcome.reject(error);
  }

  private askNext(): void {
    const { blockSizeBytes, format, requestBlocks } = this.task;
    const from = this.nextBlockId;
    const to = Math.min(from + requestBlocks, this.plan.blockCount);
    this.nextBlockId = to % this.plan.blockCount;
    const blockIds = Uint32Array.from({ length: to - from }, (_, index) => from + index);
    const request = {
      clientToken: CLIENT_TOKEN,
      fileId: 0,
      blockSizeBytes,
      ...formatBitmap(blockIds),
      blockCount: to - from,
    };
    this.send(encodeGet(format, request));
  }

  private finishFile(): void {
    const { file, measureMs } = this.task;
    const verification = this.store.verify({ fileId: 0, ...file });
    if (!verification.ok) this.fail(new Error(verification.message));
    this.store.clear();
    const nowMs = performance.now();
    if (this.first === undefined) {
      if (nowMs - this.beganMs >= WARM_UP_SHARE * measureMs) this.first = this.read(nowMs);
    } else if (nowMs - this.first.atMs >= measureMs) {
      this.outcome.resolve(this.between(this.first, this.read(nowMs)));
    }
  }

  private read(atMs: number): Reading {
    const serverUs = cpuMicroseconds(this.task.serverPids);
    return { atMs, serverUs, receiverUs: cpuMicroseconds([process.pid]), blocks: this.blocks };
  }

  private between(first: Reading, last: Reading): Measurement {
    const blocks = last.blocks - first.blocks;
    return {
      blocks,
      // The first reading was made at the end of a file, and so was the last.
      bytes: (blocks / this.plan.blockCount) * this.task.file.sizeBytes,
      seconds: (last.atMs - first.atMs) / 1000,
      serverCpuUs: last.serverUs - first.serverUs,
      receiverCpuUs: last.receiverUs - first.receiverUs,
    };
  }
}
