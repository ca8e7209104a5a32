/** What a download session makes of arriving blocks: which are kept, and which lead to a further request. */
import { describe, expect, it } from "vitest";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import { BLOCK_BYTES, blocksOf, range, SessionDriver } from "../support/session-driver.ts";

const KEEP = (blockId: number) => ({ do: "keepBlock", fileId: 0, blockId });

describe("a download without faults", () => {
  it("asks, keeps every block, verifies, and finishes", () => {
    const driver = new SessionDriver();
    driver.deliver(driver.start());
    expect(driver.kinds().slice(0, 3)).toEqual(["publishDescribe", "openFile", "publishGet"]);
    expect(driver.commands.filter((command) => command.do === "keepBlock")).toEqual(range(0, 40).map(KEEP));
    expect(driver.kinds().at(-1)).toBe("verifyFile");
    const finishing = driver.feed({ on: "verified", fileId: 0 });
    expect(finishing.map((command) => command.do)).toEqual(["fileFinished", "finish"]);
    expect(driver.last("fileFinished").progress).toMatchObject({
      blocks: 40,
      heldBlocks: 40,
      resumedBlocks: 0,
      duplicates: 0,
      impossible: 0,
      timeouts: 0,
    });
    expect(driver.session.deadlineMs).toBeUndefined();
  });

  it("asks for each block once, in order", () => {
    const driver = new SessionDriver();
    driver.deliver(driver.start());
    expect(driver.gets.flatMap(blocksOf)).toEqual(range(0, 40));
  });

  it("asks only for what the store lacks", () => {
    const driver = new SessionDriver();
    driver.deliver(driver.start([...range(0, 10), 20, 39]));
    expect(driver.gets.flatMap(blocksOf)).toEqual([...range(10, 20), ...range(21, 39)]);
    expect(driver.session.progress()).toMatchObject({ resumedBlocks: 12, heldBlocks: 40 });
  });

  it("verifies at once when the store lacks nothing, and finishes at once when the image is in place", () => {
    const held = new SessionDriver();
    expect(held.start(range(0, 40))).toEqual([]);
    expect(held.kinds().at(-1)).toBe("verifyFile");
    const inPlace = new SessionDriver();
    inPlace.feed({ on: "connected" });
    inPlace.describe();
    inPlace.open(range(0, 40), true);
    expect(inPlace.kinds().slice(-2)).toEqual(["fileFinished", "finish"]);
  });

  it("asks for more before what it asked for has come", () => {
    const driver = new SessionDriver({ files: [{ fileId: 0, sizeBytes: 200 * BLOCK_BYTES }] });
    const [first] = driver.start();
    expect(blocksOf(first as NonNullable<typeof first>)).toEqual(range(0, 16));
    const further = range(0, 8).flatMap((blockId) => driver.arrive(blockId, first));
    expect(further).toHaveLength(1);
    expect(further.flatMap(blocksOf)[0]).toBe(16);
  });

  it("gives each request a token of its own, of at most 64 bytes, that no other session uses", () => {
    let fraction = 0.1;
    const tokens = range(0, 20).flatMap(() => {
      const driver = new SessionDriver({ randomFraction: () => fraction });
      driver.deliver(driver.start());
      fraction += 0.01;
      return [driver.last("publishDescribe").request, ...driver.gets].map(({ clientToken }) => clientToken as string);
    });
    expect(new Set(tokens).size).toBe(tokens.length);
    for (const token of tokens) expect(token).toMatch(/^[0-9a-z-]{4,64}$/);
  });
});

describe("a block that is not new", () => {
  it("leads to nothing, however often it comes", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.arrive(0, first);
    const deadlineMs = driver.session.deadlineMs;
    const sent = driver.commands.length;
    driver.nowMs += 10;
    for (let count = 0; count < 100; count++) {
      expect(driver.arrive(0, first)).toEqual([]);
      expect(driver.arrive(0)).toEqual([]);
    }
    expect(driver.commands).toHaveLength(sent);
    expect(driver.session.deadlineMs).toBe(deadlineMs);
    expect(driver.session.progress()).toMatchObject({ heldBlocks: 1, duplicates: 200 });
  });

  it("leads to nothing even if it shows that others were lost", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.arrive(2, first);
    expect(driver.arrive(2, first)).toEqual([]);
    driver.arrive(1, first);
    expect(driver.gets).toHaveLength(1);
  });

  it("does not put off the timer: duplicates alone are no answer", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.arrive(0, first);
    for (let count = 0; count < 50; count++) {
      driver.nowMs += 50;
      driver.arrive(0, first);
    }
    driver.timeOut();
    expect(driver.session.progress()).toMatchObject({ timeouts: 1 });
  });
});

