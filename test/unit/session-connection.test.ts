/** What a download session does when the connection is lost and comes back, in each stage. */
import { describe, expect, it } from "vitest";
import type { SessionCommand } from "../../device/protocol/session-types.ts";
import { blocksOf, range, SessionDriver } from "../support/session-driver.ts";

const MANIFEST = { hasManifest: true, hasBase: true } as const;

/** Ways to bring a session into each stage that is not an end, and what it does once it can go on there. */
const STAGES: Readonly<Record<string, () => SessionDriver>> = {
  describing: () => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    return driver;
  },
  "describing again": () => {
    const driver = new SessionDriver();
    driver.reject("VersionMismatch", driver.start()[0]);
    return driver;
  },
  opening: () => {
    const driver = STAGES.describing?.() as SessionDriver;
    driver.describe();
    return driver;
  },
  downloading: () => {
    const driver = new SessionDriver();
    driver.start();
    return driver;
  },
  verifying: () => {
    const driver = new SessionDriver();
    driver.deliver(driver.start());
    return driver;
  },
  fetchingManifest: () => {
    const driver = new SessionDriver(MANIFEST);
    driver.start();
    return driver;
  },
  matching: () => {
    const driver = new SessionDriver(MANIFEST);
    driver.start();
    driver.giveChecksums();
    return driver;
  },
};

/** Answers the commands from index `from` on, and those they lead to, until the session ends. */
function finish(driver: SessionDriver, from: number): void {
  const answers = {
    publishDescribe: () => driver.describe(),
    openFile: () => driver.open(),
    publishManifest: () => driver.giveChecksums(),
    matchBlocks: () => driver.match(range(0, 40)),
    verifyFile: () => driver.feed({ on: "verified", fileId: 0 }),
    keepBlock: () => {},
    fileFinished: () => {},
    finish: () => {},
    fail: () => {},
  } as const;
  for (let index = from; index < driver.commands.length; index++) {
    const command = driver.commands[index] as SessionCommand;
    if (command.do !== "publishGet") answers[command.do]();
    else for (const blockId of blocksOf(command.request)) driver.arrive(blockId, command.request);
  }
}

/** Hands over what the shell was working on when the connection went. */
function finishWork(driver: SessionDriver, stage: string): void {
  if (stage === "opening") driver.open();
  if (stage === "verifying") driver.mismatch([4]);
  if (stage === "matching") driver.match(range(0, 40));
}

describe.each(Object.keys(STAGES))("a connection lost while %s", (stage) => {
  const reach = (): SessionDriver => STAGES[stage]?.() as SessionDriver;

  it("is waited for: nothing is sent until it is back, and the wait ends with a clear failure", () => {
    const driver = reach();
    driver.nowMs += 10;
    const sent = driver.commands.length;
    driver.feed({ on: "disconnected" });
    expect(driver.session.deadlineMs).toBe(driver.nowMs + 120_000);
    finishWork(driver, stage);
    expect(driver.commands.slice(sent)).toEqual([]);
    expect(driver.session.deadlineMs).toBe(driver.nowMs + 120_000);
    driver.timeOut();
    expect(driver.failure).toEqual({
      code: "ConnectionLost",
      message: "the connection to the broker was lost and did not come back within 120 s",
    });
    expect(driver.session.deadlineMs).toBeUndefined();
  });

  it("is not answered: a rejection that comes late sends nothing and moves no deadline", () => {
    const driver = reach();
    driver.feed({ on: "disconnected" });
    const { deadlineMs } = driver.session;
    for (const code of ["VersionMismatch", "ETagMismatch", "InternalError", "ResourceNotFound"] as const) {
      expect(driver.feed({ on: "rejected", rejection: { code, message: "late" } })).toEqual([]);
    }
    expect(driver.session.deadlineMs).toBe(deadlineMs);
  });

  it("is waited for as long as the caller says, and keeps that deadline whatever arrives late", () => {
    const driver = reach();
    driver.feed({ on: "disconnected" });
    const { deadlineMs } = driver.session;
    driver.nowMs += 50;
    driver.arrive(3, driver.gets[0]);
    driver.arrive(3);
    driver.reject("InternalError");
    driver.reject("InternalError", driver.gets[0]);
    if (driver.kinds().includes("publishManifest")) driver.giveChecksums(1);
    expect(driver.session.deadlineMs).toBe(deadlineMs);
  });

  it("leads to the whole file once it is back, before or after the shell's work is done", () => {
    for (const isWorkFirst of [true, false]) {
      const driver = reach();
      const sent = driver.commands.length;
      driver.feed({ on: "disconnected" });
      if (isWorkFirst) finishWork(driver, stage);
      driver.nowMs += 5000;
      driver.feed({ on: "connected" });
      if (!isWorkFirst) finishWork(driver, stage);
      finish(driver, sent);
      expect(driver.failure).toBeUndefined();
      expect(driver.kinds().at(-1)).toBe("finish");
    }
  });
});

