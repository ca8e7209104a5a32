/** Uploading files to the embedded S3 server: what comes back, in which order, and which files are refused. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createS3ObjectStore } from "../../publisher/object-store/s3-object-store.ts";
import type { UploadSource } from "../../publisher/object-store/upload-source.ts";
import { type UploadProgress, uploadFiles } from "../../publisher/object-store/uploader.ts";
import { failureOf, someBytes } from "../contract/object-store.ts";
import { type S3Server, startTemporaryS3 } from "../support/s3-backend.ts";

let dir: string;
let server: S3Server;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "otastream-upload-"));
  server = await startTemporaryS3();
});
afterAll(async () => {
  await server?.close();
  rmSync(dir, { recursive: true, force: true });
});

function upload(
  bucket: string,
  files: readonly UploadSource[],
  onProgress: (progress: UploadProgress) => void = () => {},
) {
  return uploadFiles({ endpoint: server.endpoint, region: server.region, bucket, files, onProgress });
}

describe("uploading", () => {
  it("creates the bucket, keeps the order, and reports progress part by part", async () => {
    const path = join(dir, "large.bin");
    writeFileSync(path, someBytes(9_000_000));
    const progress: UploadProgress[] = [];
    const files = [
      { key: "small", bytes: someBytes(10) },
      { key: "large", path },
    ];
    const uploaded = await upload("ordered", files, (step) => progress.push(step));
    expect(uploaded).toEqual([
      { bucket: "ordered", key: "small", sizeBytes: 10, etag: expect.stringMatching(/^".*"$/) },
      { bucket: "ordered", key: "large", sizeBytes: 9_000_000, etag: expect.stringMatching(/^".*"$/) },
    ]);
    expect(progress).toEqual([
      { key: "small", uploadedBytes: 0, sizeBytes: 10 },
      { key: "small", uploadedBytes: 10, sizeBytes: 10 },
      { key: "large", uploadedBytes: 0, sizeBytes: 9_000_000 },
      { key: "large", uploadedBytes: 8_388_608, sizeBytes: 9_000_000 },
      { key: "large", uploadedBytes: 9_000_000, sizeBytes: 9_000_000 },
    ]);
    const store = createS3ObjectStore({ endpoint: server.endpoint, region: server.region });
    const content = await store.read({ bucket: "ordered", key: "large" }, { maxBytes: 9_000_000 });
    expect(Buffer.compare(content.bytes, someBytes(9_000_000))).toBe(0);
    await store.close();
  });

  it("can be done by several at the same time into a new bucket", async () => {
    const uploads = ["a", "b", "c", "d"].map((key) => upload("at-once", [{ key, bytes: someBytes(1) }]));
    expect((await Promise.all(uploads)).flat()).toHaveLength(4);
  });

  it("of a file that cannot be read names the path and uploads nothing", async () => {
    mkdirSync(join(dir, "folder"));
    execFileSync("mkfifo", [join(dir, "pipe")]);
    for (const [name, reason] of [
      ["missing.bin", "there is no such file"],
      ["folder", "is not a regular file"],
      ["pipe", "is not a regular file"],
    ] as const) {
      const path = join(dir, name);
      const refused = upload("untouched", [
        { key: "first", bytes: someBytes(1) },
        { key: "second", path },
      ]);
      await expect(refused).rejects.toMatchObject({ name: "OtaError", code: "FileNotReadable" });
      await expect(refused).rejects.toThrow(path);
      await expect(refused).rejects.toThrow(reason);
    }
    const store = createS3ObjectStore({ endpoint: server.endpoint, region: server.region });
    expect(await failureOf(store.head({ bucket: "untouched", key: "first" }))).toBe("NotFound");
    await store.close();
  });

  it("into a bucket whose name is none is InvalidArgument", async () => {
    await expect(upload("No", [{ key: "a", bytes: someBytes(1) }])).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});
