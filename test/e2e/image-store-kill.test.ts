import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemFileSystem } from "../../device/file-system.ts";
import { randomInteger, seededRandom } from "../../shared/random.ts";
import { blockOf, makeImage, openStore, receivedIds } from "../support/image-fixture.ts";

const writer = fileURLToPath(new URL("../support/image-store-writer.ts", import.meta.url));
const SEED = 20_261;
const SIZE_BYTES = 1_000_003;
const BLOCK_SIZE_BYTES = 1000;
const image = makeImage({ seed: SEED, sizeBytes: SIZE_BYTES, blockSizeBytes: BLOCK_SIZE_BYTES });

let directory: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "otastream-store-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(directory, { recursive: true });
});

function startWriter(...more: string[]) {
  const args = [writer, directory, String(SEED), String(SIZE_BYTES), String(BLOCK_SIZE_BYTES), ...more];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  return { child, lines: createInterface({ input: child.stdout }), closed: once(child, "close") };
}

/** Runs the writer, which kills itself after so many blocks, and returns its lines. */
async function runWriter(killAfterBlocks?: number): Promise<string[]> {
  const { lines, closed } = startWriter(...(killAfterBlocks === undefined ? [] : [String(killAfterBlocks)]));
  const said: string[] = [];
  lines.on("line", (line) => said.push(line));
  await closed;
  return said;
}

describe("image store and SIGKILL", () => {
  it("resumes after every kill with what was written, and finishes with the right bytes", async () => {
    const random = seededRandom(SEED);
    const kills: number[] = [];
    let written = 0;
    let said: string[] = [];
    while (said.at(-1) !== "done") {
      const killAfter = kills.length < 12 ? randomInteger(random, 1, 90) : undefined;
      said = await runWriter(killAfter);
      written += said.filter((line) => /^\d+$/.test(line)).length;
      if (said.at(-1) === "done") break;
      kills.push(said.length - 1);

      const store = await openStore(image, systemFileSystem, { directory });
      const received = receivedIds(store);
      const partial = await readFile(`${store.path}.part`);
      for (const blockId of received) {
        const start = blockId * BLOCK_SIZE_BYTES;
        expect(partial.subarray(start, start + BLOCK_SIZE_BYTES).equals(blockOf(image, blockId))).toBe(true);
      }
      expect(received.length).toBeGreaterThanOrEqual(written - 16 * kills.length);
      await store.close();
    }
    console.log(`blocks written before each kill (seed ${SEED}): ${kills.join(" ")}`);
    expect(kills).toHaveLength(12);
    expect(written - 1001).toBeLessThanOrEqual(16 * kills.length);
    expect(await readdir(join(directory, "stream"))).toEqual(["7"]);
    expect((await readFile(join(directory, "stream", "7"))).equals(image.bytes)).toBe(true);
    expect(await runWriter()).toEqual(["open complete 1001", "done"]);
  });

  it("keeps other processes out while it is open, and no longer", async () => {
    const { child, lines, closed } = startWriter("hold");
    expect(await once(lines, "line")).toEqual(["open fresh 0"]);
    const final = join(directory, "stream", "7");
    await expect(openStore(image, systemFileSystem, { directory })).rejects.toMatchObject({
      code: "OutputNotWritable",
      retryable: true,
      message: `${final} is already being downloaded by process ${child.pid}; wait for it or choose another directory`,
    });
    child.kill("SIGKILL");
    await closed;
    const store = await openStore(image, systemFileSystem, { directory });
    await expect(openStore(image, systemFileSystem, { directory })).rejects.toThrow("by this process");
    await store.close();
    await (await openStore(image, systemFileSystem, { directory })).close();
    expect((await readdir(join(directory, "stream"))).sort()).toEqual(["7.journal", "7.part"]);
  });

  it("is not kept out by locks of another boot or of a process id used again", async () => {
    const first = await openStore(image, systemFileSystem, { directory });
    await first.close();
    const folder = join(directory, "stream");
    await writeFile(join(folder, `7.lock.${process.pid}-1-00000000`), "");
    await writeFile(join(folder, `7.lock.${process.ppid}-1-00000000`), "");
    const store = await openStore(image, systemFileSystem, { directory });
    await store.close();
    expect((await readdir(folder)).sort()).toEqual(["7.journal", "7.part"]);
  });
});