describe("blocks that come at once", () => {
  /** A session that has its first answer, and the requests that it has sent since. */
  const start = (blocks = 500): { driver: SessionDriver; first: GetRequest; next: GetRequest[] } => {
    const driver = new SessionDriver({ files: [{ fileId: 0, sizeBytes: blocks * BLOCK_BYTES }] });
    const [first] = driver.start() as [GetRequest];
    driver.nowMs += 1;
    for (const blockId of blocksOf(first)) driver.arrive(blockId, first);
    driver.nowMs += 1;
    return { driver, first, next: driver.gets.slice(1) };
  };
  const runOf = (request: GetRequest | undefined, blockIds = blocksOf(request as GetRequest)) => ({
    fileId: 0,
    blockId: blockIds[0] ?? 0,
    blockCount: blockIds.length,
    sizeBytes: BLOCK_BYTES,
    clientToken: request?.clientToken,
  });

  /** All that a request asks for but the first two. */
  const later = (request: GetRequest) => runOf(request, blocksOf(request).slice(2));

  it("are taken when each is new and asked for, and lead to what the last one leads to", () => {
    const { driver, next } = start(40);
    expect(next.flatMap(blocksOf)).toEqual(range(16, 40));
    expect(driver.feedRun(runOf(next[0]))).toEqual([]);
    expect(driver.session.progress()?.heldBlocks).toBe(blocksOf(next[1] as GetRequest)[0]);
    expect(driver.feedRun(runOf(next[1]))).toEqual([expect.objectContaining({ do: "verifyFile" })]);
  });

  it("open the window as they do one by one, and further ones are asked for behind them", () => {
    const askedAfter = (deliver: (driver: SessionDriver, next: GetRequest) => void): number => {
      const { driver, next } = start();
      for (const request of next) deliver(driver, request);
      return driver.gets.flatMap(blocksOf).length;
    };
    const oneByOne = askedAfter((driver, request) => {
      for (const blockId of blocksOf(request)) driver.arrive(blockId, request);
    });
    const atOnce = askedAfter((driver, request) => {
      expect(driver.feedRun(runOf(request))?.every((command) => command.do === "publishGet")).toBe(true);
    });
    // What is left over for a request of an answer is not asked for yet.
    expect(atOnce).toBeGreaterThan(oneByOne - 32);
    expect(atOnce).toBeLessThanOrEqual(oneByOne);
  });

  it("are not taken when they are the very first, whose every block opens the window", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    expect(driver.feedRun(runOf(first))).toBeUndefined();
    expect(driver.session.progress()).toMatchObject({ heldBlocks: 0 });
  });

  it("are taken from the first answer on in a further file, which flows from then on", () => {
    const sizeBytes = 100 * BLOCK_BYTES;
    const deadlineAfter = (deliver: (driver: SessionDriver, request: GetRequest) => void): number | undefined => {
      const driver = new SessionDriver({ files: [0, 1].map((fileId) => ({ fileId, sizeBytes })) });
      driver.deliver(driver.start());
      driver.feed({ on: "verified", fileId: 0 });
      driver.open();
      driver.nowMs += 1;
      deliver(driver, driver.last("publishGet").request);
      return driver.session.deadlineMs;
    };
    const oneByOne = deadlineAfter((driver, request) => {
      for (const blockId of blocksOf(request)) driver.arrive(blockId, request);
    });
    const atOnce = deadlineAfter((driver, request) => {
      expect(driver.feedRun({ ...runOf(request), fileId: 1 })).toBeDefined();
    });
    expect(atOnce).toBe(oneByOne);
  });

  it.each([
    ["that this request did not ask for", (next: GetRequest) => runOf(next, range(18, 90))],
    ["of another file", (next: GetRequest) => ({ ...later(next), fileId: 1 })],
    ["without a token", (next: GetRequest) => ({ ...later(next), clientToken: undefined })],
    ["of another request", (next: GetRequest) => ({ ...later(next), clientToken: "another" })],
    ["past the end", (next: GetRequest) => ({ ...later(next), blockCount: 2 ** 31 })],
    ["of another length", (next: GetRequest) => ({ ...later(next), sizeBytes: BLOCK_BYTES - 1 })],
    ["that is there", (next: GetRequest) => runOf(next, range(16, 20))],
  ])("are not taken when there is one %s", (_, make) => {
    const { driver, next } = start();
    driver.arrive(17, next[0]);
    expect(start().driver.feedRun(later(next[0] as GetRequest))).toBeDefined();
    const { deadlineMs } = driver.session;
    const before = driver.session.progress();
    driver.nowMs += 5;
    expect(driver.feedRun(make(next[0] as GetRequest))).toBeUndefined();
    expect(driver.session.progress()).toEqual(before);
    expect(driver.session.deadlineMs).toBe(deadlineMs);
  });

  it("are not taken while the stream is described again", () => {
    const { driver, next } = start();
    driver.reject("VersionMismatch", next[0]);
    expect(driver.kinds().at(-1)).toBe("publishDescribe");
    expect(driver.feedRun(runOf(next[0]))).toBeUndefined();
  });
});

