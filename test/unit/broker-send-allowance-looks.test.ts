/** How often the server looks at the kernel's table of sockets, which is dear. */
import { beforeEach, describe, expect, it } from "vitest";
import { AllowanceRig, MIB } from "../support/send-allowance-rig.ts";

let rig: AllowanceRig;

beforeEach(() => {
  rig = new AllowanceRig();
});

describe("SendAllowance", () => {
  it("reads the memory of all sockets more often the nearer it is to where each is looked at, at 64 MiB here", () => {
    const fast = rig.connect();
    const readsIn = (bytes: number): number => {
      const before = rig.reads;
      rig.write(fast, bytes);
      return rig.reads - before;
    };
    rig.totalBytes = 0;
    expect(readsIn(4 * MIB)).toBe(1);
    expect(readsIn(15 * MIB)).toBe(0);
    expect(readsIn(MIB)).toBe(1);
    rig.totalBytes = 32 * MIB;
    expect(readsIn(16 * MIB)).toBe(1);
    expect(readsIn(8 * MIB)).toBe(1);
    rig.totalBytes = 60 * MIB;
    expect(readsIn(8 * MIB)).toBe(1);
    expect(readsIn(16 * MIB)).toBe(4);
    expect(rig.looks).toBe(0);
  });

  it("looks at each socket when the memory of all has grown by half, and seldom while it has not", () => {
    rig.totalBytes = 65 * MIB;
    const fast = rig.connect();
    const looksIn = (durationMs: number): number => {
      const before = rig.looks;
      for (let millisecond = 0; millisecond < durationMs; millisecond++) {
        rig.write(fast, 4 * MIB);
        rig.queues.set(fast.socketKey, 0);
        rig.pass(1);
      }
      return rig.looks - before;
    };
    expect(looksIn(10)).toBe(1);
    expect(looksIn(200)).toBe(0);
    rig.totalBytes = 97 * MIB;
    expect(looksIn(20)).toBe(0);
    rig.totalBytes = 98 * MIB;
    expect(looksIn(10)).toBe(1);
    expect(looksIn(300)).toBe(1);
    rig.totalBytes = MIB;
    expect(looksIn(300)).toBe(1);
    rig.totalBytes = 65 * MIB;
    expect(looksIn(10)).toBe(1);
  });

  it("spends a tenth of the time on looks at most, and 50 ms at once, however many devices are new", () => {
    rig.limit();
    rig.lookMs = 2;
    rig.looks = 0;
    for (let millisecond = 0; millisecond < 1_000; millisecond++) {
      rig.write(rig.connect(), MIB);
      rig.pass(1);
    }
    expect(rig.looks * rig.lookMs).toBeGreaterThan(80);
    expect(rig.looks * rig.lookMs).toBeLessThanOrEqual(50 + 100 + rig.lookMs);
  });

  it("looks four times a second while everybody is trusted", () => {
    rig.limit();
    const fast = rig.connect();
    fast.isTrusted = true;
    rig.looks = 0;
    for (let millisecond = 0; millisecond < 1_000; millisecond++) {
      fast.takenBytes = MIB;
      rig.write(fast, MIB);
      rig.queues.set(fast.socketKey, 0);
      rig.pass(1);
    }
    expect(rig.looks).toBeLessThanOrEqual(10);
  });

  it("spends a fiftieth of the time on looks at most while the same device is held and nobody is new", () => {
    rig.limit();
    rig.lookMs = 15;
    rig.pass(3_000);
    rig.looks = 0;
    rig.pass(10_000);
    expect(rig.looks).toBeGreaterThanOrEqual(10);
    expect(rig.looks * rig.lookMs).toBeLessThanOrEqual(220);
  });
});
