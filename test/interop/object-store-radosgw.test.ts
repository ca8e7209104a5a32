/** The object store contract on Ceph's gateway, and what only a store with versions and secrets shows. */
import { DeleteObjectCommand, PutBucketVersioningCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createS3ObjectStore } from "../../publisher/object-store/s3-object-store.ts";
import { uploadFiles } from "../../publisher/object-store/uploader.ts";
import { describeObjectStore, expectFailure, type ObjectStoreBackend, someBytes } from "../contract/object-store.ts";
import { hasRadosgw, type Radosgw, startRadosgw } from "../support/radosgw.ts";
import { createS3Backend, createTestClient } from "../support/s3-backend.ts";

describe.skipIf(!hasRadosgw())("radosgw", () => {
  let gateway: Radosgw;
  beforeAll(async () => {
    gateway = await startRadosgw();
  });
  afterAll(() => gateway?.close());

  describeObjectStore("radosgw", async () => createS3Backend({ ...gateway, close: async () => {} }));

  describe("versions", () => {
    const bucket = "versioned";
    let backend: ObjectStoreBackend;
    let client: S3Client;
    beforeAll(async () => {
      backend = createS3Backend({ ...gateway, close: async () => {} });
      client = createTestClient(gateway);
      await backend.put(bucket, "before", someBytes(1));
      const VersioningConfiguration = { Status: "Enabled" } as const;
      await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
    });
    afterAll(async () => {
      client?.destroy();
      await backend?.close();
    });

    it("are read by their id, with bytes and ETag of their own", async () => {
      const old = await backend.put(bucket, "image", someBytes(10));
      const latest = await backend.put(bucket, "image", someBytes(20));
      expect(old.versionId).not.toBe(latest.versionId);
      for (const { sizeBytes, etag, versionId = "" } of [old, latest]) {
        const location = { bucket, key: "image", version: versionId };
        expect(await backend.store.head(location)).toEqual({ sizeBytes, etag, versionId });
        const content = await backend.store.read(location, { maxBytes: 20, etag });
        expect(content).toMatchObject({ sizeBytes, etag, versionId });
        expect(Buffer.compare(content.bytes, someBytes(sizeBytes))).toBe(0);
      }
      expect(await backend.store.head({ bucket, key: "image" })).toMatchObject({ versionId: latest.versionId });
    });

    it("outlive a delete marker, which is NotFound itself", async () => {
      const { versionId = "" } = await backend.put(bucket, "deleted", someBytes(10));
      const marker = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "deleted" }));
      expect(marker.DeleteMarker).toBe(true);
      await expectFailure(backend.store, { bucket, key: "deleted" }, "NotFound");
      await expectFailure(backend.store, { bucket, key: "deleted", version: marker.VersionId ?? "" }, "NotFound");
      const old = await backend.store.read({ bucket, key: "deleted", version: versionId }, { maxBytes: 10 });
      expect(old.sizeBytes).toBe(10);
    });

    it("are NotFound once they are deleted", async () => {
      const { versionId = "" } = await backend.put(bucket, "gone", someBytes(10));
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "gone", VersionId: versionId }));
      await expectFailure(backend.store, { bucket, key: "gone", version: versionId }, "NotFound");
    });

    it("have an id of their own when the object was put in parts", async () => {
      const uploaded = await backend.put(bucket, "parts", someBytes(9 * 1024 * 1024));
      const { versionId } = await backend.store.head({ bucket, key: "parts" });
      expect(uploaded.versionId).toBe(versionId);
      expect(versionId).toBeDefined();
    });
  });

  describe("credentials", () => {
    const wrong = { accessKeyId: "AKTEST", secretAccessKey: "not-the-secret" };
    const unknown = { accessKeyId: "AKNOBODY", secretAccessKey: "not-the-secret" };

    it.each([wrong, unknown])("of $accessKeyId with a wrong secret are AccessDenied", async (credentials) => {
      const { endpoint, region } = gateway;
      const store = createS3ObjectStore({ endpoint, region, credentials });
      const files = [{ key: "a", bytes: someBytes(1) }];
      await expectFailure(store, { bucket: "any-bucket", key: "a" }, "AccessDenied");
      const upload = uploadFiles({ endpoint, region, credentials, bucket: "any-bucket", files });
      await expect(upload).rejects.toMatchObject({ name: "OtaError", code: "StoreAccessDenied", retryable: false });
      await expect(upload).rejects.not.toThrow("not-the-secret");
      await store.close();
    });
  });

  describe("buckets", () => {
    it("are created once by uploads that start together", async () => {
      const uploads = ["a", "b", "c"].map((key) =>
        uploadFiles({ ...gateway, bucket: "together", files: [{ key, bytes: someBytes(1) }] }),
      );
      const uploaded = (await Promise.all(uploads)).flat();
      expect(uploaded.map(({ key }) => key)).toEqual(["a", "b", "c"]);
    });

    it("are created in a region that the store has never heard of", async () => {
      const files = [{ key: "a", bytes: someBytes(1) }];
      const [uploaded] = await uploadFiles({ ...gateway, region: "eu-west-1", bucket: "far-away", files });
      expect(uploaded).toMatchObject({ bucket: "far-away", sizeBytes: 1 });
    });

    it("with a name that is none are refused as an invalid argument", async () => {
      const upload = uploadFiles({ ...gateway, bucket: "x", files: [{ key: "a", bytes: someBytes(1) }] });
      await expect(upload).rejects.toMatchObject({ code: "InvalidArgument" });
    });
  });
});
