/** Files to deliver, a device to fetch them in this process, and a way to hold a delivery up half-way. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type DownloadResult, downloadStream } from "../../device/agent.ts";
import { systemFileSystem } from "../../device/file-system.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { systemRandom } from "../../shared/random.ts";
import { someBytes } from "../contract/object-store.ts";

/** One byte, one small block, one page, one byte over a request, a prime-like size, and the largest file. */
export const FILE_SIZES = [1, 256, 4096, 131_073, 1_000_003, 2_097_152] as const;
/** Smallest, not dividing anything, usual, just under a power of two, largest. */
const BLOCK_SIZES = [256, 1000, 4096, 65_535, 131_072] as const;
/** Every format with every block size. */
export const REQUEST_SHAPES = (["cbor", "json"] as const).flatMap((format) =>
  BLOCK_SIZES.map((blockSizeBytes) => ({ format, blockSizeBytes })),
);

/** A directory of the test's own. */
export interface TemporaryDirectory {
  readonly path: string;
  /** A path in it. */
  in(...names: readonly string[]): string;
  remove(): Promise<void>;
}

/** Makes an empty directory. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), "otastream-test-"));
  return { path, in: (...names) => join(path, ...names), remove: () => rm(path, { recursive: true, force: true }) };
}

/** Writes a file of each size, named `<size>.bin`; returns the paths in the order of the sizes. */
export async function writeImages(directory: string, sizes: readonly number[] = FILE_SIZES): Promise<string[]> {
  const paths = sizes.map((sizeBytes) => join(directory, `${sizeBytes}.bin`));
  await Promise.all(paths.map((path, index) => writeFile(path, someBytes(sizes[index] as number))));
  return paths;
}

/** Downloads a whole stream as one device of a random name. */
export function fetchStream(options: {
  readonly broker: string;
  readonly streamId: string;
  readonly out: string;
  readonly format: Format;
  readonly blockSizeBytes: number;
}): Promise<DownloadResult> {
  const thing = `device-${randomBytes(4).toString("hex")}`;
  const parts = { fileSystem: systemFileSystem, clock: systemClock, random: systemRandom, log: silentLog };
  const transport = createDeviceTransport({ url: options.broker, clientId: thing, log: silentLog });
  return downloadStream({ ...options, ...parts, transport, thing, directory: options.out });
}

/** Fetches a stream in a shape and compares each file with its original, whose place in `originals` is its file id. */
export async function expectDelivered(
  options: Parameters<typeof fetchStream>[0],
  originals: readonly string[],
): Promise<void> {
  const { files } = await fetchStream(options);
  expect(files.map(({ fileId }) => fileId)).toEqual(originals.map((_, index) => index));
  for (const { fileId, path, verified, sizeBytes, blocks } of files) {
    expect(path).toBe(join(options.out, options.streamId, String(fileId)));
    expect(verified).toBe("digest");
    expect(blocks).toBe(Math.ceil(sizeBytes / options.blockSizeBytes));
    await expectSameBytes(path, originals[fileId] as string);
  }
}

/** Compares two files byte for byte. */
export async function expectSameBytes(path: string, original: string): Promise<void> {
  const [copy, bytes] = await Promise.all([readFile(path), readFile(original)]);
  expect(copy.length).toBe(bytes.length);
  expect(copy.equals(bytes), `${path} and ${original} are the same`).toBe(true);
}

/** A door in front of a broker that lets only so many bytes through to devices. */
export interface HoldingDoor {
  readonly url: string;
  /** Resolves once a connection is held. */
  held(): Promise<void>;
  /** Holds no connection that comes from now on. */
  release(): void;
  close(): Promise<void>;
}

/** Opens a door to the broker at `url` that holds each connection once `passBytes` went to the device. */
export async function openHoldingDoor(url: string, passBytes: number): Promise<HoldingDoor> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const holding = Promise.withResolvers<void>();
  let mostBytes = passBytes;
  const server = createServer((device) => {
    const broker = connect(Number(port), hostname);
    let leftBytes = mostBytes;
    device.pipe(broker);
    broker.on("data", (bytes) => {
      device.write(bytes.subarray(0, leftBytes));
      leftBytes -= Math.min(leftBytes, bytes.length);
      if (leftBytes > 0) return;
      broker.pause();
      holding.resolve();
    });
    for (const [socket, other] of [
      [device, broker],
      [broker, device],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    held: () => holding.promise,
    release: () => {
      mostBytes = Number.POSITIVE_INFINITY;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
