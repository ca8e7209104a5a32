/** A server of this project on free ports, with a stream that meets every need of the rules. */
import type { ServerOptions } from "../../cli/server.ts";
import { uploadFiles } from "../../publisher/object-store/uploader.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";
import { gatherFacts, patternBytes, type StreamFacts, SUITABLE_SIZES } from "./stream-facts.ts";

/** A running server and what is known of its stream. */
export interface OwnServer {
  readonly server: RunningServer;
  readonly facts: StreamFacts;
  close(): Promise<void>;
}

/** What the server is like. */
export interface OwnServerOptions {
  readonly thing: string;
  readonly profile: "strict" | "lenient";
  readonly firstStreamVersion: 0 | 1;
  /** A broker for it to be a client of. */
  readonly brokerUrl?: string;
}

const STREAM_ID = "conformance";
const DESCRIPTION = "three files to test with";
const BUCKET = "conformance";

/** Starts it; whoever calls closes it. */
export async function startOwnServer(options: OwnServerOptions): Promise<OwnServer> {
  const { thing, profile, firstStreamVersion, brokerUrl } = options;
  const overrides: Partial<ServerOptions> = {
    profile,
    control: { region: "us-east-1", accountId: "123456789012", firstStreamVersion },
    ...(brokerUrl !== undefined && { brokerUrl }),
  };
  const server = await startRunningServer(overrides);
  try {
    const files = [...SUITABLE_SIZES].map(([fileId, sizeBytes]) => ({ fileId, bytes: patternBytes(sizeBytes) }));
    await createStream(server.urls, files);
    // The version is what the rules say it must be, not what the server says it is.
    const basics = { thing, profile, streamId: STREAM_ID, streamVersion: firstStreamVersion, description: DESCRIPTION };
    return { server, facts: gatherFacts(basics, files), close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function createStream(
  urls: RunningServer["urls"],
  files: readonly { readonly fileId: number; readonly bytes: Uint8Array }[],
): Promise<void> {
  const sources = files.map(({ fileId, bytes }) => ({ key: `file-${fileId}`, bytes }));
  await uploadFiles({ endpoint: urls.s3, region: "us-east-1", bucket: BUCKET, files: sources });
  const response = await fetch(`${urls.http}/streams/${STREAM_ID}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      description: DESCRIPTION,
      roleArn: "arn:aws:iam::123456789012:role/conformance",
      files: files.map(({ fileId }) => ({ fileId, s3Location: { bucket: BUCKET, key: `file-${fileId}` } })),
    }),
  });
  if (!response.ok) throw new Error(`CreateStream answered ${response.status}: ${await response.text()}`);
}
