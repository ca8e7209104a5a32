/** How a download session repairs a file that fails its checks: the cheapest way first, and within bounds. */
import { describe, expect, it } from "vitest";
import type { SessionCommand } from "../../device/protocol/session-types.ts";
import { BLOCK_BYTES, blocksOf, getsOf, range, SessionDriver } from "../support/session-driver.ts";

const MANIFEST = { hasManifest: true } as const;

/** A session whose file was assembled, and is being verified. */
function verifying(options = {}): SessionDriver {
  const driver = new SessionDriver(options);
  driver.deliver(driver.start());
  return driver;
}

function kindsOf(commands: readonly SessionCommand[]): string[] {
  return commands.map((command) => command.do);
}

/** Answers everything, with every verification failing, until the session ends; counts what it asked for. */
function failEverything(driver: SessionDriver, differing: readonly number[]) {
  let handled = driver.commands.length - 1;
  const counts = { verifications: 0, manifests: 0, openings: 0, blocks: 0 };
  for (; handled < driver.commands.length && counts.verifications < 100; handled++) {
    const command = driver.commands[handled] as SessionCommand;
    if (command.do === "verifyFile") {
      counts.verifications++;
      driver.mismatch();
    } else if (command.do === "publishManifest") {
      counts.manifests++;
      driver.giveChecksums();
    } else if (command.do === "matchBlocks") {
      driver.match(differing);
    } else if (command.do === "openFile") {
      counts.openings++;
      expect(command.afresh).toBe(true);
      driver.open();
    } else if (command.do === "publishGet") {
      counts.blocks += blocksOf(command.request).length;
      for (const blockId of blocksOf(command.request)) driver.arrive(blockId, command.request);
    }
  }
  return counts;
}

describe("blocks that changed on the disk", () => {
  it("are fetched again, and no others", () => {
    const driver = verifying();
    const repairs = getsOf(driver.mismatch([3, 17]));
    expect(repairs.map(blocksOf)).toEqual([[3, 17]]);
    driver.deliver(repairs);
    expect(driver.kinds().at(-1)).toBe("verifyFile");
    expect(kindsOf(driver.feed({ on: "verified", fileId: 0 }))).toEqual(["fileFinished", "finish"]);
  });

  it("are fetched again without the manifest, even where there is one", () => {
    expect(kindsOf(verifying(MANIFEST).mismatch([3]))).toEqual(["publishGet"]);
  });

  it("are fetched again three times, then everything, then it fails", () => {
    const driver = verifying({ maxRestarts: 0 });
    for (let repair = 0; repair < 3; repair++) driver.deliver(getsOf(driver.mismatch([3])));
    expect(kindsOf(driver.mismatch([3]))).toEqual(["fail"]);
  });
});

describe("a wrong file whose blocks are as they were received", () => {
  it("is repaired by its manifest: only the blocks that differ are fetched again", () => {
    const driver = verifying(MANIFEST);
    expect(kindsOf(driver.mismatch())).toEqual(["publishManifest"]);
    expect(driver.manifestRequest).toMatchObject({
      fileId: 0,
      blockSizeBytes: BLOCK_BYTES,
      blockOffset: 0,
      blockCount: 40,
    });
    expect(kindsOf(driver.giveChecksums(30))).toEqual(["publishManifest"]);
    expect(driver.manifestRequest).toMatchObject({ blockOffset: 30, blockCount: 10 });
    expect(kindsOf(driver.giveChecksums())).toEqual(["matchBlocks"]);
    expect(driver.last("matchBlocks").checksums).toHaveLength(40);
    const repairs = getsOf(driver.match([8]));
    expect(repairs.map(blocksOf)).toEqual([[8]]);
    driver.deliver(repairs);
    expect(driver.kinds().at(-1)).toBe("verifyFile");
  });

  it("is fetched again as a whole without a manifest, once", () => {
    const driver = verifying();
    expect(driver.mismatch()).toMatchObject([{ do: "openFile", afresh: true }]);
    driver.open();
    driver.deliver(driver.gets.slice(-1));
    expect(driver.kinds().at(-1)).toBe("verifyFile");
    expect(kindsOf(driver.mismatch())).toEqual(["fail"]);
    expect(driver.failure).toEqual({ code: "DigestMismatch", message: "the digest is another" });
    expect(driver.session.deadlineMs).toBeUndefined();
  });

  it("is fetched again as a whole when every block agrees with the manifest", () => {
    const driver = verifying(MANIFEST);
    driver.mismatch();
    driver.giveChecksums();
    expect(kindsOf(driver.match())).toEqual(["verifyFile"]);
    expect(driver.mismatch()).toMatchObject([{ do: "openFile", afresh: true }]);
  });

  it("is fetched again as a whole when the publisher refuses the manifest that it announced", () => {
    const driver = verifying(MANIFEST);
    for (let repair = 0; repair < 3; repair++) {
      driver.mismatch();
      expect(kindsOf(driver.reject("InvalidTopic", driver.manifestRequest))).toEqual(["verifyFile"]);
    }
    expect(driver.mismatch()).toMatchObject([{ do: "openFile", afresh: true }]);
  });

  it.each([
    { differing: [5], restarts: 0, expected: { verifications: 4, manifests: 3, openings: 0, blocks: 3 } },
    { differing: [5], restarts: 1, expected: { verifications: 8, manifests: 6, openings: 1, blocks: 46 } },
    { differing: [], restarts: 1, expected: { verifications: 4, manifests: 2, openings: 1, blocks: 40 } },
    { differing: [1, 2], restarts: 2, expected: { verifications: 12, manifests: 9, openings: 2, blocks: 98 } },
  ])(
    "fails in the end, however the manifest differs: $differing, $restarts restarts",
    ({ differing, restarts, expected }) => {
      const driver = verifying({ ...MANIFEST, maxRestarts: restarts });
      expect(failEverything(driver, differing)).toEqual(expected);
      expect(driver.failure).toMatchObject({ code: "DigestMismatch" });
    },
  );

  it("has its repairs counted for each file", () => {
    const files = [0, 1].map((fileId) => ({ fileId, sizeBytes: 3 * BLOCK_BYTES }));
    const driver = verifying({ files });
    driver.mismatch();
    driver.open();
    driver.deliver(driver.gets.slice(-1));
    driver.feed({ on: "verified", fileId: 0 });
    driver.open();
    driver.deliver(driver.gets.slice(-1));
    expect(driver.mismatch()).toMatchObject([{ do: "openFile", file: files[1], afresh: true }]);
  });
});

