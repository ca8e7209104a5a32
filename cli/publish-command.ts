/** `otastream publish`: uploads files and creates a stream of them, here or on the real service. */
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import { isLoopbackEndpoint } from "../publisher/object-store/credentials.ts";
import { uploadFiles } from "../publisher/object-store/uploader.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import { MAX_FILES_PER_STREAM } from "../shared/protocol/limits.ts";
import { type CreatedStream, openIotApi } from "./iot-api.ts";
import { print, tell } from "./terminal.ts";

/** What the command line says. */
export interface PublishOptions {
  readonly files: readonly string[];
  readonly streamId?: string;
  readonly description?: string;
  readonly bucket: string;
  readonly endpoint: string;
  /** Absent: the embedded server's usual address beside a loopback `endpoint`, AWS otherwise. */
  readonly s3Endpoint?: string;
  readonly roleArn?: string;
  readonly region: string;
  readonly json: boolean;
}

/** A published stream and the names of its files; the file id is the index. */
export interface PublishedStream extends CreatedStream {
  readonly files: readonly { readonly fileId: number; readonly name: string; readonly sizeBytes: number }[];
}

/** What a local server is told where a role is demanded; it never assumes it. */
const LOCAL_ROLE_ARN = "arn:aws:iam::123456789012:role/otastream";
const LOCAL_S3_ENDPOINT = "http://127.0.0.1:9000";

/** Publishes and prints the stream. */
export async function runPublish(options: PublishOptions): Promise<void> {
  const published = await publishFiles(options, options.json ? () => {} : tell);
  if (options.json) {
    print(JSON.stringify(published));
    return;
  }
  print(`stream ${published.streamId}  version ${published.streamVersion}  ${published.streamArn}`);
  for (const { fileId, name, sizeBytes } of published.files) print(`  file ${fileId}  ${name}  ${sizeBytes} bytes`);
  print(`fetch it: otastream download ${published.streamId}`);
}

/** Uploads the files and creates the stream; `report` gets a line for each file that went up. */
export async function publishFiles(options: PublishOptions, report: (line: string) => void): Promise<PublishedStream> {
  const { bucket, description, endpoint, files, region } = options;
  if (files.length > MAX_FILES_PER_STREAM) {
    throw new OtaError("InvalidArgument", `a stream has at most ${MAX_FILES_PER_STREAM} files, not ${files.length}`);
  }
  const local = isLoopbackEndpoint(endpoint);
  const roleArn = options.roleArn ?? (local ? LOCAL_ROLE_ARN : undefined);
  if (roleArn === undefined) {
    throw new OtaError("InvalidArgument", `--role-arn is needed for ${endpoint}: the service reads the files with it`);
  }
  const streamId = options.streamId ?? `stream-${randomBytes(4).toString("hex")}`;
  // A folder of this run's own: when the stream exists already, its objects must not be overwritten. The file id keeps
  // files of the same name apart.
  const folder = `${streamId}/${randomBytes(4).toString("hex")}`;
  const reported = new Set<string>();
  const s3Endpoint = options.s3Endpoint ?? (local ? LOCAL_S3_ENDPOINT : undefined);
  const uploaded = await uploadFiles({
    ...(s3Endpoint !== undefined && { endpoint: s3Endpoint }),
    region,
    bucket,
    files: files.map((path, fileId) => ({ path, key: `${folder}/${fileId}/${basename(path)}` })),
    onProgress: ({ key, uploadedBytes, sizeBytes }) => {
      // An empty file is at its end at its start, too.
      if (uploadedBytes < sizeBytes || reported.has(key)) return;
      reported.add(key);
      report(`uploaded ${basename(key)} to ${bucket}/${key}, ${sizeBytes} bytes`);
    },
  });
  const api = openIotApi({ endpoint, region });
  try {
    const created = await api.createStream({
      streamId,
      ...(description !== undefined && { description }),
      roleArn,
      files: uploaded.map(({ key, versionId }, fileId) => ({ fileId, bucket, key, versionId })),
    });
    const named = uploaded.map(({ key, sizeBytes }, fileId) => ({ fileId, name: basename(key), sizeBytes }));
    return { ...created, files: named };
  } finally {
    api.close();
  }
}
