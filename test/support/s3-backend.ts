/** Object store backends for tests: a store on an S3 endpoint, with the writes that go with it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeleteObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { startEmbeddedS3 } from "../../publisher/object-store/embedded-s3.ts";
import { createS3ObjectStore } from "../../publisher/object-store/s3-object-store.ts";
import { uploadFiles } from "../../publisher/object-store/uploader.ts";
import type { ObjectStoreBackend } from "../contract/object-store.ts";

/** Where a backend's server is and how to sign for it. */
export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  close(): Promise<void>;
}

/** The client that tests change buckets and objects with. */
export function createTestClient({ endpoint, region, credentials }: S3Server): S3Client {
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true });
}

/** Makes a backend of a running server, and owns it. */
export function createS3Backend(server: S3Server): ObjectStoreBackend {
  const { endpoint, region, credentials } = server;
  const store = createS3ObjectStore({ endpoint, region, credentials });
  const client = createTestClient(server);
  return {
    store,
    async put(bucket, key, bytes) {
      const [uploaded] = await uploadFiles({ endpoint, region, credentials, bucket, files: [{ key, bytes }] });
      if (uploaded === undefined) throw new Error("nothing was uploaded");
      return uploaded;
    },
    async remove(bucket, key) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    },
    async close() {
      await store.close();
      client.destroy();
      await server.close();
    },
  };
}

/** Starts an embedded server on a free port with data of its own, removed when it closes. */
export async function startTemporaryS3(): Promise<S3Server> {
  const dataDir = mkdtempSync(join(tmpdir(), "otastream-s3-"));
  const server = await startEmbeddedS3({ dataDir, host: "127.0.0.1", port: 0 });
  return {
    endpoint: server.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "any", secretAccessKey: "any" },
    async close() {
      await server.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