describe("the manifest of a file", () => {
  it("is asked for first with a base image, and only the rest of the blocks after that", () => {
    const driver = new SessionDriver({ ...MANIFEST, hasBase: true });
    expect(driver.start([0])).toEqual([]);
    driver.giveChecksums();
    const requests = getsOf(driver.match([30, 31, 35]));
    expect(requests.map(blocksOf)).toEqual([[30, 31, 35]]);
  });

  it("is not asked for without a base image, nor from a publisher that has none, nor for a complete file", () => {
    for (const options of [MANIFEST, { hasBase: true }, {}]) {
      expect(new SessionDriver(options).start()).toHaveLength(1);
    }
    const driver = new SessionDriver({ ...MANIFEST, hasBase: true });
    driver.start(range(0, 40));
    expect(driver.kinds().at(-1)).toBe("verifyFile");
  });

  it("is not asked for again after a base led to a wrong image", () => {
    const driver = new SessionDriver({ ...MANIFEST, hasBase: true });
    driver.start();
    driver.giveChecksums();
    driver.match();
    driver.mismatch();
    expect(driver.last("openFile")).toMatchObject({ afresh: true });
    expect(getsOf(driver.open()).map(blocksOf)).toEqual([range(0, 16)]);
  });

  it("is asked for again when it does not come, and done without never: the session fails", () => {
    const driver = new SessionDriver({ ...MANIFEST, hasBase: true, maxFruitlessRounds: 2 });
    driver.start();
    for (let round = 0; round < 2; round++) expect(kindsOf(driver.timeOut())).toEqual(["publishManifest"]);
    driver.timeOut();
    expect(driver.failure).toMatchObject({ code: "NoProgress" });
    expect(driver.failure?.message).toContain("no answer to 2 manifest requests in a row for stream firmware");
  });

  it("is done without when the publisher refuses it", () => {
    const driver = new SessionDriver({ ...MANIFEST, hasBase: true });
    driver.start();
    expect(getsOf(driver.reject("InvalidTopic", driver.manifestRequest)).map(blocksOf)).toEqual([range(0, 16)]);
  });

  it("is waited for when the publisher cannot answer now", () => {
    const driver = new SessionDriver({ ...MANIFEST, hasBase: true });
    driver.start();
    expect(driver.reject("InternalError", driver.manifestRequest)).toEqual([]);
    expect(kindsOf(driver.timeOut())).toEqual(["publishManifest"]);
  });

  it("is taken from the late answer to an earlier request", () => {
    const driver = new SessionDriver({ ...MANIFEST, hasBase: true });
    driver.start();
    const first = driver.manifestRequest;
    driver.timeOut();
    expect(kindsOf(driver.giveChecksums(undefined, { ...first, clientToken: first.clientToken as string }))).toEqual([
      "matchBlocks",
    ]);
  });

  it("of a version before is not taken", () => {
    const driver = new SessionDriver({ ...MANIFEST, hasBase: true });
    driver.start();
    const first = driver.manifestRequest;
    expect(kindsOf(driver.reject("VersionMismatch", first))).toEqual(["publishDescribe"]);
    driver.stream = { ...driver.stream, streamVersion: 1 };
    driver.describe();
    driver.open();
    expect(driver.giveChecksums(undefined, { ...first, clientToken: first.clientToken as string })).toEqual([]);
    expect(driver.manifestRequest).toMatchObject({ streamVersion: 1 });
  });

  it("keeps blocks that arrive while it is waited for", () => {
    const driver = verifying(MANIFEST);
    driver.feed({ on: "disconnected" });
    driver.mismatch([3]);
    driver.feed({ on: "connected" });
    driver.arrive(3);
    expect(driver.kinds().at(-1)).toBe("keepBlock");
  });
});
