/** The product's own server, as `otastream serve` runs it, in a process of its own, with streams to download. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openIotApi } from "../../cli/iot-api.ts";
import { uploadFiles } from "../../publisher/object-store/uploader.ts";
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
  /** Uploads a file and makes a stream of it, `copies` times the same object. */
  publish(streamId: string, source: Source, copies?: number): Promise<void>;
  /** Where the only file of a stream is stored. */
  objectOf(streamId: string): Promise<{ bucket: string; key: string }>;
  /** Registers more streams like one that is there; their ids are `<streamId>-<n>`, from `first` on, or from 1. */
  registerLike(streamId: string, count: number, first?: number): Promise<void>;
}

/** The role that the benchmark's streams name; nobody checks it. */
export const ROLE_ARN = "arn:aws:iam::123456789012:role/bench";
/** The region of the server and its storage. */
export const REGION = "us-east-1";
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
      const [uploaded] = await uploadFiles({
        endpoint: s3,
        region: REGION,
        bucket: "bench",
        files: [{ key: streamId, bytes: await readFile(path) }],
      });
      const { bucket = "", key = "" } = uploaded ?? {};
      const api = openIotApi({ endpoint: http, region: REGION });
      const files = Array.from({ length: copies }, (_, fileId) => ({ fileId, bucket, key }));
      await api.createStream({ streamId, roleArn: ROLE_ARN, files });
      api.close();
    },
    objectOf: async (streamId) => {
      const registry = openSqliteRegistry(registryPath);
      const { files } = await liveStream(registry, streamId);
      await registry.close();
      const { bucket = "", key = "" } = files[0]?.s3Location ?? {};
      return { bucket, key };
    },
    registerLike: (streamId, count, first = 1) => registerLike(registryPath, streamId, count, first),
  };
}

/** Several processes may open a registry; the server finds a new stream when it is first asked for it. */
async function registerLike(path: string, streamId: string, count: number, first: number): Promise<void> {
  const registry = openSqliteRegistry(path);
  try {
    const model = await liveStream(registry, streamId);
    for (let index = first; index < first + count; index++) {
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
