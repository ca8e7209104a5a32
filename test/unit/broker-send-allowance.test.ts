/** What a device that reads nothing may cost the kernel, and what one that reads is never refused. */
import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, it } from "vitest";
import { ClientLink } from "../../broker/client-link.ts";
import type { KernelQueues } from "../../broker/kernel-queues.ts";
import { SendAllowance } from "../../broker/send-allowance.ts";
import { type ControlClock, createControlClock } from "../support/control-clock.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
let totalBytes = 0;
let looks = 0;
let lookMs = 0;
let peers = 0;
let queues: Map<string, number>;
let clock: ControlClock;
let allowance: SendAllowance;
let again: ClientLink[];

beforeEach(() => {
  totalBytes = 0;
  looks = 0;
  lookMs = 0;
  queues = new Map();
  again = [];
  clock = createControlClock(0);
  const kernel: KernelQueues = {
    worthALookBytes: 64 * MIB,
    noRoomBytes: 512 * MIB,
    totalBytes: () => totalBytes,
    sendQueues: () => {
      looks++;
      if (lookMs > 0) clock.advance(lookMs);
      return queues;
    },
  };
  allowance = new SendAllowance(kernel, clock, (link) => again.push(link));
});

function connect(): ClientLink {
  const link = new ClientLink(new PassThrough(), () => {});
  Object.assign(link, { socketKey: `peer ${peers++}` });
  allowance.add(link);
  return link;
}

/** Writes to a link as much as it may, up to some bytes, and returns how much that was; the kernel keeps all of it. */
function write(link: ClientLink, bytes: number): number {
  let written = 0;
  while (written < bytes && !link.isHeld) {
    queues.set(link.socketKey, link.unseenBytes + 64 * KIB);
    allowance.count(link, 64 * KIB);
    written += 64 * KIB;
  }
  if (written < bytes) link.owesReady = true;
  return written;
}

/** Lets time pass, and what is due happen when it is due. */
function pass(durationMs: number): void {
  for (let millisecond = 0; millisecond < durationMs; millisecond++) clock.advance(1);
}

/** Lets the kernel's memory become short, with a device that took nothing of 4 MiB. */
function limit(bytes = 513 * MIB): ClientLink {
  totalBytes = bytes;
  const frozen = connect();
  write(frozen, 4 * MIB);
  return frozen;
}

