/** What a device that reads nothing may cost the kernel, and what one that reads is never refused. */
import { beforeEach, describe, expect, it } from "vitest";
import { SendAllowance } from "../../broker/send-allowance.ts";
import { AllowanceRig, KIB, MIB } from "../support/send-allowance-rig.ts";

let rig: AllowanceRig;

beforeEach(() => {
  rig = new AllowanceRig();
});

describe("SendAllowance", () => {
  it("limits nobody and looks at no socket while all sockets together take little", () => {
    const link = rig.connect();
    expect(rig.write(link, 100 * MIB)).toBe(100 * MIB);
    rig.pass(10_000);
    expect(rig.looks).toBe(0);
  });

  it("stops at 128 KiB for a device that takes nothing, once there is no room, and goes on when it takes them", () => {
    rig.limit();
    const frozen = rig.connect();
    expect(rig.write(frozen, 10 * MIB)).toBe(128 * KIB);
    rig.pass(5_000);
    expect(rig.again).toEqual([]);
    const { progressCount } = frozen;
    rig.queues.delete(frozen.socketKey);
    rig.pass(250);
    expect(frozen.progressCount).toBe(progressCount + 1);
    expect(rig.again).toEqual([frozen]);
    expect(rig.write(frozen, 2 * MIB)).toBe(128 * KIB);
  });

  it("trusts new devices while there is some room, and holds those that turn out to be stuck", () => {
    rig.limit(65 * MIB);
    const [stuck, fast] = [rig.connect(), rig.connect()];
    for (let answer = 0; answer < 50; answer++) {
      expect(rig.write(fast, MIB)).toBe(MIB);
      rig.queues.set(fast.socketKey, 0);
      rig.write(stuck, 64 * KIB);
      rig.pass(1);
    }
    expect(stuck.isHeld).toBe(true);
    expect(stuck.unseenBytes).toBeLessThanOrEqual(6 * MIB);
    rig.queues.set(stuck.socketKey, 128 * KIB);
    rig.pass(250);
    expect(rig.again).toContain(stuck);
  });

  it("lets a new device that reads go on within milliseconds, and one that is trusted at once", () => {
    const frozen = rig.limit();
    rig.pass(5_000);
    expect(frozen.isHeld).toBe(true);
    const fast = rig.connect();
    expect(rig.write(fast, MIB)).toBe(128 * KIB);
    rig.queues.set(fast.socketKey, 0);
    rig.pass(5);
    expect(rig.again).toEqual([fast]);
    expect(rig.write(fast, MIB)).toBe(128 * KIB);
    rig.queues.set(fast.socketKey, 0);
    rig.pass(5);
    expect(rig.again).toEqual([fast, fast]);
    for (let answer = 0; answer < 2; answer++) {
      expect(rig.write(fast, MIB)).toBe(128 * KIB);
      rig.queues.set(fast.socketKey, 0);
      rig.pass(5);
    }
    for (let answer = 0; answer < 100; answer++) {
      expect(rig.write(fast, 128 * KIB)).toBe(128 * KIB);
      rig.queues.set(fast.socketKey, 0);
      rig.pass(1);
    }
    expect(rig.write(fast, 3 * MIB)).toBe(3 * MIB);
  });

  it("holds a device that it trusted once it is seen not to take what it has, and not while it does", () => {
    rig.limit();
    const [stopping, draining] = [rig.connect(), rig.connect()];
    for (let answer = 0; answer < 4; answer++) {
      for (const link of [stopping, draining]) {
        rig.write(link, 128 * KIB);
        rig.queues.set(link.socketKey, 0);
      }
      rig.pass(250);
    }
    rig.write(stopping, 2 * MIB);
    rig.write(draining, 8 * MIB);
    for (let queuedBytes = 8 * MIB; queuedBytes > MIB / 2; queuedBytes -= 100 * KIB) {
      rig.queues.set(draining.socketKey, queuedBytes);
      rig.pass(10);
    }
    expect([stopping, draining].map(({ isHeld }) => isHeld)).toEqual([true, false]);
  });

  it("does not hold a trusted device that reads only every now and then, however often it looks", () => {
    rig.limit(65 * MIB);
    const [reader, other] = [rig.connect(), rig.connect()];
    Object.assign(reader, { isTrusted: true, takenBytes: MIB });
    let mostHeld = 0;
    for (let millisecond = 0; millisecond < 1_000; millisecond++) {
      // A process with many devices comes round to each of them every 90 ms.
      if (millisecond % 90 === 0) {
        rig.queues.set(reader.socketKey, 200 * KIB);
        rig.allowance.count(reader, 800 * KIB);
        rig.queues.set(reader.socketKey, 1_000 * KIB);
      }
      if (millisecond % 90 === 80) rig.queues.set(reader.socketKey, 200 * KIB);
      rig.write(other, 64 * KIB);
      rig.pass(1);
      mostHeld = Math.max(mostHeld, Number(reader.isHeld));
    }
    expect(rig.looks).toBeGreaterThan(5);
    expect(mostHeld).toBe(0);
  });

  it.each([300, 60_000])("does not hold against a trusted device what it had queued %i ms ago: nothing", (idleMs) => {
    rig.totalBytes = 65 * MIB;
    const [bursting, busy] = [rig.connect(), rig.connect()];
    Object.assign(bursting, { isTrusted: true, takenBytes: MIB });
    rig.write(busy, 4 * MIB);
    rig.pass(5);
    expect(rig.looks).toBe(1);
    rig.pass(idleMs);
    rig.allowance.count(bursting, MIB);
    rig.queues.set(bursting.socketKey, MIB);
    rig.write(busy, 64 * KIB);
    const before = rig.looks;
    while (rig.looks === before) rig.pass(1);
    expect(bursting.isHeld).toBe(false);
  });

  it("does not hold against a new device that nobody looked for a long while", () => {
    rig.pass(10_000);
    rig.totalBytes = 65 * MIB;
    const fast = rig.connect();
    rig.allowance.count(fast, 3 * MIB);
    rig.queues.set(fast.socketKey, MIB);
    rig.allowance.count(fast, MIB);
    rig.pass(1);
    expect(rig.looks).toBe(1);
    expect(fast.isHeld).toBe(false);
  });

  it.each([0, 18])("goes on holding a device that takes a third of it in a second, with looks of %i ms", (look) => {
    rig.limit();
    const slow = rig.connect();
    rig.write(slow, MIB);
    rig.lookMs = look;
    for (let tenth = 0; tenth < 30; tenth++) {
      rig.pass(100);
      rig.queues.set(slow.socketKey, Math.round((rig.queues.get(slow.socketKey) as number) * 0.967));
      expect(slow.isHeld || slow.unseenBytes < 128 * KIB).toBe(true);
    }
  });

  it("lets everybody go on when there is room again", () => {
    rig.limit();
    const frozen = rig.connect();
    rig.write(frozen, MIB);
    rig.pass(5_000);
    expect(frozen.isHeld).toBe(true);
    rig.totalBytes = 10 * MIB;
    rig.pass(250);
    expect(rig.again.at(-1)).toBe(frozen);
    expect(rig.write(frozen, 10 * MIB)).toBe(10 * MIB);
  });

  it("leaves no timer behind when nobody is connected any more", () => {
    const link = rig.connect();
    rig.totalBytes = 65 * MIB;
    rig.write(link, 4 * MIB);
    rig.allowance.remove(link);
    const before = rig.looks;
    rig.pass(10_000);
    expect(rig.looks).toBe(before);
  });

  it("limits nobody where the kernel tells nothing", () => {
    const blind = new SendAllowance(undefined, rig.clock, () => {});
    const link = rig.connect();
    for (let chunk = 0; chunk < 1_000; chunk++) blind.count(link, 64 * KIB);
    expect(link.isHeld).toBe(false);
  });
});
