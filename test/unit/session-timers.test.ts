/** When a download session asks again, how patient it is, and what it says when its patience ends. */
import { describe, expect, it } from "vitest";
import { BLOCK_BYTES, blocksOf, range, SessionDriver } from "../support/session-driver.ts";

/** Lets the deadline pass until the session fails; returns how long it waited each time, in milliseconds. */
function waitsUntilFailure(driver: SessionDriver): number[] {
  const waits: number[] = [];
  while (driver.failure === undefined) {
    waits.push((driver.session.deadlineMs as number) - driver.nowMs);
    driver.timeOut();
  }
  return waits;
}

describe("the timer", () => {
  it("is armed with every request", () => {
    const driver = new SessionDriver();
    expect(driver.session.deadlineMs).toBeUndefined();
    driver.feed({ on: "connected" });
    expect(driver.session.deadlineMs).toBeGreaterThan(driver.nowMs);
    driver.describe();
    expect(driver.session.deadlineMs).toBeUndefined();
    driver.open();
    for (const [blockId, request] of range(0, 16).map((id) => [id, driver.gets[0]] as const)) {
      driver.nowMs += 7;
      driver.arrive(blockId, request);
      expect(driver.session.deadlineMs).toBeGreaterThan(driver.nowMs);
    }
  });

  it("gives the publisher at least 1 s for the first block, and 100 ms between blocks after it", () => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    driver.nowMs += 1;
    driver.describe();
    driver.open();
    expect((driver.session.deadlineMs as number) - driver.nowMs).toBeGreaterThanOrEqual(1000);
    driver.nowMs += 1;
    driver.arrive(0, driver.gets[0]);
    expect((driver.session.deadlineMs as number) - driver.nowMs).toBeGreaterThanOrEqual(100);
    expect((driver.session.deadlineMs as number) - driver.nowMs).toBeLessThan(1000);
  });

  it("follows the round trips that it sees", () => {
    const driver = new SessionDriver({ files: [{ fileId: 0, sizeBytes: 2000 * BLOCK_BYTES }] });
    driver.feed({ on: "connected" });
    driver.nowMs += 1500;
    driver.describe();
    const waiting = [...driver.open()].flatMap((command) => (command.do === "publishGet" ? [command.request] : []));
    for (let count = 0; count < 20; count++) {
      const request = waiting.shift() as (typeof waiting)[0];
      driver.nowMs += 1500;
      for (const blockId of blocksOf(request)) waiting.push(...driver.arrive(blockId, request));
    }
    const waitMs = (driver.session.deadlineMs as number) - driver.nowMs;
    expect(waitMs).toBeGreaterThan(1500);
    expect(waitMs).toBeLessThan(30_000);
  });

  it.each([0, 0.999_999])(
    "backs off up to 60 s and a quarter of jitter, and never fires twice in 1 s: %d",
    (fraction) => {
      const driver = new SessionDriver({ maxFruitlessRounds: 20, randomFraction: () => fraction });
      driver.start();
      const waits = waitsUntilFailure(driver);
      for (const [index, waitMs] of waits.entries()) {
        expect(waitMs).toBeGreaterThanOrEqual(Math.min(60_000, 1000 * 2 ** index));
        expect(waitMs).toBeLessThanOrEqual(75_000);
      }
      expect(waits.at(-1)).toBeCloseTo(60_000 * (1 + fraction / 4), 0);
    },
  );

  it("takes the time to the first answer for the round trip, not the time to the others", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.nowMs += 100;
    driver.arrive(0, first);
    const waitMs = (driver.session.deadlineMs as number) - driver.nowMs;
    for (const blockId of range(1, 8)) {
      driver.nowMs += waitMs / 2;
      driver.arrive(blockId, first);
      expect((driver.session.deadlineMs as number) - driver.nowMs).toBe(waitMs);
    }
  });

  it("is not armed while the shell works, and not when all is done", () => {
    const driver = new SessionDriver();
    driver.deliver(driver.start());
    expect(driver.session.deadlineMs).toBeUndefined();
    expect(driver.feed({ on: "timeout" })).toEqual([]);
    driver.feed({ on: "verified", fileId: 0 });
    expect(driver.session.deadlineMs).toBeUndefined();
  });
});

describe("rounds that bring nothing", () => {
  it("end a session that gets no description, with words that name stream and number", () => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    expect(waitsUntilFailure(driver)).toEqual([3000, 6000, 12_000, 24_000, 48_000, 60_000, 60_000, 60_000, 60_000]);
    expect(driver.kinds().filter((kind) => kind === "publishDescribe")).toHaveLength(9);
    expect(driver.failure).toEqual({
      code: "NoProgress",
      message:
        "no answer to 8 DescribeStream requests in a row for stream firmware: is the publisher connected to this broker?",
    });
    expect(driver.session.deadlineMs).toBeUndefined();
  });

  it("end a session that gets no block, and say what is kept", () => {
    const driver = new SessionDriver({ maxFruitlessRounds: 3 });
    const [first] = driver.start([7]);
    driver.arrive(0, first);
    expect(waitsUntilFailure(driver)).toHaveLength(4);
    expect(driver.failure?.message).toBe(
      "no answer to 3 GetStream requests in a row for stream firmware: is the publisher connected to this broker?; 2 of 40 blocks of file 0 are kept",
    );
  });

  it("say what the publisher answered, when it did", () => {
    const driver = new SessionDriver({ maxFruitlessRounds: 2 });
    driver.start();
    while (driver.failure === undefined) {
      driver.reject("InternalError", driver.gets.at(-1), "simulated outage");
      driver.timeOut();
    }
    expect(driver.failure).toEqual({
      code: "NoProgress",
      message:
        "nothing new in 2 rounds for stream firmware: the publisher answers InternalError: simulated outage; 0 of 40 blocks of file 0 are kept",
    });
  });

  it("are counted anew after each new block", () => {
    const driver = new SessionDriver({ maxFruitlessRounds: 3 });
    driver.start();
    for (const blockId of range(0, 39)) {
      for (let round = 0; round < 3; round++) driver.timeOut();
      driver.arrive(blockId, driver.gets.at(-1));
    }
    expect(driver.failure).toBeUndefined();
    expect(driver.session.progress()).toMatchObject({ heldBlocks: 39, timeouts: 117 });
  });

  it("ask for a window anew when nothing is asked for any more", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.reject("InternalError", first);
    driver.timeOut();
    expect(driver.gets.map(blocksOf)).toEqual([range(0, 16), range(0, 16)]);
  });

  it("do not end a session that a slow publisher answers in time", () => {
    const driver = new SessionDriver();
    driver.start();
    for (let round = 0; round < 7; round++) driver.timeOut();
    driver.deliver([driver.gets[0] as NonNullable<(typeof driver.gets)[0]>]);
    expect(driver.failure).toBeUndefined();
    expect(driver.kinds().at(-1)).toBe("verifyFile");
  });
});
