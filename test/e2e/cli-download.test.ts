/** `download` as its user meets it: what it prints, what it keeps when it is stopped, and when it is content. */
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  expectSameBytes,
  type HoldingDoor,
  openHoldingDoor,
  type TemporaryDirectory,
  temporaryDirectory,
  writeImages,
} from "../support/otastream-delivery.ts";
import {
  killLeftovers,
  OtastreamProcess,
  type ProgramRun,
  runOtastream,
  type ServeProcess,
  startServe,
} from "../support/otastream-process.ts";

const LARGE_BYTES = 2_097_152;
const LARGE_BLOCKS = 512;
const SMALL_BYTES = 10_001;

/** A file in what `download --json` prints. */
interface PrintedFile {
  readonly fileId: number;
  readonly path: string;
  readonly blocks: number;
  readonly resumedBlocks: number;
  readonly requests: number;
  readonly verified: string;
}

let directory: TemporaryDirectory;
let server: ServeProcess;
let strict: ServeProcess;
let large: string;
let small: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startServe(directory.in("data"));
  strict = await startServe(directory.in("strict"), ["--profile", "strict"]);
  [large = "", small = ""] = await writeImages(directory.path, [LARGE_BYTES, SMALL_BYTES]);
  await publish(server, "images", large, small);
  await publish(strict, "images", small);
});
afterAll(async () => {
  await killLeftovers();
  await directory.remove();
});

async function publish({ urls }: ServeProcess, streamId: string, ...files: readonly string[]): Promise<void> {
  const flags = ["--stream-id", streamId, "--endpoint", urls.http, "--s3-endpoint", urls.s3];
  expect(await runOtastream(["publish", ...files, ...flags])).toMatchObject({ status: 0 });
}

function download(out: string, flags: readonly string[] = [], broker = server.urls.mqtt): Promise<ProgramRun> {
  return runOtastream(["download", "images", "--broker", broker, "--out", directory.in(out), ...flags]);
}

async function downloadJson(out: string, flags: readonly string[] = [], broker?: string): Promise<PrintedFile[]> {
  const { status, stdout, stderr } = await download(out, ["--json", ...flags], broker);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout).files;
}

