/** Watches the kernel's memory for TCP during a run: above its pressure mark every connection of the machine slows down. */
import { readTcpBytes, readTcpMarks } from "../../broker/kernel-queues.ts";
import type { Clock, Timer } from "../../shared/clock.ts";

const INTERVAL_MS = 500;
const MEBIBYTE = 1024 * 1024;

/** Watches until it is stopped; where the kernel does not tell, there is nothing to say. */
export class TcpMemoryWatch {
  private readonly clock: Clock;
  private timer: Timer | undefined;
  private peakBytes = 0;
  private readonly pressureBytes = readTcpMarks().pressureBytes;

  constructor(clock: Clock) {
    this.clock = clock;
    this.look();
  }

  /** Stops watching; a sentence when the mark was passed. */
  stop(): string | undefined {
    this.timer?.cancel();
    if (!(this.peakBytes >= this.pressureBytes)) return undefined;
    const mebibytes = (bytes: number): number => Math.round(bytes / MEBIBYTE);
    return `the kernel's memory for TCP came to ${mebibytes(this.peakBytes)} MiB, above the ${mebibytes(this.pressureBytes)} MiB from which it slows connections down (net.ipv4.tcp_mem)`;
  }

  private look(): void {
    this.peakBytes = Math.max(this.peakBytes, readTcpBytes() ?? 0);
    this.timer = this.clock.setTimer(INTERVAL_MS, () => this.look());
  }
}
