/** The embedded S3 server as AWS's own command line sees it. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ObjectStore } from "../../publisher/object-store/object-store.ts";
import { createS3ObjectStore } from "../../publisher/object-store/s3-object-store.ts";
import { failureOf, someBytes } from "../contract/object-store.ts";
import { hasDebianPackages } from "../support/debian-package.ts";
import { type S3Server, startTemporaryS3 } from "../support/s3-backend.ts";

const AWS = "/usr/bin/aws";
const run = promisify(execFile);

describe.skipIf(!hasDebianPackages(["awscli"], [AWS]))("aws s3", () => {
  let dir: string;
  let server: S3Server;
  let store: ObjectStore;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "otastream-aws-"));
    server = await startTemporaryS3();
    store = createS3ObjectStore(server);
    await aws("mb", "s3://images");
  });
  afterAll(async () => {
    await store?.close();
    await server?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function aws(...args: string[]): Promise<string> {
    const env = {
      PATH: "/usr/bin:/bin",
      HOME: dir,
      AWS_ACCESS_KEY_ID: "any",
      AWS_SECRET_ACCESS_KEY: "any",
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_EC2_METADATA_DISABLED: "true",
    };
    const { stdout } = await run(AWS, ["--endpoint-url", server.endpoint, "s3", ...args], { env });
    return stdout;
  }

  // The second size is one that the command line sends in parts.
  it.each([1000, 12_000_000])("copies %i bytes there and back, lists and removes them", async (sizeBytes) => {
    const key = `firmware/${sizeBytes} bytes.bin`;
    const url = `s3://images/${key}`;
    const bytes = someBytes(sizeBytes);
    writeFileSync(join(dir, "there"), bytes);
    await aws("cp", join(dir, "there"), url);
    expect(await aws("ls", "s3://images/firmware/")).toContain(`${sizeBytes} ${sizeBytes} bytes.bin`);
    await aws("cp", url, join(dir, "back"));
    expect(Buffer.compare(readFileSync(join(dir, "back")), bytes)).toBe(0);
    const content = await store.read({ bucket: "images", key }, { maxBytes: 25_165_824 });
    expect(Buffer.compare(content.bytes, bytes)).toBe(0);
    await aws("rm", url);
    expect(await failureOf(store.head({ bucket: "images", key }))).toBe("NotFound");
  });

  it("makes, lists and removes buckets", async () => {
    await aws("mb", "s3://short-lived");
    expect(await aws("ls")).toContain("short-lived");
    await aws("rb", "s3://short-lived");
    expect(await aws("ls")).not.toContain("short-lived");
    await expect(aws("ls", "s3://short-lived")).rejects.toThrow("NoSuchBucket");
  });
});
