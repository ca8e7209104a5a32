/** A SendAllowance over a kernel whose books a test writes, and time that it lets pass. */
import { PassThrough } from "node:stream";
import { ClientLink } from "../../broker/client-link.ts";
import { SendAllowance } from "../../broker/send-allowance.ts";
import { type ControlClock, createControlClock } from "./control-clock.ts";

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Worth a look from 64 MiB on, without room from 512 MiB on. */
export class AllowanceRig {
  totalBytes = 0;
  /** How often the memory of all sockets was read. */
  reads = 0;
  /** How often was looked, and how long each look takes, in milliseconds. */
  looks = 0;
  lookMs = 0;
  /** What the kernel keeps, by `socketKey`. */
  readonly queues = new Map<string, number>();
  /** The links that were told to go on, one after another. */
  readonly again: ClientLink[] = [];
  readonly clock: ControlClock = createControlClock(0);
  readonly allowance: SendAllowance;
  private peers = 0;

  constructor() {
    const kernel = {
      worthALookBytes: 64 * MIB,
      noRoomBytes: 512 * MIB,
      totalBytes: () => {
        this.reads++;
        return this.totalBytes;
      },
      sendQueues: () => {
        this.looks++;
        if (this.lookMs > 0) this.clock.advance(this.lookMs);
        return this.queues;
      },
    };
    this.allowance = new SendAllowance(kernel, this.clock, (link) => this.again.push(link));
  }

  connect(): ClientLink {
    const link = new ClientLink(new PassThrough(), () => {});
    Object.assign(link, { socketKey: `peer ${this.peers++}` });
    this.allowance.add(link);
    return link;
  }

  /** Writes to a link as much as it may, up to some bytes, and returns how much that was; the kernel keeps all of it. */
  write(link: ClientLink, bytes: number): number {
    let written = 0;
    while (written < bytes && !link.isHeld) {
      this.queues.set(link.socketKey, link.unseenBytes + 64 * KIB);
      this.allowance.count(link, 64 * KIB);
      written += 64 * KIB;
    }
    if (written < bytes) link.owesReady = true;
    return written;
  }

  /** Lets time pass, and what is due happen when it is due. */
  pass(durationMs: number): void {
    for (let millisecond = 0; millisecond < durationMs; millisecond++) this.clock.advance(1);
  }

  /** Lets the kernel's memory become short, with a device that took nothing of 4 MiB. */
  limit(bytes = 513 * MIB): ClientLink {
    this.totalBytes = bytes;
    const frozen = this.connect();
    this.write(frozen, 4 * MIB);
    return frozen;
  }
}
