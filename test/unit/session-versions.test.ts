/** Several files, several versions, and answers that belong to neither any more. */
import { describe, expect, it } from "vitest";
import { BLOCK_BYTES, blocksOf, range, SessionDriver } from "../support/session-driver.ts";

const TWO_FILES = [
  { fileId: 4, sizeBytes: 3 * BLOCK_BYTES },
  { fileId: 2, sizeBytes: 2 * BLOCK_BYTES + 1 },
] as const;

/** A session that downloads version 1, after it had asked for blocks of version 0; and those requests. */
function changedStream() {
  const driver = new SessionDriver();
  const [first] = driver.start();
  driver.arrive(0, first);
  const old = driver.gets;
  driver.reject("VersionMismatch", first);
  driver.stream = { streamVersion: 1, files: driver.stream.files };
  driver.describe();
  return { driver, old };
}

describe("a stream of two files", () => {
  it("is downloaded one file after the other, in its own order", () => {
    const driver = new SessionDriver({ files: TWO_FILES });
    driver.deliver(driver.start());
    driver.feed({ on: "verified", fileId: 4 });
    expect(driver.last("openFile")).toMatchObject({ file: TWO_FILES[1], afresh: false });
    expect(driver.session.progress()).toBeUndefined();
    driver.open();
    expect(driver.gets.at(-1)).toMatchObject({ fileId: 2, blockCount: 3 });
    driver.deliver(driver.gets.slice(-1));
    expect(driver.feed({ on: "verified", fileId: 2 }).map((command) => command.do)).toEqual(["fileFinished", "finish"]);
    expect(driver.last("fileFinished").progress).toMatchObject({ fileId: 2, blocks: 3, requests: 1 });
  });

  it("gives only the wanted one when one is wanted", () => {
    const driver = new SessionDriver({ files: TWO_FILES, fileId: 2 });
    driver.deliver(driver.start());
    driver.feed({ on: "verified", fileId: 2 });
    expect(driver.kinds().filter((kind) => kind === "openFile")).toHaveLength(1);
    expect(driver.kinds().at(-1)).toBe("finish");
  });

  it("never takes a late block of the first for one of the second", () => {
    const driver = new SessionDriver({ files: TWO_FILES });
    driver.deliver(driver.start());
    const [late] = driver.gets;
    driver.feed({ on: "verified", fileId: 4 });
    driver.open();
    driver.arrive(1, late, { fileId: 4 });
    driver.arrive(1, late, { fileId: 2 });
    expect(driver.session.progress()).toMatchObject({ fileId: 2, heldBlocks: 0, duplicates: 0, impossible: 0 });
  });
});

describe("a stream that changed", () => {
  it("is downloaded from the start, with the new version in every request", () => {
    const { driver, old } = changedStream();
    expect(driver.last("openFile")).toMatchObject({ streamVersion: 1, afresh: false });
    driver.open();
    driver.deliver(driver.gets.slice(old.length));
    const renewed = driver.gets.slice(old.length);
    expect(renewed.every(({ streamVersion }) => streamVersion === 1)).toBe(true);
    expect(renewed.flatMap(blocksOf)).toEqual(range(0, 40));
    expect(driver.kinds().at(-1)).toBe("verifyFile");
  });

  it("never takes a late answer to a request of before for one of its own", () => {
    const { driver, old } = changedStream();
    const sent = driver.commands.length;
    for (const request of old) for (const blockId of blocksOf(request)) driver.arrive(blockId, request);
    expect(driver.commands).toHaveLength(sent);
    driver.open();
    const opened = driver.commands.length;
    for (const request of old) for (const blockId of blocksOf(request)) driver.arrive(blockId, request);
    expect(driver.commands).toHaveLength(opened);
    expect(driver.session.progress()).toMatchObject({ heldBlocks: 0, duplicates: 0 });
  });

  it("never takes an answer to another run of the same device for one of its own", () => {
    const before = new SessionDriver({ randomFraction: () => 0.25 });
    const after = new SessionDriver({ randomFraction: () => 0.75 });
    const [late] = before.start();
    after.start();
    after.arrive(0, late);
    expect(after.session.progress()).toMatchObject({ heldBlocks: 0 });
  });

  it("looks again at files that were in place", () => {
    const driver = new SessionDriver({ files: TWO_FILES });
    driver.deliver(driver.start());
    driver.feed({ on: "verified", fileId: 4 });
    driver.open();
    driver.reject("VersionMismatch", driver.gets.at(-1));
    driver.stream = { streamVersion: 5, files: TWO_FILES };
    driver.describe();
    expect(driver.last("openFile")).toMatchObject({ file: TWO_FILES[0], streamVersion: 5 });
    driver.open(range(0, 3), true);
    expect(driver.last("openFile")).toMatchObject({ file: TWO_FILES[1], streamVersion: 5 });
  });

  it("fails when the wanted file went away", () => {
    const driver = new SessionDriver({ files: TWO_FILES, fileId: 2 });
    driver.start();
    driver.reject("ETagMismatch", driver.gets[0]);
    driver.stream = { streamVersion: 1, files: [TWO_FILES[0]] };
    driver.describe();
    expect(driver.failure).toMatchObject({ code: "FileNotFound" });
  });
});

describe("a description", () => {
  it("that answers an earlier describe is passed over", () => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    const { clientToken = "" } = driver.last("publishDescribe").request;
    driver.timeOut();
    expect(driver.feed({ on: "described", description: { clientToken, ...driver.stream } })).toEqual([]);
    driver.describe();
    expect(driver.kinds().at(-1)).toBe("openFile");
  });

  it("without a token is taken: not every server gives it back", () => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    driver.feed({ on: "described", description: driver.stream });
    expect(driver.kinds().at(-1)).toBe("openFile");
  });

  it("that nobody asked for changes nothing once the download is under way", () => {
    const driver = new SessionDriver();
    driver.start();
    expect(driver.feed({ on: "described", description: { streamVersion: 7, files: [] } })).toEqual([]);
    expect(driver.feed({ on: "described", description: driver.stream })).toEqual([]);
  });

  it("before the first connection is passed over", () => {
    const driver = new SessionDriver();
    expect(driver.feed({ on: "described", description: driver.stream })).toEqual([]);
  });
});
