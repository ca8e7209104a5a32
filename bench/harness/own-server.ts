/** The product's own server, as `otastream serve` runs it, in a process of its own, with streams to download. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { publishFiles } from "../../cli/publish-command.ts";
import type { StreamRecord } from "../../publisher/protocol/stream.ts";
import { openSqliteRegistry } from "../../publisher/registry/sqlite-registry.ts";
import type { StreamRegistry } from "../../publisher/registry/stream-registry.ts";
import { crc32 } from "../../shared/crc32.ts";
import type { SourceFile } from "../receivers/tasks.ts";
import { Channel } from "./channel.ts";
import { type ProcessGroup, readyLine } from "./process-group.ts";
import type { ServerState } from "./server-probe.ts";

/** A file on the disk and what is known of it. */
export interface Source extends SourceFile {
  readonly path: string;
}

/** A running server. */
export interface OwnServer {
  readonly url: string;
  readonly httpUrl: string;
  readonly s3Url: string;
  readonly registryPath: string;
  readonly pids: readonly number[];
  /** Asks the process what it holds. */
  state(): Promise<ServerState>;
  /** Makes a stream of one file, `copies` times. */
  publish(streamId: string, source: Source, copies?: number): Promise<void>;
  /** Where the only file of a stream is stored. */
  objectOf(streamId: string): Promise<{ bucket: string; key: string }>;
  /** Registers more streams like one that is there; their ids are `<streamId>-<n>`, from 1 on. */
  registerLike(streamId: string, count: number): Promise<void>;
}

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const PROBE = new URL("./server-probe.ts", import.meta.url).href;
const PORTS = ["--mqtt-port", "--ws-port", "--http-port", "--s3-port"].flatMap((flag) => [flag, "0"]);

/** Starts a server that keeps its data under `directory`. */
export async function startOwnServer(group: ProcessGroup, directory: string): Promise<OwnServer> {
  const dataDir = await mkdtemp(join(directory, "server-"));
  const args = ["serve", "--json", ...PORTS, "--data-dir", dataDir, "--log-level", "error"];
  const child = group.startNode("server", MAIN, args, ["--import", PROBE]);
  const channel = new Channel<"state", ServerState>(child);
  const { mqtt, http, s3 } = JSON.parse(await readyLine(child, (line) => line.includes('"ready":true')));
  const registryPath = join(dataDir, "streams.sqlite");
  return {
    url: mqtt,
    httpUrl: http,
    s3Url: s3,
    registryPath,
    pids: [channel.pid],
    state: () => channel.ask("state"),
    publish: async (streamId, { path }, copies = 1) => {
      const files = Array<string>(copies).fill(path);
      const where = { bucket: "bench", endpoint: http, s3Endpoint: s3, region: "us-east-1" };
      await publishFiles({ streamId, files, ...where, json: true }, () => {});
    },
    objectOf: async (streamId) => {
      const registry = openSqliteRegistry(registryPath);
      const { files } = await liveStream(registry, streamId);
      await registry.close();
      const { bucket = "", key = "" } = files[0]?.s3Location ?? {};
      return { bucket, key };
    },
    registerLike: (streamId, count) => registerLike(registryPath, streamId, count),
  };
}

/** Several processes may open a registry; the server finds a new stream when it is first asked for it. */
async function registerLike(path: string, streamId: string, count: number): Promise<void> {
  const registry = openSqliteRegistry(path);
  try {
    const model = await liveStream(registry, streamId);
    for (let index = 1; index <= count; index++) {
      const record = { ...model, streamId: `${streamId}-${index}` };
      await registry.change(record.streamId, () => ({ state: "live", record }));
    }
  } finally {
    await registry.close();
  }
}

async function liveStream(registry: StreamRegistry, streamId: string): Promise<StreamRecord> {
  const entry = await registry.find(streamId);
  if (entry?.state !== "live") throw new Error(`there is no stream ${streamId}`);
  return entry.record;
}

/** Writes a file of random bytes. */
export async function makeSource(directory: string, sizeBytes: number): Promise<Source> {
  const bytes = randomBytes(sizeBytes);
  const folder = join(directory, `source-${sizeBytes}`);
  await mkdir(folder, { recursive: true });
  const path = join(folder, "image");
  await writeFile(path, bytes);
  return { path, sizeBytes, crc32: crc32(bytes) };
}
