/** Downloads with an older image at hand, against a real server: what is transferred, and what a wrong base comes to. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemFileSystem } from "../../device/file-system.ts";
import { checksum } from "../../shared/protocol/block-checksums.ts";
import { someBytes } from "../contract/object-store.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/otastream-delivery.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";
import { type WatchedDownloadOptions, watchedDownload } from "../support/session-download.ts";

const SIZE_BYTES = 2_097_152;
const BLOCK_BYTES = 4096;
const BLOCKS = SIZE_BYTES / BLOCK_BYTES;

let server: RunningServer;
let strict: RunningServer;
let directory: TemporaryDirectory;
const image = someBytes(SIZE_BYTES);

beforeAll(async () => {
  [server, strict] = await Promise.all([startRunningServer(), startRunningServer({ profile: "strict" })]);
  await Promise.all([server.publish("firmware", [image]), strict.publish("firmware", [image])]);
});
afterAll(() => Promise.all([server.close(), strict.close()]));
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory.remove());

/** Writes a base image; returns its path. */
async function base(bytes: Uint8Array): Promise<string> {
  const path = directory.in("base.bin");
  await writeFile(path, bytes);
  return path;
}

/** The image with one byte changed in a share of its blocks, spread over the file. */
function withChangedBlocks(blockBytes: number, share: number): Buffer {
  const bytes = Buffer.from(image);
  const blocks = SIZE_BYTES / blockBytes;
  const changed = Math.round(blocks * share);
  for (let index = 0; index < changed; index++) {
    const at = Math.floor((index * blocks) / changed) * blockBytes + (index % blockBytes);
    bytes[at] = (bytes[at] as number) ^ 1;
  }
  return bytes;
}

function download(options: Partial<WatchedDownloadOptions> = {}) {
  return watchedDownload({
    broker: server.urls.mqtt,
    streamId: "firmware",
    directory: directory.in("out"),
    ...options,
  });
}

async function expectVerified(outcome: Awaited<ReturnType<typeof download>>, verified = "digest"): Promise<void> {
  expect(outcome.error).toBeUndefined();
  expect(outcome.result?.files[0]).toMatchObject({ fileId: 0, verified });
  expect((await readFile(directory.in("out", "firmware", "0"))).equals(image)).toBe(true);
}

describe("an image that differs from its base in 5 % of its blocks", () => {
  it.each([
    { format: "cbor", blockSizeBytes: 4096 },
    { format: "cbor", blockSizeBytes: 1024 },
    { format: "json", blockSizeBytes: 16_384 },
  ] as const)(
    "is transferred with at most 7 % of its bytes, manifest included: $format, $blockSizeBytes",
    async (shape) => {
      const basePath = await base(withChangedBlocks(shape.blockSizeBytes, 0.05));
      const outcome = await download({ basePath, ...shape });
      await expectVerified(outcome);
      const { transport, result } = outcome;
      const blocks = SIZE_BYTES / shape.blockSizeBytes;
      const changed = Math.round(blocks * 0.05);
      console.log(
        `${shape.format}, ${shape.blockSizeBytes}: ${changed} of ${blocks} blocks changed, ${transport.fileBytes} bytes of messages, ${((100 * transport.fileBytes) / SIZE_BYTES).toFixed(2)} % of the image`,
      );
      expect(transport.fileBytes / SIZE_BYTES).toBeLessThanOrEqual(0.07);
      expect(transport.messages("data")).toBe(changed);
      expect([...transport.asked.values()]).toEqual(Array.from({ length: changed }, () => 1));
      expect(result?.files[0]).toMatchObject({ baseBlocks: blocks - changed });
    },
  );
});

