/** Keeps the kernel's memory for devices that do not read within bounds, by looking how much of what was written they took. */
import type { Clock, Timer } from "../shared/clock.ts";
import type { ClientLink } from "./client-link.ts";
import type { KernelQueues } from "./kernel-queues.ts";

/** What may be unacknowledged for a device that is stuck, or not trusted where that matters: an answer. */
const LEAST_ALLOWANCE_BYTES = 128 * 1024;
/** A device that took so much reads: a receive buffer that nobody reads does not grow to it by itself. */
const TRUSTED_FROM_BYTES = 512 * 1024;
/** The memory of all sockets is read each time so much was written, or later if it is far from where it matters... */
const WRITTEN_PER_CHECK_BYTES = 4 * 1024 * 1024;
/** ...when this share of what is missing was written: the kernel sets aside more than that, and for others, too. */
const CHECKED_SHARE = 1 / 4;
/** A look at each socket takes 1 to 3 us for each that the machine has: it may cost this share of the time... */
const LONGEST_SHARE = 1 / 10;
/** ...and so much at once, in milliseconds. */
const LONGEST_BURST_MS = 50;
/** After a look the next one is due when that memory has grown to so many times what it was. */
const GROWTH_PER_LOOK = 1.5;
/** Time for a device to take something between two looks. */
const SHORTEST_INTERVAL_MS = 5;
/** Longer than this is not counted for a device that was given blocks meanwhile: nobody knows what was queued when. */
const LONGEST_KNOWN_MS = 250;
/** How often is looked while blocks are written and that memory has not grown so much, or the same devices are held: this share of the time... */
const QUIET_SHARE = 1 / 50;
/** ...but within these bounds. */
const SHORTEST_QUIET_MS = 250;
const LONGEST_QUIET_MS = 1_000;
/** A device that was not seen to read is stuck that would need longer for what it has, in milliseconds. */
const UNPROVEN_DRAIN_MS = 1_000;
/** One that was is given time: its process may have many, and comes round to each every now and then. */
const TRUSTED_DRAIN_MS = 2_000;
/** How long it is watched before it is judged. */
const WATCH_MS = 100;

/**
 * A socket accepts megabytes for a client that reads nothing, and Node cannot tell it not to. While the sockets of the
 * machine take little, nobody is limited. From 128 MiB on, a device is stuck that has more than 128 KiB unacknowledged
 * and takes so little that it would need too long for them: what it is owed beyond waits here. From where the kernel
 * begins to ration, so does what is owed to a device that was not seen to take 512 KiB yet.
 */
export class SendAllowance {
  private readonly kernel: KernelQueues | undefined;
  private readonly clock: Clock;
  private readonly allowedAgain: (link: ClientLink) => void;
  private readonly links = new Set<ClientLink>();
  private ipv6Links = 0;
  private pressure: "none" | "some" | "much" = "none";
  private writtenBytes = 0;
  /** With so much written, the memory of all sockets is read again. */
  private checkFromBytes = WRITTEN_PER_CHECK_BYTES;
  /** When the memory of all sockets reaches so much, each is looked at. */
  private lookFromBytes = 0;
  private lastLookMs: number;
  /** How much time looks may take now. */
  private budgetMs = LONGEST_BURST_MS;
  /** What the last look took. */
  private lookMs = 0;
  /** How long to wait until the next look at those that are held. */
  private heldIntervalMs = SHORTEST_INTERVAL_MS;
  private timer: Timer | undefined;
  private timerDueMs = Number.POSITIVE_INFINITY;

  /** `allowedAgain` is called for every connection that waits to hear that it can take more. */
  constructor(kernel: KernelQueues | undefined, clock: Clock, allowedAgain: (link: ClientLink) => void) {
    this.kernel = kernel;
    this.clock = clock;
    this.allowedAgain = allowedAgain;
    this.lastLookMs = clock.monotonicMs();
  }

  /** Starts to count what a connection takes. */
  add(link: ClientLink): void {
    this.links.add(link);
    if (link.isIpv6) this.ipv6Links++;
  }

  /** Ends it. */
  remove(link: ClientLink): void {
    if (!this.links.delete(link)) return;
    if (link.isIpv6) this.ipv6Links--;
    if (this.links.size === 0) this.cancelTimer();
  }

  /** Counts blocks that were written to a connection. */
  count(link: ClientLink, bytes: number): void {
    link.unseenBytes += bytes;
    this.writtenBytes += bytes;
    if (this.kernel === undefined) return;
    if (this.writtenBytes >= this.checkFromBytes) this.check(this.kernel);
    if (this.pressure !== "much" || link.isTrusted || link.unseenBytes < LEAST_ALLOWANCE_BYTES) return;
    link.isHeld = true;
    this.heldIntervalMs = SHORTEST_INTERVAL_MS;
    this.lookWithin(this.kernel, 0);
  }

  /** Looks soon if the memory of all sockets has grown, and otherwise unhurriedly: what it has is known, or too little. */
  private check(kernel: KernelQueues): void {
    this.writtenBytes = 0;
    const totalBytes = this.measure(kernel);
    const missingBytes = kernel.worthALookBytes - totalBytes;
    this.checkFromBytes = Math.max(WRITTEN_PER_CHECK_BYTES, missingBytes * CHECKED_SHARE);
    if (this.pressure === "none") {
      this.lookFromBytes = 0;
      return;
    }
    this.lookWithin(kernel, totalBytes >= this.lookFromBytes ? 0 : this.quietIntervalMs);
  }