describe("a connection that comes back", () => {
  it("asks what the stream is now, and then only for what is missing", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    for (const blockId of [0, 1, 5]) driver.arrive(blockId, first);
    driver.feed({ on: "disconnected" });
    driver.nowMs += 1000;
    expect(driver.feed({ on: "connected" }).map((command) => command.do)).toEqual(["publishDescribe"]);
    driver.describe();
    const asked = blocksOf(driver.gets.at(-1) as NonNullable<typeof first>);
    expect(asked.slice(0, 5)).toEqual([2, 3, 4, 6, 7]);
    expect(driver.session.progress()).toMatchObject({ heldBlocks: 3 });
  });

  it("keeps a late block while the stream is described again", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.feed({ on: "disconnected" });
    driver.feed({ on: "connected" });
    driver.arrive(0, first);
    expect(driver.kinds().at(-1)).toBe("keepBlock");
    driver.describe();
    expect(blocksOf(driver.gets.at(-1) as NonNullable<typeof first>)[0]).toBe(1);
  });

  it("verifies when late blocks made the file complete meanwhile", () => {
    const driver = new SessionDriver();
    const [first] = driver.start(range(2, 40));
    driver.feed({ on: "disconnected" });
    driver.feed({ on: "connected" });
    driver.arrive(0, first);
    driver.arrive(1, first);
    driver.describe();
    expect(driver.kinds().at(-1)).toBe("verifyFile");
  });

  it("starts over when the stream changed meanwhile", () => {
    const driver = new SessionDriver();
    driver.arrive(0, driver.start()[0]);
    driver.feed({ on: "disconnected" });
    driver.stream = { ...driver.stream, streamVersion: 9 };
    driver.feed({ on: "connected" });
    driver.describe();
    expect(driver.last("openFile")).toMatchObject({ streamVersion: 9 });
  });
});

describe("a connection that is lost again and again", () => {
  it("ends the session when nothing new arrives between the losses", () => {
    const driver = new SessionDriver();
    driver.start();
    let losses = 0;
    for (; driver.failure === undefined && losses < 100; losses++) {
      driver.feed({ on: "disconnected" });
      driver.nowMs += 1000;
      driver.feed({ on: "connected" });
      if (driver.failure === undefined) driver.describe();
    }
    expect(losses).toBe(9);
    expect(driver.failure).toEqual({
      code: "ConnectionLost",
      message:
        "the connection to the broker was lost more than 8 times in a row before anything new of stream firmware arrived: may this device publish its requests?; 0 of 40 blocks of file 0 are kept",
    });
  });

  it("ends the session when not even a description arrives", () => {
    const driver = new SessionDriver({ maxFruitlessRounds: 2 });
    for (let losses = 0; losses < 3; losses++) {
      driver.feed({ on: "connected" });
      driver.feed({ on: "disconnected" });
    }
    expect(driver.failure).toMatchObject({ code: "ConnectionLost" });
  });

  it("does not end it while each connection brings a block", () => {
    const driver = new SessionDriver();
    driver.start();
    for (const blockId of range(0, 39)) {
      driver.arrive(blockId, driver.gets.at(-1));
      driver.feed({ on: "disconnected" });
      driver.feed({ on: "connected" });
      driver.describe();
    }
    expect(driver.failure).toBeUndefined();
    expect(driver.session.progress()).toMatchObject({ heldBlocks: 39, duplicates: 0 });
  });
});
