/** How a download session meets rejections, in each stage and of each request. */
import { describe, expect, it } from "vitest";
import { REJECTION_CODES } from "../../shared/protocol/rejection.ts";
import { BLOCK_BYTES, blocksOf, range, SessionDriver } from "../support/session-driver.ts";

const AT_ONCE = REJECTION_CODES.filter((code) => !["VersionMismatch", "ETagMismatch", "InternalError"].includes(code));

describe("a rejected describe", () => {
  it.each(REJECTION_CODES.filter((code) => code !== "InternalError"))("fails at once with %s", (code) => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    driver.reject(code, driver.last("publishDescribe").request, "there is no stream firmware");
    expect(driver.failure).toEqual({
      code: code === "ResourceNotFound" ? "StreamNotFound" : "RequestRejected",
      message: `the publisher rejected DescribeStream for stream firmware with ${code}: there is no stream firmware`,
    });
    expect(driver.session.deadlineMs).toBeUndefined();
  });

  it("is sent again after a pause when it was an InternalError, with pauses that grow", () => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    const pauses: number[] = [];
    for (let round = 0; round < 4; round++) {
      driver.reject("InternalError", driver.last("publishDescribe").request);
      pauses.push((driver.session.deadlineMs as number) - driver.nowMs);
      expect(driver.timeOut().map((command) => command.do)).toEqual(["publishDescribe"]);
    }
    expect(pauses).toEqual([...pauses].sort((left, right) => left - right));
    expect(pauses[0]).toBeGreaterThanOrEqual(3000);
    driver.describe();
    expect(driver.kinds().at(-1)).toBe("openFile");
  });
});

describe("a rejected GetStream", () => {
  it.each(AT_ONCE)("fails at once with %s", (code) => {
    const driver = new SessionDriver();
    driver.start();
    const commands = driver.reject(code, driver.gets[0], "l must be smaller");
    expect(commands.map((command) => command.do)).toEqual(["fail"]);
    expect(driver.failure).toEqual({
      code: "RequestRejected",
      message: `the publisher rejected GetStream for stream firmware with ${code}: l must be smaller`,
    });
  });

  it("fails at once without a token, too: the publisher could not read one", () => {
    const driver = new SessionDriver();
    driver.start();
    driver.reject("InvalidCbor");
    expect(driver.failure).toMatchObject({ code: "RequestRejected" });
  });

  it("backs off with InternalError: it is not asked again before the pause, and then with everything", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    expect(driver.reject("InternalError", first)).toEqual([]);
    expect((driver.session.deadlineMs as number) - driver.nowMs).toBeGreaterThanOrEqual(1000);
    driver.timeOut();
    expect(driver.gets.map(blocksOf)).toEqual([range(0, 16), range(0, 16)]);
  });

  it("backs off once when several requests are rejected with InternalError together", () => {
    const driver = new SessionDriver({ files: [{ fileId: 0, sizeBytes: 400 * BLOCK_BYTES }] });
    const [first] = driver.start();
    const [second] = range(0, 15).flatMap((blockId) => driver.arrive(blockId, first));
    if (second !== undefined) for (const blockId of blocksOf(second)) driver.arrive(blockId, second);
    const outstanding = driver.gets.slice(2);
    expect(outstanding.length).toBeGreaterThanOrEqual(2);
    driver.reject("InternalError", outstanding[0]);
    const { deadlineMs } = driver.session;
    for (const request of outstanding.slice(1)) expect(driver.reject("InternalError", request)).toEqual([]);
    expect(driver.session.deadlineMs).toBe(deadlineMs);
  });

  it.each(["VersionMismatch", "ETagMismatch"] as const)(
    "describes again at once with %s, and goes on if nothing changed",
    (code) => {
      const driver = new SessionDriver();
      const [first] = driver.start();
      driver.arrive(0, first);
      expect(driver.reject(code, first).map((command) => command.do)).toEqual(["publishDescribe"]);
      driver.describe();
      expect(driver.kinds().filter((kind) => kind === "openFile")).toHaveLength(1);
      expect(blocksOf(driver.gets.at(-1) as NonNullable<typeof first>)[0]).toBe(1);
      driver.deliver([driver.gets.at(-1) as NonNullable<typeof first>]);
      expect(driver.kinds().at(-1)).toBe("verifyFile");
    },
  );

  it.each(["VersionMismatch", "ETagMismatch"] as const)("starts over with %s if the stream changed", (code) => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.arrive(0, first);
    driver.reject(code, first);
    driver.stream = { streamVersion: 1, files: [{ fileId: 0, sizeBytes: 5 * BLOCK_BYTES }] };
    driver.describe();
    expect(driver.last("openFile")).toEqual({
      do: "openFile",
      file: { fileId: 0, sizeBytes: 5 * BLOCK_BYTES },
      streamVersion: 1,
      afresh: false,
    });
    driver.open();
    expect(driver.gets.at(-1)).toMatchObject({ streamVersion: 1, blockCount: 5 });
  });

  it.each(["VersionMismatch", "ETagMismatch"] as const)("does not describe without end when %s stays", (code) => {
    const driver = new SessionDriver();
    driver.start();
    for (let step = 0; step < 100 && driver.failure === undefined; step++) {
      driver.reject(code, driver.gets.at(-1));
      if (driver.kinds().at(-1) !== "publishDescribe") driver.timeOut();
      if (driver.failure === undefined) driver.describe();
    }
    expect(driver.failure).toMatchObject({ code: "NoProgress" });
    expect(driver.failure?.message).toContain(`the publisher answers ${code}: no`);
    expect(driver.kinds().filter((kind) => kind === "publishDescribe").length).toBeLessThanOrEqual(9);
  });
});