  /** Looks after a delay, or later if looks cost too much; a timer that is due before stays. */
  private lookWithin(kernel: KernelQueues, delayMs: number): void {
    const nowMs = this.clock.monotonicMs();
    const earliestMs = this.lastLookMs + Math.max(SHORTEST_INTERVAL_MS, -this.budgetMs / LONGEST_SHARE);
    const dueMs = Math.max(nowMs + delayMs, earliestMs);
    if (this.timerDueMs <= dueMs) return;
    this.cancelTimer();
    this.timerDueMs = dueMs;
    this.timer = this.clock.setTimer(dueMs - nowMs, () => {
      this.timerDueMs = Number.POSITIVE_INFINITY;
      this.look(kernel);
      for (const link of this.links) if (link.owesReady && !link.isHeld) this.allowedAgain(link);
    });
  }

  private cancelTimer(): void {
    this.timer?.cancel();
    this.timerDueMs = Number.POSITIVE_INFINITY;
  }

  private look(kernel: KernelQueues): void {
    const startedMs = this.clock.monotonicMs();
    const sinceMs = startedMs - this.lastLookMs;
    this.lookFromBytes = Math.max(kernel.worthALookBytes, this.measure(kernel) * GROWTH_PER_LOOK);
    const queues = kernel.sendQueues(this.ipv6Links > 0);
    this.budgetMs = Math.min(LONGEST_BURST_MS, this.budgetMs + sinceMs * LONGEST_SHARE);
    let isAnyHeld = false;
    for (const link of this.links) {
      const queuedBytes = (queues.get(link.socketKey) ?? 0) + link.connection.writableLength;
      const isStuck = judge(link, queuedBytes, startedMs, sinceMs);
      const isNew = !link.isTrusted && queuedBytes >= LEAST_ALLOWANCE_BYTES;
      const isHeld = this.pressure === "some" ? isStuck : this.pressure === "much" && (isStuck || isNew);
      if (isHeld && !link.isHeld) this.heldIntervalMs = SHORTEST_INTERVAL_MS;
      link.isHeld = isHeld;
      isAnyHeld ||= isHeld;
    }
    this.lastLookMs = this.clock.monotonicMs();
    this.lookMs = this.lastLookMs - startedMs;
    this.budgetMs -= this.lookMs;
    if (!isAnyHeld) return;
    this.lookWithin(kernel, this.heldIntervalMs);
    this.heldIntervalMs = Math.min(this.quietIntervalMs, 2 * this.heldIntervalMs);
  }

  /** Reads the memory of all sockets, in bytes. */
  private measure(kernel: KernelQueues): number {
    const totalBytes = kernel.totalBytes();
    if (totalBytes <= kernel.worthALookBytes) this.pressure = "none";
    else this.pressure = totalBytes <= kernel.noRoomBytes ? "some" : "much";
    return totalBytes;
  }

  private get quietIntervalMs(): number {
    return Math.min(Math.max(this.lookMs / QUIET_SHARE, SHORTEST_QUIET_MS), LONGEST_QUIET_MS);
  }
}

/** Takes note of how much of what was written to a connection is still queued; says whether it is stuck. */
function judge(link: ClientLink, queuedBytes: number, nowMs: number, sinceMs: number): boolean {
  const takenBytes = Math.max(0, link.unseenBytes - queuedBytes);
  link.unseenBytes = queuedBytes;
  if (takenBytes > 0) link.progressCount++;
  const isStuck = link.isTrusted
    ? watch(link, queuedBytes, takenBytes, nowMs)
    : needsLonger(
        UNPROVEN_DRAIN_MS,
        queuedBytes,
        takenBytes,
        Math.min(sinceMs, link.isHeld ? LONGEST_QUIET_MS : LONGEST_KNOWN_MS),
      );
  // Trust that was lost is earned anew.
  link.takenBytes = isStuck ? 0 : link.takenBytes + takenBytes;
  link.isTrusted = link.takenBytes >= TRUSTED_FROM_BYTES;
  if (!link.isTrusted) link.watch = undefined;
  return isStuck;
}

/**
 * Says whether a trusted device is stuck, once it was watched for a while with more than an answer queued. Longer than from
 * one look to the next one at most does not count: nobody knows what was queued meanwhile.
 */
function watch(link: ClientLink, queuedBytes: number, takenBytes: number, nowMs: number): boolean {
  if (queuedBytes <= LEAST_ALLOWANCE_BYTES) {
    link.watch = undefined;
    return false;
  }
  if (link.watch === undefined) {
    link.watch = { sinceMs: nowMs, takenBytes: 0 };
    return false;
  }
  link.watch.takenBytes += takenBytes;
  const watchedMs = nowMs - link.watch.sinceMs;
  if (watchedMs < WATCH_MS) return false;
  const isStuck = needsLonger(
    TRUSTED_DRAIN_MS,
    queuedBytes,
    link.watch.takenBytes,
    Math.min(watchedMs, LONGEST_QUIET_MS),
  );
  link.watch = { sinceMs: nowMs, takenBytes: 0 };
  return isStuck;
}

function needsLonger(drainMs: number, queuedBytes: number, takenBytes: number, withinMs: number): boolean {
  return queuedBytes > LEAST_ALLOWANCE_BYTES && takenBytes * drainMs < queuedBytes * withinMs;
}
