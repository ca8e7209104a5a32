/** The whole server in this process, on free ports and a directory of its own, with streams made as a user makes them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PRIVATE_REGION, privateServer } from "../../cli/private-server.ts";
import { type Server, type ServerOptions, startServer } from "../../cli/server.ts";
import { uploadFiles } from "../../publisher/object-store/uploader.ts";
import { type RecordedLog, recordLog } from "./broker.ts";

/** A stream that was just made; the file id is the index. */
export interface PublishedStream {
  readonly streamId: string;
  readonly streamVersion: number;
  readonly originals: readonly Uint8Array[];
}

/** A running server. */
export interface RunningServer {
  readonly urls: Server["urls"];
  readonly log: RecordedLog;
  /** Uploads the files and creates a stream of them over HTTP; throws with the server's answer when it refuses. */
  publish(streamId: string, originals: readonly Uint8Array[]): Promise<PublishedStream>;
  close(): Promise<void>;
}

const BUCKET = "originals";
const ROLE_ARN = "arn:aws:iam::123456789012:role/otastream";

/** Starts a server with the defaults of `serve`, but for what `overrides` names; an own data directory outlives it. */
export async function startRunningServer(overrides: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const dataDir = overrides.dataDir ?? (await mkdtemp(join(tmpdir(), "otastream-server-")));
  const log = recordLog();
  const server = await startServer({
    ...privateServer(dataDir, log),
    ...overrides,
  });
  return {
    urls: server.urls,
    log,
    publish: (streamId, originals) => publish(server.urls, streamId, originals),
    async close() {
      await server.close();
      if (overrides.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function publish(
  urls: Server["urls"],
  streamId: string,
  originals: readonly Uint8Array[],
): Promise<PublishedStream> {
  const files = originals.map((bytes, fileId) => ({ key: `${streamId}/${fileId}`, bytes }));
  const uploaded = await uploadFiles({ endpoint: urls.s3, region: PRIVATE_REGION, bucket: BUCKET, files });
  const body = {
    roleArn: ROLE_ARN,
    files: uploaded.map(({ bucket, key }, fileId) => ({ fileId, s3Location: { bucket, key } })),
  };
  const response = await fetch(`${urls.http}/streams/${streamId}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`CreateStream ${streamId}: ${response.status} ${answer}`);
  const { streamVersion } = JSON.parse(answer) as { streamVersion: number };
  return { streamId, streamVersion, originals };
}