describe("a block that nobody asked for", () => {
  it("is kept if it fits, and is not asked for any more", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    expect(blocksOf(first as NonNullable<typeof first>)).not.toContain(30);
    driver.arrive(30);
    expect(driver.commands).toContainEqual(KEEP(30));
    driver.deliver([first as NonNullable<typeof first>]);
    expect(driver.gets.flatMap(blocksOf)).toEqual(range(0, 40).filter((blockId) => blockId !== 30));
    expect(driver.kinds().at(-1)).toBe("verifyFile");
  });

  it.each([
    { blockId: 40, sizeBytes: BLOCK_BYTES, why: "past the end" },
    { blockId: 2 ** 52, sizeBytes: BLOCK_BYTES, why: "far past the end" },
    { blockId: -1, sizeBytes: BLOCK_BYTES, why: "before the beginning" },
    { blockId: 0.5, sizeBytes: BLOCK_BYTES, why: "between two blocks" },
    { blockId: 3, sizeBytes: 0, why: "empty" },
    { blockId: 3, sizeBytes: BLOCK_BYTES - 1, why: "short" },
    { blockId: 3, sizeBytes: BLOCK_BYTES + 1, why: "long" },
  ])("is dropped and counted when it is $why", ({ blockId, sizeBytes }) => {
    const driver = new SessionDriver();
    driver.start();
    const sent = driver.commands.length;
    driver.arrive(blockId, undefined, { sizeBytes });
    expect(driver.commands).toHaveLength(sent);
    expect(driver.session.progress()).toMatchObject({ heldBlocks: 0, impossible: 1 });
  });

  it("is passed over when it is of another file", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    const sent = driver.commands.length;
    driver.arrive(0, first, { fileId: 1 });
    expect(driver.commands).toHaveLength(sent);
    expect(driver.session.progress()).toMatchObject({ heldBlocks: 0, duplicates: 0, impossible: 0 });
  });
});

describe("an impossible answer", () => {
  it("is asked for again, once later ones overtook it", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.arrive(0, first, { sizeBytes: 7 });
    driver.arrive(1, first);
    driver.arrive(2, first);
    expect(driver.gets).toHaveLength(1);
    const [repair] = driver.arrive(3, first);
    expect(blocksOf(repair as NonNullable<typeof repair>)[0]).toBe(0);
  });

  it("is asked for again by the timer when it was the last", () => {
    const driver = new SessionDriver();
    driver.start(range(1, 40));
    driver.arrive(0, driver.gets[0], { sizeBytes: 7 });
    driver.timeOut();
    expect(driver.gets.map(blocksOf)).toEqual([[0], [0]]);
  });
});