describe("a late rejection", () => {
  it("of a request that is settled changes nothing", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.reject("InternalError", first);
    driver.timeOut();
    for (const code of REJECTION_CODES) expect(driver.reject(code, first)).toEqual([]);
    expect(driver.failure).toBeUndefined();
  });

  it("of a describe changes nothing once it is answered", () => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    const { request } = driver.last("publishDescribe");
    driver.describe();
    driver.open();
    for (const code of REJECTION_CODES) expect(driver.reject(code, request)).toEqual([]);
  });

  it("of a GetStream changes nothing while the stream is described again", () => {
    const driver = new SessionDriver({ files: [{ fileId: 0, sizeBytes: 400 * BLOCK_BYTES }] });
    const [first] = driver.start();
    for (const blockId of range(0, 8)) driver.arrive(blockId, first);
    driver.reject("VersionMismatch", driver.gets[0]);
    for (const request of driver.gets) expect(driver.reject("ResourceNotFound", request)).toEqual([]);
    expect(driver.failure).toBeUndefined();
  });

  it("changes nothing while the shell works, nor after the end", () => {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    driver.describe();
    expect(driver.reject("Unauthorized")).toEqual([]);
    driver.deliver(driver.start());
    expect(driver.reject("Unauthorized")).toEqual([]);
    driver.feed({ on: "verified", fileId: 0 });
    expect(driver.reject("Unauthorized")).toEqual([]);
    expect(driver.failure).toBeUndefined();
  });
});

describe("a stream without the wanted file", () => {
  it("fails and names those that it has", () => {
    const driver = new SessionDriver({ fileId: 7, files: [3, 4].map((fileId) => ({ fileId, sizeBytes: 10 })) });
    driver.feed({ on: "connected" });
    driver.describe();
    expect(driver.failure).toEqual({
      code: "FileNotFound",
      message: "file id 7 is not in stream firmware, which has the file ids 3, 4",
    });
  });

  it("fails when it has none at all", () => {
    const driver = new SessionDriver({ files: [] });
    driver.feed({ on: "connected" });
    driver.describe();
    expect(driver.failure).toEqual({ code: "FileNotFound", message: "stream firmware has no files" });
  });
});
