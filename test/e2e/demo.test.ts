/** The demo, as the README promises it: one command, everything shown, nothing left behind. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { someBytes } from "../contract/object-store.ts";
import { expectSameBytes, type TemporaryDirectory, temporaryDirectory } from "../support/otastream-delivery.ts";
import {
  descendantsOf,
  isRunning,
  killLeftovers,
  OtastreamProcess,
  type ProgramRun,
  runOtastream,
} from "../support/otastream-process.ts";

const FIRMWARE = join(dirname(createRequire(import.meta.url).resolve("@pybricks/firmware/package.json")), "build");

let directory: TemporaryDirectory;
beforeEach(async () => {
  directory = await temporaryDirectory();
  await mkdir(directory.in("tmp"));
});
afterEach(async () => {
  await killLeftovers();
  await directory.remove();
});

function startDemo(args: readonly string[], throughNpm = false): OtastreamProcess {
  // npm itself keeps a cache of compiled code there.
  const env = { TMPDIR: directory.in("tmp"), NODE_DISABLE_COMPILE_CACHE: "1" };
  return new OtastreamProcess(["demo", ...args], { env, throughNpm });
}

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(directory.in("tmp"))).toEqual([]);
}

function expectTable({ status, stdout }: ProgramRun, names: readonly string[]): void {
  expect(status).toBe(0);
  const [header = "", ...rows] = stdout.trimEnd().split("\n");
  expect(header).toMatch(/^file\s+bytes\s+blocks\s+requests\s+time\s+crc32\s/);
  expect(rows.map((row) => row.split(/\s{2,}/)[0])).toEqual(names);
  for (const row of rows) expect(row).toMatch(/^\S.* {2}\d+ {2,}\d+ {2,}\d+ {2,}\d+ ms {2,}[0-9a-f]{8} {2}ok$/);
}

describe("otastream demo", () => {
  it("delivers seven real firmware images and leaves no process and no file behind", async () => {
    const images = (await readdir(FIRMWARE)).filter((name) => name.endsWith(".zip")).sort();
    expect(images).toHaveLength(7);
    const demo = startDemo([], true);
    await demo.stderrLine(/^server /);
    const pids = [demo.pid, ...descendantsOf(demo.pid)];
    const run = await demo.ended;
    expectTable(run, images);
    for (const name of images)
      expect(run.stderr).toMatch(new RegExp(`^${name}: (\\d+) of \\1 blocks \\(100 %\\)$`, "m"));
    expect(pids.filter(isRunning)).toEqual([]);
    await expectNothingLeft();
  });

  it("delivers the files it is given, two of one name among them", async () => {
    await mkdir(directory.in("b"));
    const files = [directory.in("image.bin"), directory.in("b", "image.bin"), directory.in("one byte")];
    await Promise.all(files.map((path, index) => writeFile(path, someBytes([131_073, 5000, 1][index] as number))));
    expectTable(await startDemo(files).ended, ["image.bin", "image.bin", "one byte"]);
    await expectNothingLeft();
  });

  it.each(["SIGINT", "SIGTERM"] as const)("serves on with --keep until %s, then removes everything", async (signal) => {
    const file = directory.in("image.bin");
    await writeFile(file, someBytes(10_001));
    const demo = startDemo(["--keep", file]);
    await demo.stdoutLine(/Ctrl-C/);
    const [, streamId = "", broker = ""] = /otastream download (\S+) --broker (\S+)/.exec(demo.stdout.join("\n")) ?? [];
    const args = ["download", streamId, "--broker", broker, "--out", directory.in("out")];
    expect(await runOtastream(args)).toMatchObject({ status: 0 });
    await expectSameBytes(directory.in("out", streamId, "0"), file);
    expect(await demo.stop(signal)).toMatchObject({ status: 0 });
    expect(isRunning(demo.pid)).toBe(false);
    await expectNothingLeft();
  });

  it("can be interrupted, and still leaves nothing behind", async () => {
    const demo = startDemo([]);
    await demo.stderrLine(/^server /);
    const { status, stderr } = await demo.stop("SIGINT");
    // The signal may come when everything is delivered already.
    expect([0, 130]).toContain(status);
    expect(stderr).not.toMatch(/^ {4}at /m);
    await expectNothingLeft();
  });

  it("goes to its end when nobody reads what it prints", async () => {
    const file = directory.in("image.bin");
    await writeFile(file, someBytes(10_001));
    const demo = startDemo([file]);
    demo.child.stdout.destroy();
    demo.child.stderr.destroy();
    expect(await demo.ended).toMatchObject({ status: 0 });
    await expectNothingLeft();
  });

  it("says what is wrong with a file, and leaves nothing behind", async () => {
    const nothing = directory.in("nothing");
    const oversize = directory.in("oversize");
    await writeFile(oversize, someBytes(2_097_153));
    const [missing, tooLarge] = await Promise.all([startDemo([nothing]).ended, startDemo([oversize]).ended]);
    expect(missing).toMatchObject({ status: 1, stdout: "" });
    expect(missing.stderr).toContain(`otastream: ${nothing} cannot be read: there is no such file (FileNotReadable)\n`);
    expect(tooLarge).toMatchObject({ status: 1, stdout: "" });
    expect(tooLarge.stderr).toContain("LimitExceededException: file 0 has 2097153 bytes; the limit is 2097152 bytes");
    await expectNothingLeft();
  });

  it("says when there is no room for its files", async () => {
    const run = await runOtastream(["demo"], { env: { TMPDIR: directory.in("nowhere") } });
    expect(run).toMatchObject({ status: 1, stdout: "" });
    expect(run.stderr).toBe(
      `otastream: ${directory.in("nowhere")}, the directory for temporary files, cannot be written: ENOENT (OutputNotWritable)\n`,
    );
  });
});
