/** Versions, replaced objects and denied access on a store that has them: the server as a process, on Ceph's gateway. */
import { readFile } from "node:fs/promises";
import {
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ObjectStoreBackend } from "../contract/object-store.ts";
import { AskingDevice, dataOf, rejectionOf } from "../support/asking-device.ts";
import { makeFile } from "../support/broker.ts";
import { expectError } from "../support/control-errors.ts";
import { type ControlAnswer, send } from "../support/control-request.ts";
import { fetchStream, type TemporaryDirectory, temporaryDirectory } from "../support/otastream-delivery.ts";
import { killLeftovers, type ServeProcess, startServe } from "../support/otastream-process.ts";
import { hasRadosgw, type Radosgw, startRadosgw } from "../support/radosgw.ts";
import { createS3Backend, createTestClient } from "../support/s3-backend.ts";

const BUCKET = "firmware";
const FIRST_BLOCK = { f: 0, l: 4096, n: 1 };
const OLD = makeFile(10_000);
const NEW = makeFile(20_000);
const roleArn = "arn:aws:iam::123456789012:role/otastream";
/** An id of the gateway's own form, which it never gave. */
const UNKNOWN_VERSION = "xyz0abcdEFGHijklMNOPqrstUVWX1234";

describe.skipIf(!hasRadosgw())("a server on radosgw", () => {
  let gateway: Radosgw;
  let backend: ObjectStoreBackend;
  let client: S3Client;
  let directory: TemporaryDirectory;
  let server: ServeProcess;
  const devices: AskingDevice[] = [];

  beforeAll(async () => {
    gateway = await startRadosgw();
    backend = createS3Backend({ ...gateway, close: async () => {} });
    client = createTestClient(gateway);
    await backend.put(BUCKET, "before", Uint8Array.of(1));
    const VersioningConfiguration = { Status: "Enabled" } as const;
    await client.send(new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration }));
    directory = await temporaryDirectory();
    server = await serve(gateway.credentials.secretAccessKey);
  });
  afterAll(async () => {
    for (const device of devices) device.close();
    await killLeftovers();
    client?.destroy();
    await backend?.close();
    await directory?.remove();
    await gateway?.close();
  });

  /** Starts the program with a secret; every request sees the store as it is. */
  function serve(secret: string, data = "data"): Promise<ServeProcess> {
    const env = { AWS_ACCESS_KEY_ID: gateway.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: secret };
    return startServe(directory.in(data), ["--s3-endpoint", gateway.endpoint, "--check-interval", "0"], { env });
  }

  async function connect(to = server): Promise<AskingDevice> {
    const device = await AskingDevice.connect(to.urls.mqtt);
    devices.push(device);
    return device;
  }

  async function put(key: string, bytes: Uint8Array): Promise<string> {
    const { versionId } = await backend.put(BUCKET, key, bytes);
    return versionId as string;
  }

  /** Creates a stream of objects, each given as a key and perhaps a version; the file id is the index. */
  function create(streamId: string, ...objects: readonly (readonly [key: string, version?: string])[]) {
    return call("POST", streamId, {
      files: objects.map(([key, version], fileId) => ({ fileId, s3Location: { bucket: BUCKET, key, version } })),
      roleArn,
    });
  }

  function call(method: string, streamId: string, body?: unknown, to = server): Promise<ControlAnswer> {
    return send({ endpoint: to.urls.http }, method, `/streams/${streamId}`, body);
  }

  it("delivers an older version byte for byte beside the newest one, and says which it was asked for", async () => {
    const version = await put("image", OLD);
    await put("image", NEW);
    expect((await create("versions", ["image", version], ["image"])).status).toBe(200);
    expect((await call("GET", "versions")).body).toMatchObject({
      streamInfo: { files: [{ s3Location: { version } }, { s3Location: { bucket: BUCKET, key: "image" } }] },
    });
    const { files } = await fetchStream({
      ...{ broker: server.urls.mqtt, streamId: "versions", format: "cbor", blockSizeBytes: 1000 },
      out: directory.in("out"),
    });
    expect(files.map(({ verified }) => verified)).toEqual(["digest", "digest"]);
    for (const [fileId, original] of [OLD, NEW].entries()) {
      expect(Buffer.compare(await readFile(directory.in("out", "versions", String(fileId))), original)).toBe(0);
    }
  });

  it("answers ETagMismatch for a replaced object only where no version was asked for", async () => {
    const version = await put("replaced", OLD);
    await create("replaced", ["replaced", version], ["replaced"]);
    const device = await connect();
    for (const f of [0, 1]) dataOf(await device.ask("replaced", { ...FIRST_BLOCK, f }));
    await put("replaced", NEW);
    const pinned = dataOf(await device.ask("replaced", FIRST_BLOCK));
    expect(Buffer.compare(pinned.payload, OLD.subarray(0, 4096))).toBe(0);
    expect(rejectionOf(await device.ask("replaced", { ...FIRST_BLOCK, f: 1 })).code).toBe("ETagMismatch");

    expect((await call("PUT", "replaced", {})).body).toMatchObject({ streamVersion: 1 });
    expect(rejectionOf(await device.ask("replaced", { ...FIRST_BLOCK, f: 1, s: 0 })).code).toBe("VersionMismatch");
    const current = dataOf(await device.ask("replaced", { ...FIRST_BLOCK, f: 1, s: 1 }));
    expect(Buffer.compare(current.payload, NEW.subarray(0, 4096))).toBe(0);
    expect(dataOf(await device.ask("replaced", { ...FIRST_BLOCK, s: 1 })).payload).toEqual(pinned.payload);
  });

  it("goes on with a version behind a delete marker, and with none that is deleted itself", async () => {
    const version = await put("deleted", OLD);
    await create("deleted", ["deleted", version], ["deleted"]);
    const device = await connect();
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: "deleted" }));
    dataOf(await device.ask("deleted", FIRST_BLOCK));
    expect(rejectionOf(await device.ask("deleted", { ...FIRST_BLOCK, f: 1 })).code).toBe("ResourceNotFound");
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: "deleted", VersionId: version }));
    expect(rejectionOf(await device.ask("deleted", FIRST_BLOCK))).toMatchObject({
      code: "ResourceNotFound",
      message: expect.stringContaining(`version ${version} of s3://${BUCKET}/deleted`),
    });
  });

  it.each([UNKNOWN_VERSION, "null", "not a version"])("refuses the version %j, and makes nothing", async (version) => {
    await put("known", OLD);
    const pattern = new RegExp(`^file 0: version ${version} of s3://${BUCKET}/known was (not found|asked for)`);
    expectError(await create("unknown", ["known", version]), "ResourceNotFoundException", pattern);
    expectError(await call("GET", "unknown"), "ResourceNotFoundException", /unknown does not exist/);
  });

  it("tells devices and callers when a policy denies access to one object, and forgets it with the policy", async () => {
    await put("locked/image", OLD);
    await put("open/image", NEW);
    await create("locked", ["locked/image"], ["open/image"]);
    const device = await connect();
    dataOf(await device.ask("locked", FIRST_BLOCK));
    const Resource = [`arn:aws:s3:::${BUCKET}/locked/*`];
    const Statement = [{ Effect: "Deny", Principal: "*", Action: ["s3:GetObject"], Resource }];
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
    await client.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy }));
    try {
      expect(rejectionOf(await device.ask("locked", FIRST_BLOCK))).toMatchObject({
        code: "Unauthorized",
        message: expect.stringMatching(/^s3:\/\/firmware\/locked\/image could not be read from .* answered 403/),
      });
      dataOf(await device.ask("locked", { ...FIRST_BLOCK, f: 1 }));
      const refused = await create("locked-too", ["open/image"], ["locked/image"]);
      expectError(refused, "UnauthorizedException", /^file 1: s3:\/\/firmware\/locked\/image could not be read/);
      expectError(await call("GET", "locked-too"), "ResourceNotFoundException", /locked-too does not exist/);
    } finally {
      await client.send(new DeleteBucketPolicyCommand({ Bucket: BUCKET }));
    }
    dataOf(await device.ask("locked", { ...FIRST_BLOCK, s: 0 }));
  });

  it("is refused everything with a wrong secret, which nobody is told", async () => {
    await put("secret", OLD);
    await create("secret", ["secret"]);
    await server.process.stop();
    const wrong = await serve("not-the-secret-at-all");
    const device = await connect(wrong);
    const rejection = rejectionOf(await device.ask("secret", FIRST_BLOCK));
    expect(rejection.code).toBe("Unauthorized");
    const update = await call("PUT", "secret", {}, wrong);
    expectError(update, "UnauthorizedException", /^file 0: s3:\/\/firmware\/secret could not be read/);
    const { stderr, stdout } = await wrong.process.stop();
    for (const text of [rejection.message, JSON.stringify(update.body), stderr, stdout]) {
      expect(text).not.toContain("not-the-secret-at-all");
    }
    server = await serve(gateway.credentials.secretAccessKey);
    dataOf(await (await connect()).ask("secret", { ...FIRST_BLOCK, s: 0 }));
  });
});
