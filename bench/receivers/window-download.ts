/** A download of one file over and over with a fixed number of requests in flight: the steady state of a fast link. */
import type { CrcPlan } from "../../device/fleet/crc-combine.ts";
import { CrcPlans } from "../../device/fleet/crc-combine.ts";
import type { ReceivedRun } from "../../device/fleet/received-run.ts";
import { VerifyStore } from "../../device/fleet/verify-store.ts";
import { formatBitmap } from "../../shared/protocol/bitmap.ts";
import { encodeGet } from "../../shared/protocol/encode.ts";
import type { WindowTask } from "./tasks.ts";
import type { WindowMeter } from "./window-meter.ts";

const CLIENT_TOKEN = "bench-00000000";
const plans = new CrcPlans();

/** Takes blocks by name and CRC-32, verifies every whole file, and asks for the blocks that follow. */
export class WindowDownload {
  private readonly task: WindowTask;
  private readonly meter: WindowMeter;
  private readonly send: (get: Uint8Array) => void;
  private readonly plan: CrcPlan;
  private readonly store: VerifyStore;
  private blocks = 0;
  private nextBlockId = 0;

  constructor(task: WindowTask, meter: WindowMeter, send: (get: Uint8Array) => void) {
    this.task = task;
    this.meter = meter;
    this.send = send;
    this.plan = plans.planFor(task.file.sizeBytes, task.blockSizeBytes);
    this.store = new VerifyStore(this.plan);
  }

  /** Begins once the device is connected and subscribed. */
  start(): void {
    this.meter.deviceStarted();
    for (let index = 0; index < this.task.requests; index++) this.askNext();
  }

  /** Takes a block; after the last of a request the next request goes out. */
  take(blockId: number, crc32: number): void {
    this.store.take(blockId, crc32);
    this.count(1);
  }

  /** Takes blocks that came at once. */
  takeRun(run: ReceivedRun): void {
    this.store.takeRun(run);
    this.count(run.blockCount);
  }

  private count(blockCount: number): void {
    const { requestBlocks } = this.task;
    this.meter.blocks += blockCount;
    const answered = Math.floor((this.blocks + blockCount) / requestBlocks) - Math.floor(this.blocks / requestBlocks);
    this.blocks += blockCount;
    for (let index = 0; index < answered; index++) this.askNext();
    if (this.store.complete) this.finishFile();
  }

  private askNext(): void {
    if (this.meter.isOver) return;
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
    const verification = this.store.verify({ fileId: 0, ...this.task.file });
    if (!verification.ok) this.meter.fail(new Error(verification.message));
    this.store.clear();
    this.meter.fileFinished();
  }
}
