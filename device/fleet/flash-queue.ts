/** The few buffers of a device with slow flash: blocks wait in them until they are written. */
import type { DeviceProfile } from "./device-profiles.ts";
import type { Timed, TimerWheel } from "./lean-timers.ts";

/** Takes one block after another; what finds no free buffer is lost. */
export class FlashQueue<Block> implements Timed {
  wheelTick = 0;
  private readonly profile: DeviceProfile;
  private readonly timers: Pick<TimerWheel, "schedule" | "cancel">;
  private readonly written: (block: Block, nowMs: number) => void;
  private waiting: { readonly block: Block; readonly atMs: number }[] = [];
  private freeAtMs = 0;

  /** `written` is called with each block once it is written. */
  constructor(
    profile: DeviceProfile,
    timers: Pick<TimerWheel, "schedule" | "cancel">,
    written: (block: Block, nowMs: number) => void,
  ) {
    this.profile = profile;
    this.timers = timers;
    this.written = written;
  }

  /** Takes a block; says whether there was a buffer for it. */
  take(block: Block, sizeBytes: number, nowMs: number): boolean {
    const { bufferBlocks = Number.POSITIVE_INFINITY, flashMsPerByte } = this.profile;
    if (this.waiting.length >= bufferBlocks) return false;
    if (flashMsPerByte === 0) {
      this.written(block, nowMs);
      return true;
    }
    this.freeAtMs = Math.max(this.freeAtMs, nowMs) + sizeBytes * flashMsPerByte;
    this.waiting.push({ block, atMs: this.freeAtMs });
    this.timers.schedule(this, this.freeAtMs);
    return true;
  }

  /** Forgets what waits. */
  clear(): void {
    this.waiting = [];
    this.timers.cancel(this);
  }

  fallDue(nowMs: number): void {
    for (let first = this.waiting[0]; first !== undefined && first.atMs <= nowMs; first = this.waiting[0]) {
      this.waiting.shift();
      this.written(first.block, nowMs);
    }
    const [next] = this.waiting;
    if (next !== undefined) this.timers.schedule(this, next.atMs);
  }
}
