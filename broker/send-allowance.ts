/** Keeps the kernel's memory for devices that do not read within bounds, by looking how much of what was written they took. */
import type { Clock, Timer } from "../shared/clock.ts";
import type { ClientLink } from "./client-link.ts";
import type { KernelQueues } from "./kernel-queues.ts";

/** What may be unacknowledged for a device of which nothing better is known: two answers. */
const LEAST_ALLOWANCE_BYTES = 256 * 1024;
/** A device may have so many times unacknowledged what it was seen to take between two looks. */
const ALLOWED_PER_TAKEN = 4;
/** A device that was seen to take nothing for so long is allowed the least again. */
const FORGET_AFTER_MS = 1_000;
/** The memory of all sockets is looked at each time so much was written. */
const WRITTEN_PER_CHECK_BYTES = 4 * 1024 * 1024;
/** A look at each socket takes 1 to 3 us for each that the machine has: it may cost this share of the time. */
const LONGEST_SHARE = 1 / 20;
const SHORTEST_INTERVAL_MS = 20;
/** How often is looked while somebody is not allowed any more, at least. */
const HELD_INTERVAL_MS = 250;

/**
 * A socket accepts megabytes for a client that reads nothing, and Node cannot tell it not to. While the sockets of the
 * machine take little, nobody is limited. From 64 MiB on a device may have 256 KiB unacknowledged, or four times
 * what it was seen to take since the look before, whichever is more; what is owed beyond waits here.
 */
export class SendAllowance {
  private readonly kernel: KernelQueues | undefined;
  private readonly clock: Clock;
  private readonly allowedAgain: (link: ClientLink) => void;
  private readonly links = new Set<ClientLink>();
  private isLimiting = false;
  private writtenBytes = 0;
  private nextLookMs = 0;
  private timer: Timer | undefined;

  /** `allowedAgain` is called for every connection that waits to hear that it can take more. */
  constructor(kernel: KernelQueues | undefined, clock: Clock, allowedAgain: (link: ClientLink) => void) {
    this.kernel = kernel;
    this.clock = clock;
    this.allowedAgain = allowedAgain;
  }

  /** Starts to count what a connection takes. */
  add(link: ClientLink): void {
    this.links.add(link);
  }

  /** Ends it. */
  remove(link: ClientLink): void {
    this.links.delete(link);
    if (this.links.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Says whether blocks may be written to a connection. */
  allows(link: ClientLink): boolean {
    return !this.isLimiting || link.unseenBytes < allowanceOf(link);
  }

  /** Counts blocks that were written to a connection. */
  count(link: ClientLink, bytes: number): void {
    link.unseenBytes += bytes;
    this.writtenBytes += bytes;
    if (this.isLimiting) {
      if (link.unseenBytes > allowanceOf(link) / 2) this.lookSoon(0);
    } else if (this.writtenBytes >= WRITTEN_PER_CHECK_BYTES && this.kernel !== undefined) {
      this.writtenBytes = 0;
      if (this.kernel.totalBytes() > this.kernel.worthALookBytes) this.look(this.kernel);
    }
  }

  private lookSoon(leastMs: number): void {
    if (this.timer !== undefined || this.kernel === undefined) return;
    const { kernel } = this;
    const delayMs = Math.max(leastMs, this.nextLookMs - this.clock.monotonicMs());
    this.timer = this.clock.setTimer(delayMs, () => {
      this.timer = undefined;
      this.look(kernel);
      for (const link of this.links) if (link.owesReady) this.allowedAgain(link);
    });
  }

  private look(kernel: KernelQueues): void {
    const startedMs = this.clock.monotonicMs();
    this.isLimiting = kernel.totalBytes() > kernel.worthALookBytes;
    if (!this.isLimiting) return;
    const queues = kernel.sendQueues();
    let isAnyHeld = false;
    for (const link of this.links) {
      settle(link, (queues.get(link.socketKey) ?? 0) + link.connection.writableLength, startedMs);
      isAnyHeld ||= !this.allows(link);
    }
    const endedMs = this.clock.monotonicMs();
    this.nextLookMs = endedMs + Math.max(SHORTEST_INTERVAL_MS, (endedMs - startedMs) / LONGEST_SHARE);
    if (isAnyHeld) this.lookSoon(HELD_INTERVAL_MS);
  }
}

function allowanceOf({ earnedBytes }: ClientLink): number {
  return Math.max(LEAST_ALLOWANCE_BYTES, earnedBytes);
}

/** Takes note of how much of what was written to a connection is still queued. */
function settle(link: ClientLink, queuedBytes: number, nowMs: number): void {
  const takenBytes = link.unseenBytes - queuedBytes;
  link.unseenBytes = queuedBytes;
  if (takenBytes > 0) {
    link.earnedBytes = Math.max(link.earnedBytes, ALLOWED_PER_TAKEN * takenBytes);
    link.progressCount++;
  }
  if (takenBytes > 0 || queuedBytes === 0) link.seenTakingMs = nowMs;
  else if (nowMs - link.seenTakingMs >= FORGET_AFTER_MS) link.earnedBytes = 0;
}
