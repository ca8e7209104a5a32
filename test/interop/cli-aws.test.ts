/** The whole way with AWS's own command line as the publisher: upload, create, fetch, compare. */
import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { someBytes } from "../contract/object-store.ts";
import { AWS_CLI, type ClientRun, isMissing, runClient } from "../support/control-clients.ts";
import {
  expectDelivered,
  expectSameBytes,
  FILE_SIZES,
  REQUEST_SHAPES,
  type TemporaryDirectory,
  temporaryDirectory,
  writeImages,
} from "../support/otastream-delivery.ts";
import { killLeftovers, runOtastream, type ServeProcess, startServe } from "../support/otastream-process.ts";

const BUCKET = "firmware";
const ROLE = "arn:aws:iam::123456789012:role/reader";
const OVERSIZE_BYTES = 2_097_153;

describe.skipIf(isMissing(AWS_CLI))("aws s3 cp, aws iot create-stream, otastream download", () => {
  let directory: TemporaryDirectory;
  let server: ServeProcess;
  let images: string[];

  beforeAll(async () => {
    directory = await temporaryDirectory();
    server = await startServe(directory.in("data"));
    images = await writeImages(directory.path);
    const oversize = directory.in("oversize.bin");
    await writeFile(oversize, someBytes(OVERSIZE_BYTES));
    await succeed(aws(server.urls.s3, "s3", "mb", `s3://${BUCKET}`));
    for (const path of [...images, oversize]) {
      await succeed(aws(server.urls.s3, "s3", "cp", path, `s3://${BUCKET}/v1/`));
    }
    const keys = FILE_SIZES.map((sizeBytes) => `v1/${sizeBytes}.bin`);
    const created = await succeed(createStream("images", keys));
    expect(JSON.parse(created)).toEqual({
      streamId: "images",
      streamArn: "arn:aws:iot:us-east-1:123456789012:stream/images",
      streamVersion: 0,
    });
  });
  afterAll(async () => {
    await killLeftovers();
    await directory.remove();
  });

  function aws(endpoint: string, ...args: readonly string[]): Promise<ClientRun> {
    return runClient(AWS_CLI, ["--endpoint-url", endpoint, "--output", "json", ...args]);
  }

  function createStream(streamId: string, keys: readonly string[]): Promise<ClientRun> {
    const files = JSON.stringify(keys.map((key, fileId) => ({ fileId, s3Location: { bucket: BUCKET, key } })));
    const args = ["--stream-id", streamId, "--files", files, "--role-arn", ROLE];
    return aws(server.urls.http, "iot", "create-stream", ...args);
  }

  async function succeed(run: Promise<ClientRun>): Promise<string> {
    const { status, stdout, stderr } = await run;
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  }

  it.each(REQUEST_SHAPES)("delivers every file in $format, blocks of $blockSizeBytes bytes", async (shape) => {
    const out = directory.in(`${shape.format}-${shape.blockSizeBytes}`);
    await expectDelivered({ broker: server.urls.mqtt, streamId: "images", out, ...shape }, images);
  });

  it.each(["cbor", "json"])("delivers every file through the command line in %s", async (format) => {
    const out = directory.in(`cli-${format}`);
    const args = ["download", "images", "--broker", server.urls.mqtt, "--format", format, "--out", out, "--json"];
    const { status, stdout, stderr } = await runOtastream(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { files } = JSON.parse(stdout) as { files: { path: string; bytes: number; verified: string }[] };
    expect(files.map(({ bytes }) => bytes)).toEqual(FILE_SIZES);
    for (const [fileId, { path, verified }] of files.entries()) {
      expect(verified).toBe("digest");
      await expectSameBytes(path, images[fileId] as string);
    }
  });

  it("refuses a file of one byte too many and leaves nothing behind", async () => {
    const refused = await createStream("too-large", ["v1/1.bin", "v1/oversize.bin"]);
    expect(refused.status).toBe(254);
    expect(refused.stderr).toContain("(LimitExceededException)");
    expect(refused.stderr).toContain(`file 1 has ${OVERSIZE_BYTES} bytes; the limit is 2097152 bytes`);
    const [described, listed, downloaded] = await Promise.all([
      aws(server.urls.http, "iot", "describe-stream", "--stream-id", "too-large"),
      aws(server.urls.http, "iot", "list-streams"),
      runOtastream(["download", "too-large", "--broker", server.urls.mqtt, "--out", directory.in("none")]),
    ]);
    expect(described.status).toBe(254);
    expect(described.stderr).toContain("(ResourceNotFoundException)");
    expect(JSON.parse(listed.stdout).streams.map(({ streamId }: { streamId: string }) => streamId)).toEqual(["images"]);
    expect(downloaded.status).toBe(1);
    expect(downloaded.stderr).toContain("there is no stream too-large (StreamNotFound)");
    expect(JSON.parse(await succeed(createStream("too-large", ["v1/1.bin"]))).streamVersion).toBe(0);
  });
});