describe("SendAllowance", () => {
  it("limits nobody and looks at no socket while all sockets together take little", () => {
    const link = connect();
    expect(write(link, 100 * MIB)).toBe(100 * MIB);
    pass(10_000);
    expect(looks).toBe(0);
  });

  it("stops at 128 KiB for a device that takes nothing, once there is no room, and goes on when it takes them", () => {
    limit();
    const frozen = connect();
    expect(write(frozen, 10 * MIB)).toBe(128 * KIB);
    pass(5_000);
    expect(again).toEqual([]);
    const { progressCount } = frozen;
    queues.delete(frozen.socketKey);
    pass(250);
    expect(frozen.progressCount).toBe(progressCount + 1);
    expect(again).toEqual([frozen]);
    expect(write(frozen, 2 * MIB)).toBe(128 * KIB);
  });

  it("trusts new devices while there is some room, and holds those that turn out to be stuck", () => {
    limit(65 * MIB);
    const [stuck, fast] = [connect(), connect()];
    for (let answer = 0; answer < 50; answer++) {
      expect(write(fast, MIB)).toBe(MIB);
      queues.set(fast.socketKey, 0);
      write(stuck, 64 * KIB);
      pass(1);
    }
    expect(stuck.isHeld).toBe(true);
    expect(stuck.unseenBytes).toBeLessThanOrEqual(6 * MIB);
    queues.set(stuck.socketKey, 128 * KIB);
    pass(250);
    expect(again).toContain(stuck);
  });

  it("lets a new device that reads go on within milliseconds, and one that is trusted at once", () => {
    const frozen = limit();
    pass(5_000);
    expect(frozen.isHeld).toBe(true);
    const fast = connect();
    expect(write(fast, MIB)).toBe(128 * KIB);
    queues.set(fast.socketKey, 0);
    pass(5);
    expect(again).toEqual([fast]);
    expect(write(fast, MIB)).toBe(128 * KIB);
    queues.set(fast.socketKey, 0);
    pass(5);
    expect(again).toEqual([fast, fast]);
    for (let answer = 0; answer < 2; answer++) {
      expect(write(fast, MIB)).toBe(128 * KIB);
      queues.set(fast.socketKey, 0);
      pass(5);
    }
    for (let answer = 0; answer < 100; answer++) {
      expect(write(fast, 128 * KIB)).toBe(128 * KIB);
      queues.set(fast.socketKey, 0);
      pass(1);
    }
    expect(write(fast, 3 * MIB)).toBe(3 * MIB);
  });

  it("holds a device that it trusted once it is seen not to take what it has, and not while it does", () => {
    limit();
    const [stopping, draining] = [connect(), connect()];
    for (let answer = 0; answer < 4; answer++) {
      for (const link of [stopping, draining]) {
        write(link, 128 * KIB);
        queues.set(link.socketKey, 0);
      }
      pass(250);
    }
    write(stopping, 2 * MIB);
    write(draining, 8 * MIB);
    for (let queuedBytes = 8 * MIB; queuedBytes > MIB / 2; queuedBytes -= 100 * KIB) {
      queues.set(draining.socketKey, queuedBytes);
      pass(10);
    }
    expect([stopping, draining].map(({ isHeld }) => isHeld)).toEqual([true, false]);
  });

  it("does not hold a trusted device that reads only every now and then, however often it looks", () => {
    limit(65 * MIB);
    const [reader, other] = [connect(), connect()];
    Object.assign(reader, { isTrusted: true, takenBytes: MIB });
    let mostHeld = 0;
    for (let millisecond = 0; millisecond < 1_000; millisecond++) {
      // A process with many devices comes round to each of them every 90 ms.
      if (millisecond % 90 === 0) {
        queues.set(reader.socketKey, 200 * KIB);
        allowance.count(reader, 800 * KIB);
        queues.set(reader.socketKey, 1_000 * KIB);
      }
      if (millisecond % 90 === 80) queues.set(reader.socketKey, 200 * KIB);
      write(other, 64 * KIB);
      pass(1);
      mostHeld = Math.max(mostHeld, Number(reader.isHeld));
    }
    expect(looks).toBeGreaterThan(5);
    expect(mostHeld).toBe(0);
  });

  it.each([300, 60_000])("does not hold against a trusted device what it had queued %i ms ago: nothing", (idleMs) => {
    totalBytes = 65 * MIB;
    const [bursting, busy] = [connect(), connect()];
    Object.assign(bursting, { isTrusted: true, takenBytes: MIB });
    write(busy, 4 * MIB);
    pass(5);
    expect(looks).toBe(1);
    pass(idleMs);
    allowance.count(bursting, MIB);
    queues.set(bursting.socketKey, MIB);
    write(busy, 64 * KIB);
    const before = looks;
    while (looks === before) pass(1);
    expect(bursting.isHeld).toBe(false);
  });

  it("does not hold against a new device that nobody looked for a long while", () => {
    pass(10_000);
    totalBytes = 65 * MIB;
    const fast = connect();
    allowance.count(fast, 3 * MIB);
    queues.set(fast.socketKey, MIB);
    allowance.count(fast, MIB);
    pass(1);
    expect(looks).toBe(1);
    expect(fast.isHeld).toBe(false);
  });

  it("looks at each socket when the memory of all has grown by half, and seldom while it has not", () => {
    totalBytes = 65 * MIB;
    const fast = connect();
    const looksIn = (durationMs: number): number => {
      const before = looks;
      for (let millisecond = 0; millisecond < durationMs; millisecond++) {
        write(fast, 4 * MIB);
        queues.set(fast.socketKey, 0);
        pass(1);
      }
      return looks - before;
    };
    expect(looksIn(10)).toBe(1);
    expect(looksIn(200)).toBe(0);
    totalBytes = 97 * MIB;
    expect(looksIn(20)).toBe(0);
    totalBytes = 98 * MIB;
    expect(looksIn(10)).toBe(1);
    expect(looksIn(300)).toBe(1);
    totalBytes = MIB;
    expect(looksIn(300)).toBe(1);
    totalBytes = 65 * MIB;
    expect(looksIn(10)).toBe(1);
  });

  it("spends a tenth of the time on looks at most, and 50 ms at once, however many devices are new", () => {
    limit();
    lookMs = 2;
    looks = 0;
    for (let millisecond = 0; millisecond < 1_000; millisecond++) {
      write(connect(), MIB);
      pass(1);
    }
    expect(looks * lookMs).toBeGreaterThan(80);
    expect(looks * lookMs).toBeLessThanOrEqual(50 + 100 + lookMs);
  });

  it("spends a fiftieth of the time on looks at most while the same device is held and nobody is new", () => {
    limit();
    lookMs = 15;
    pass(3_000);
    looks = 0;
    pass(10_000);
    expect(looks).toBeGreaterThanOrEqual(10);
    expect(looks * lookMs).toBeLessThanOrEqual(220);
  });

  it.each([0, 18])("goes on holding a device that takes a third of it in a second, with looks of %i ms", (look) => {
    limit();
    const slow = connect();
    write(slow, MIB);
    lookMs = look;
    for (let tenth = 0; tenth < 30; tenth++) {
      pass(100);
      queues.set(slow.socketKey, Math.round((queues.get(slow.socketKey) as number) * 0.967));
      expect(slow.isHeld || slow.unseenBytes < 128 * KIB).toBe(true);
    }
  });

  it("lets everybody go on when there is room again", () => {
    limit();
    const frozen = connect();
    write(frozen, MIB);
    pass(5_000);
    expect(frozen.isHeld).toBe(true);
    totalBytes = 10 * MIB;
    pass(250);
    expect(again.at(-1)).toBe(frozen);
    expect(write(frozen, 10 * MIB)).toBe(10 * MIB);
  });

  it("leaves no timer behind when nobody is connected any more", () => {
    const link = connect();
    totalBytes = 65 * MIB;
    write(link, 4 * MIB);
    allowance.remove(link);
    const before = looks;
    pass(10_000);
    expect(looks).toBe(before);
  });

  it("limits nobody where the kernel tells nothing", () => {
    const blind = new SendAllowance(undefined, clock, () => {});
    const link = connect();
    for (let chunk = 0; chunk < 1_000; chunk++) blind.count(link, 64 * KIB);
    expect(link.isHeld).toBe(false);
  });
});