describe("what download prints", () => {
  it("is, with --json, one line with exactly the documented keys", async () => {
    const { status, stdout, stderr } = await download("keys", ["--json"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.indexOf("\n")).toBe(stdout.length - 1);
    const printed = JSON.parse(stdout);
    expect(Object.keys(printed)).toEqual(["streamId", "streamVersion", "files"]);
    const original = await readFile(small);
    const [, file] = printed.files;
    expect(Object.entries(file)).toEqual([
      ["fileId", 1],
      ["path", directory.in("keys", "images", "1")],
      ["bytes", SMALL_BYTES],
      ["blocks", 3],
      ["resumedBlocks", 0],
      ["requests", 1],
      ["duplicates", 0],
      ["milliseconds", expect.any(Number)],
      ["crc32", crc32(original).toString(16).padStart(8, "0")],
      ["sha256", createHash("sha256").update(original).digest("hex")],
      ["verified", "digest"],
    ]);
  });

  it("is, for a person, progress on stderr and a line for each file on stdout", async () => {
    const { status, stdout, stderr } = await download("person", ["--file-id", "0"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^file 0 {2}\S+\/images\/0 {2}2097152 bytes in 512 blocks, \d+ requests, \d+ ms, crc32 [0-9a-f]{8}, verified by digest\n$/,
    );
    expect(stderr).toMatch(/^(file 0: \d+ of 512 blocks \(\d+ %\)\n)+$/);
    expect(stderr).toContain("file 0: 512 of 512 blocks (100 %)");
  });

  it("is of one file with --file-id", async () => {
    const files = await downloadJson("one", ["--file-id", "1"]);
    expect(files).toMatchObject([{ fileId: 1, blocks: 3 }]);
    expect(await readdir(directory.in("one", "images"))).toEqual(["1"]);
    const unknown = await download("one", ["--file-id", "7"]);
    expect(unknown).toEqual({
      status: 1,
      stdout: "",
      stderr: "otastream: file id 7 is not in stream images, which has the file ids 0, 1 (FileNotFound)\n",
    });
  });
});

describe("asked again", () => {
  it("asks for no block it holds and has verified", async () => {
    await downloadJson("again");
    for (const file of await downloadJson("again")) {
      expect(file).toMatchObject({ requests: 0, duplicates: 0, resumedBlocks: file.blocks, verified: "digest" });
    }
    // Blocks of another size are still the same bytes.
    for (const file of await downloadJson("again", ["--block-size", "1000", "--format", "json"])) {
      expect(file).toMatchObject({ requests: 0, resumedBlocks: file.blocks });
    }
  });

  it("fetches a file anew that was changed meanwhile", async () => {
    const [, file] = await downloadJson("changed");
    const bytes = await readFile(small);
    bytes[5000] = (bytes[5000] as number) ^ 1;
    await writeFile((file as PrintedFile).path, bytes);
    const [first, second] = await downloadJson("changed");
    expect(first).toMatchObject({ requests: 0 });
    expect(second).toMatchObject({ resumedBlocks: 0, verified: "digest" });
    await expectSameBytes((file as PrintedFile).path, small);
  });

  it("fetches the new file of a stream that was created again", async () => {
    const fetchIt = (): Promise<ProgramRun> =>
      runOtastream(["download", "reborn", "--broker", server.urls.mqtt, "--out", directory.in("reborn")]);
    await publish(server, "reborn", small);
    expect(await fetchIt()).toMatchObject({ status: 0 });
    await runOtastream(["streams", "delete", "reborn", "--endpoint", server.urls.http]);
    expect((await fetchIt()).stderr).toContain("there is no stream reborn (StreamNotFound)");
    await publish(server, "reborn", large);
    expect(await fetchIt()).toMatchObject({ status: 0 });
    await expectSameBytes(directory.in("reborn", "reborn", "0"), large);
  });
});

describe("stopped on the way", () => {
  let door: HoldingDoor;
  afterEach(() => door.close());

  /** Starts a download of the large file that comes past its half and cannot come to its end. */
  async function startHeld(out: string): Promise<OtastreamProcess> {
    door = await openHoldingDoor(server.urls.mqtt, 0.7 * LARGE_BYTES);
    const args = ["download", "images", "--broker", door.url, "--file-id", "0", "--out", directory.in(out)];
    const process = new OtastreamProcess(args);
    await process.stderrLine(/\(50 %\)/);
    return process;
  }

  async function expectResumed(out: string, leastBlocks: number, flags: readonly string[] = []): Promise<void> {
    const [file] = await downloadJson(out, ["--file-id", "0", ...flags]);
    expect(file).toMatchObject({ blocks: LARGE_BLOCKS, verified: "digest" });
    const { path, requests, resumedBlocks } = file as PrintedFile;
    expect(resumedBlocks).toBeGreaterThanOrEqual(leastBlocks);
    expect(resumedBlocks).toBeLessThan(LARGE_BLOCKS);
    expect(requests).toBeGreaterThan(0);
    await expectSameBytes(path, large);
    expect(await readdir(directory.in(out, "images"))).toEqual(["0"]);
  }

  it("by SIGKILL, goes on with the blocks it had", async () => {
    const process = await startHeld("killed");
    await process.stop("SIGKILL");
    await expectResumed("killed", LARGE_BLOCKS / 4);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("by %s, says so, ends with 130 and keeps every block", async (signal) => {
    const process = await startHeld(signal);
    const { status, stdout, stderr } = await process.stop(signal);
    expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
    expect(stderr.trim().split("\n").at(-1)).toBe(
      "otastream: interrupted; what was received is kept for the next run (Interrupted)",
    );
    await expectResumed(signal, LARGE_BLOCKS / 2, ["--format", "json"]);
  });

  it("and asked for another block size, says what it lost and still ends with the right file", async () => {
    const process = await startHeld("resized");
    await process.stop("SIGINT");
    const { status, stderr } = await download("resized", ["--file-id", "0", "--block-size", "1000"]);
    expect(status).toBe(0);
    expect(stderr).toContain("the block size was 4096 and is now 1000");
    await expectSameBytes(directory.in("resized", "images", "0"), large);
  });

  it("keeps a second download out of its directory meanwhile", async () => {
    const process = await startHeld("shared");
    const second = await download("shared", ["--file-id", "0"]);
    expect(second.status).toBe(1);
    expect(second.stderr).toBe(
      `otastream: ${directory.in("shared", "images", "0")} is already being downloaded by process ${process.pid}; wait for it or choose another directory (OutputNotWritable)\n`,
    );
    await process.stop("SIGINT");
    await expectResumed("shared", LARGE_BLOCKS / 2);
  });

  it("before the broker has answered, ends at once", async () => {
    door = await openHoldingDoor(server.urls.mqtt, 0);
    const args = ["download", "images", "--broker", door.url, "--out", directory.in("none")];
    const process = new OtastreamProcess(args);
    await door.held();
    expect(await process.stop("SIGINT")).toMatchObject({ status: 130, stdout: "" });
  });
});

describe("digests", () => {
  it("of the caller are compared with those of the stream and of the file", async () => {
    const bytes = await readFile(small);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const crc = crc32(bytes).toString(16).padStart(8, "0");
    const flags = ["--file-id", "1", "--sha256", sha256.toUpperCase(), "--crc32", `0x${crc}`];
    expect(await downloadJson("right", flags)).toMatchObject([{ verified: "digest" }]);
    const wrong = await download("wrong", ["--file-id", "1", "--crc32", "00000000"]);
    expect(wrong).toMatchObject({ status: 1, stdout: "" });
    expect(wrong.stderr).toMatch(/^otastream: crc32 of file 1 is .* \(DigestMismatch\)\n$/);
    const several = await download("several", ["--crc32", "00000000"]);
    expect(several.status).toBe(2);
    expect(several.stderr).toMatch(
      / is of one file, and stream images has \d+: name the file id \(InvalidArgument\)\n$/,
    );
  });

  it("that a stream does not name leave the size, with a warning", async () => {
    const { status, stdout, stderr } = await download("sized", ["--json"], strict.urls.mqtt);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).files).toMatchObject([{ verified: "size", bytes: SMALL_BYTES }]);
    expect(stderr).toContain("verified by size only");
    const again = await download("sized", ["--json"], strict.urls.mqtt);
    expect(JSON.parse(again.stdout).files).toMatchObject([{ verified: "size", requests: 0, resumedBlocks: 3 }]);
    const person = await download("sized-too", [], strict.urls.mqtt);
    expect(person.stderr).toContain("name one with --crc32 or --sha256");
  });

  it("are demanded by --require-digest, from the stream or from the caller", async () => {
    const refused = await download("demanded", ["--require-digest"], strict.urls.mqtt);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^otastream: file 0 of stream images has no digest .* \(DigestMissing\)\n$/);
    const sha256 = createHash("sha256")
      .update(await readFile(small))
      .digest("hex");
    const flags = ["--require-digest", "--file-id", "0", "--sha256"];
    expect(await downloadJson("demanded", [...flags, sha256], strict.urls.mqtt)).toMatchObject([
      { verified: "digest" },
    ]);
    expect(await downloadJson("demanded-lenient", ["--require-digest"])).toHaveLength(2);
  });

  it("that are wrong leave no finished file behind, and do no harm to the next run", async () => {
    const flags = ["--file-id", "0", "--sha256"];
    for (const _ of ["first", "second"]) {
      const refused = await download("mismatch", [...flags, "0".repeat(64)], strict.urls.mqtt);
      expect(refused).toMatchObject({ status: 1, stdout: "" });
      expect(refused.stderr).toContain("(DigestMismatch)");
      expect(await readdir(directory.in("mismatch", "images"))).not.toContain("0");
    }
    const sha256 = createHash("sha256")
      .update(await readFile(small))
      .digest("hex");
    expect(await download("mismatch", [...flags, sha256], strict.urls.mqtt)).toMatchObject({ status: 0 });
    await expectSameBytes(directory.in("mismatch", "images", "0"), small);
  });
});

describe("an output that cannot be written", () => {
  it.each(["/proc/otastream", "/dev/null"])("such as %s is named", async (out) => {
    const run = await runOtastream(["download", "images", "--broker", server.urls.mqtt, "--out", out]);
    expect(run).toMatchObject({ status: 1, stdout: "" });
    expect(run.stderr).toMatch(new RegExp(`^otastream: cannot write ${out}.*\\(OutputNotWritable\\)\n$`));
  });
});
