/** Watches the kernel's memory for TCP during a run: above its pressure mark every connection of the machine slows down. */
import { readFile } from "node:fs/promises";
import type { Clock, Timer } from "../../shared/clock.ts";

const INTERVAL_MS = 500;
const PAGE_BYTES = 4096;
const MEBIBYTE = 1024 * 1024;

/** Watches until it is stopped; where the kernel does not tell, there is nothing to say. */
export class TcpMemoryWatch {
  private readonly clock: Clock;
  private timer: Timer | undefined;
  private peakPages = 0;
  private pressurePages = Number.POSITIVE_INFINITY;
  private isStopped = false;

  constructor(clock: Clock) {
    this.clock = clock;
    void this.look();
  }

  /** Stops watching; a sentence when the mark was passed. */
  stop(): string | undefined {
    this.isStopped = true;
    this.timer?.cancel();
    if (this.peakPages < this.pressurePages) return undefined;
    const mebibytes = (pages: number): number => Math.round((pages * PAGE_BYTES) / MEBIBYTE);
    return `the kernel's memory for TCP came to ${mebibytes(this.peakPages)} MiB, above the ${mebibytes(this.pressurePages)} MiB from which it slows connections down (net.ipv4.tcp_mem)`;
  }

  private async look(): Promise<void> {
    const [marks = "", used = ""] = await Promise.all(
      ["/proc/sys/net/ipv4/tcp_mem", "/proc/net/sockstat"].map((path) => readFile(path, "latin1").catch(() => "")),
    );
    const pressure = Number(marks.trim().split(/\s+/)[1]);
    if (pressure > 0) this.pressurePages = pressure;
    this.peakPages = Math.max(this.peakPages, Number(/^TCP:.* mem (\d+)/m.exec(used)?.[1] ?? 0));
    if (!this.isStopped) this.timer = this.clock.setTimer(INTERVAL_MS, () => void this.look());
  }
}