describe("a base image", () => {
  it("that is the new image already leaves nothing to transfer but the manifest", async () => {
    const outcome = await download({ basePath: await base(image) });
    await expectVerified(outcome);
    expect(outcome.transport.messages("data")).toBe(0);
    expect(outcome.transport.messages("checksums")).toBe(1);
  });

  it("may be the installed image itself, which the new one then replaces", async () => {
    await mkdir(directory.in("out", "firmware"), { recursive: true });
    const installed = directory.in("out", "firmware", "0");
    await writeFile(installed, withChangedBlocks(BLOCK_BYTES, 0.01));
    const outcome = await download({ basePath: installed });
    await expectVerified(outcome);
    expect(outcome.transport.messages("data")).toBe(5);
  });

  it.each([
    { name: "half as long", bytes: image.subarray(0, SIZE_BYTES / 2), fetched: BLOCKS / 2 },
    { name: "cut within a block", bytes: image.subarray(0, SIZE_BYTES - 1), fetched: 1 },
    { name: "twice as long", bytes: Buffer.concat([image, image]), fetched: 0 },
    { name: "empty", bytes: new Uint8Array(), fetched: BLOCKS },
    { name: "unrelated", bytes: image.toReversed(), fetched: BLOCKS },
    { name: "shifted by one byte", bytes: image.subarray(1), fetched: BLOCKS },
  ])("that is $name leads to the right image", async ({ bytes, fetched }) => {
    const outcome = await download({ basePath: await base(bytes) });
    await expectVerified(outcome);
    expect(outcome.transport.messages("data")).toBe(fetched);
    expect(outcome.result?.files[0]?.baseBlocks).toBe(BLOCKS - fetched);
  });

  it("whose blocks lie about their CRC-32 is found out by the digest, and all is fetched", async () => {
    const lying = Buffer.from(image);
    xorWithMultipleOfPolynomial(lying, 17 * BLOCK_BYTES + 100);
    const [honest, liar] = [image, lying].map((bytes) => checksum(bytes.subarray(17 * BLOCK_BYTES, 18 * BLOCK_BYTES)));
    expect(liar).toBe(honest);
    expect(lying.equals(image)).toBe(false);
    const outcome = await download({ basePath: await base(lying) });
    await expectVerified(outcome);
    expect(outcome.transport.messages("data")).toBe(BLOCKS);
  });

  it("that is missing, or a folder, is a clear error", async () => {
    const missing = await download({ basePath: directory.in("nowhere.bin") });
    expect(missing.error).toMatchObject({
      name: "OtaError",
      code: "FileNotReadable",
      message: `there is no base image ${directory.in("nowhere.bin")}`,
    });
    const folder = await download({ basePath: directory.path });
    expect(folder.error).toMatchObject({
      name: "OtaError",
      code: "FileNotReadable",
      message: `the base image ${directory.path} cannot be read`,
    });
  });

  it("serves what is left of a download that was interrupted, too", async () => {
    const stopping = new AbortController();
    const basePath = await base(withChangedBlocks(BLOCK_BYTES, 0.5));
    const first = await download({
      basePath,
      signal: stopping.signal,
      maxWindowBytes: BLOCK_BYTES,
      onProgress: ({ heldBlocks }) => heldBlocks >= BLOCKS * 0.75 && stopping.abort(),
    });
    expect(first.error).toMatchObject({ code: "Interrupted" });
    const second = await download({ basePath });
    await expectVerified(second);
    expect(first.transport.messages("data") + second.transport.messages("data")).toBeLessThanOrEqual(BLOCKS / 2 + 1);
    expect(second.result?.files[0]?.resumedBlocks).toBeGreaterThanOrEqual(BLOCKS * 0.75);
  });

  it("is of use although a data message of the first repair is corrupt", async () => {
    let isFirst = true;
    const outcome = await download({
      basePath: await base(withChangedBlocks(BLOCK_BYTES, 0.05)),
      tamper: ({ operation, payload }) => {
        if (operation !== "data" || !isFirst) return undefined;
        isFirst = false;
        payload[payload.length - 2] = (payload[payload.length - 2] as number) ^ 1;
        return undefined;
      },
    });
    await expectVerified(outcome);
    expect(outcome.transport.messages("data")).toBe(27);
    expect(outcome.transport.messages("checksums")).toBe(2);
  });
});

describe("a publisher without manifests", () => {
  it("is met as before: everything is fetched, and nothing more is subscribed to", async () => {
    const outcome = await download({ broker: strict.urls.mqtt, basePath: await base(image) });
    await expectVerified(outcome, "size");
    expect(outcome.transport.subscribed).toEqual(["description", "data", "rejected"]);
    expect(outcome.transport.messages("data")).toBe(BLOCKS);
    expect(outcome.transport.messages("rejected")).toBe(0);
    expect(outcome.result?.files[0]?.baseBlocks).toBe(0);
  });

  it("is met by a device without a base as by one with it", async () => {
    const outcome = await download({ broker: strict.urls.mqtt });
    await expectVerified(outcome, "size");
    expect(outcome.transport.subscribed).toEqual(["description", "data", "rejected"]);
  });

  it("announces none, and one with manifests is not asked for any without need", async () => {
    const outcome = await download();
    await expectVerified(outcome);
    expect(outcome.transport.subscribed).toEqual(["description", "data", "rejected"]);
    expect(outcome.transport.asked.size).toBe(BLOCKS);
    expect(outcome.transport.askedAgain).toEqual([]);
  });
});

describe("a disk that fails while blocks are copied from the base", () => {
  it("is the error that is told, not one of the base", async () => {
    const fileSystem = {
      ...systemFileSystem,
      openEmpty: async (path: string) => {
        const file = await systemFileSystem.openEmpty(path);
        const isPartial = path.endsWith(".part");
        const noSpace = Object.assign(new Error("no space"), { code: "ENOSPC" });
        return Object.assign(Object.create(file), {
          read: file.read.bind(file),
          write: (position: number, bytes: Uint8Array) => {
            if (isPartial && position > 0) throw noSpace;
            file.write(position, bytes);
          },
        });
      },
    };
    const { error } = await download({ basePath: await base(image), fileSystem });
    expect(error).toMatchObject({ name: "OtaError", code: "DiskFull" });
  });
});

/** Changes five bytes so that the CRC-32 of whatever holds them stays: the generator polynomial has the CRC-32 0. */
function xorWithMultipleOfPolynomial(bytes: Buffer, at: number): void {
  const bits = `1${(0x04c1_1db7).toString(2).padStart(32, "0")}`;
  for (const [index, bit] of [...bits].entries()) {
    const byte = at + (index >>> 3);
    if (bit === "1") bytes[byte] = (bytes[byte] as number) ^ (1 << (index & 7));
  }
}
