import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemFileSystem } from "../../device/file-system.ts";
import { blockOf, finishImage, makeImage, openStore, receivedIds } from "../support/image-fixture.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "otastream-disk-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Mounts a small file system at `path`; says whether this machine allows it. */
function mountTmpfs(path: string, options: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "pipe" });
    return true;
  } catch (error) {
    if (process.env.CI) throw error;
    return false;
  }
}

describe("image store on a real disk", () => {
  it.each([
    [1, 256],
    [256, 256],
    [131_073, 131_072],
    [1_000_003, 1000],
    [2_097_152, 4096],
    [2_097_152, 65_535],
  ])("keeps %i bytes in blocks of %i", async (sizeBytes, blockSizeBytes) => {
    const image = makeImage({ sizeBytes, blockSizeBytes });
    const first = await openStore(image, systemFileSystem, { directory });
    for (let blockId = first.blockCount - 1; blockId >= 0; blockId -= 3) {
      await first.write(blockId, blockOf(image, blockId));
    }
    await first.close();
    const second = await openStore(image, systemFileSystem, { directory });
    expect(receivedIds(second).length).toBe(Math.ceil(second.blockCount / 3));
    const path = await finishImage(second, image);
    expect(path).toBe(join(directory, "stream", "7"));
    expect((await readFile(path)).equals(image.bytes)).toBe(true);
    const third = await openStore(image, systemFileSystem, { directory });
    expect(third.complete).toBe(true);
    await third.close();
    expect(await readdir(join(directory, "stream"))).toEqual(["7"]);
  });

  it("creates the directories above", async () => {
    const image = makeImage();
    const store = await openStore(image, systemFileSystem, { directory: join(directory, "a", "b") });
    expect(await finishImage(store, image)).toBe(join(directory, "a", "b", "stream", "7"));
  });

  it("says which path cannot be written, and why", async () => {
    const image = makeImage();
    await writeFile(join(directory, "file"), "");
    await mkdir(join(directory, "out", "stream", "7.part"), { recursive: true });
    for (const [out, message] of [
      [join(directory, "file"), `cannot write ${join(directory, "file", "stream")}: part of the path is a file`],
      [join(directory, "out"), `cannot write ${join(directory, "out", "stream", "7.part")}: a directory is in the way`],
      ["/proc/otastream", "cannot write /proc/otastream"],
    ] as const) {
      const opening = openStore(image, systemFileSystem, { directory: out });
      await expect(opening).rejects.toMatchObject({ name: "OtaError", code: "OutputNotWritable" });
      await expect(opening).rejects.toThrow(message);
    }
    await rm(join(directory, "out", "stream", "7.part"), { recursive: true });
    const store = await openStore(image, systemFileSystem, { directory: join(directory, "out") });
    await mkdir(store.path);
    await expect(finishImage(store, image)).rejects.toMatchObject({ code: "OutputNotWritable" });
    await store.close();
    expect(await readdir(join(directory, "out", "stream"))).toContain("7.part");
  });

  it("goes on after the disk was full or read-only", async (context) => {
    const image = makeImage({ sizeBytes: 1_000_000, blockSizeBytes: 4096 });
    if (!mountTmpfs(directory, "size=256k")) context.skip("needs the right to mount a tmpfs: run as root");
    try {
      const store = await openStore(image, systemFileSystem, { directory });
      const filling = async () => {
        for (let blockId = 0; blockId < store.blockCount; blockId++)
          await store.write(blockId, blockOf(image, blockId));
      };
      await expect(filling()).rejects.toMatchObject({
        code: "DiskFull",
        message: `cannot write ${store.path}.part: no space is left on the disk (ENOSPC)`,
      });
      await store.close();
      execFileSync("mount", ["-o", "remount,ro", directory]);
      await expect(openStore(image, systemFileSystem, { directory })).rejects.toMatchObject({
        code: "OutputNotWritable",
        message: expect.stringContaining("the file system is read-only (EROFS)"),
      });
      execFileSync("mount", ["-o", "remount,rw,size=4m", directory]);
      const again = await openStore(image, systemFileSystem, { directory });
      expect(receivedIds(again).length).toBeGreaterThan(50);
      const path = await finishImage(again, image);
      expect((await readFile(path)).equals(image.bytes)).toBe(true);
    } finally {
      execFileSync("umount", [directory]);
    }
  });
});
