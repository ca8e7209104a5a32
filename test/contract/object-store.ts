/** What every object store must do, whatever serves its objects. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ObjectStore, ObjectStoreError } from "../../publisher/object-store/object-store.ts";
import type { UploadedObject } from "../../publisher/object-store/uploader.ts";
import { seededRandom } from "../../shared/random.ts";

/** A store and the means to change what it serves. */
export interface ObjectStoreBackend {
  readonly store: ObjectStore;
  /** Writes an object, creating the bucket when it is missing. */
  put(bucket: string, key: string, bytes: Uint8Array): Promise<UploadedObject>;
  remove(bucket: string, key: string): Promise<void>;
  /** Closes the store and whatever serves it. */
  close(): Promise<void>;
}

const BUCKET = "otastream-contract";
const SIZES = [0, 1, 256, 4096, 131_073, 1_000_003, 2_097_152];
const ODD_KEYS = [
  "a b+c",
  "a/../b",
  "./a//b/",
  "/leading",
  "100%/%2F?x=1&y#z",
  "smörgås/固件.bin",
  "'\"<>|*()!~:;,@=$[]{}^`",
  "k".repeat(1024),
];

/** Declares the suite for one backend, started once. */
export function describeObjectStore(name: string, start: () => Promise<ObjectStoreBackend>): void {
  describe(`object store contract: ${name}`, () => {
    let backend: ObjectStoreBackend;
    beforeAll(async () => {
      backend = await start();
    });
    afterAll(() => backend?.close());

    it.each(SIZES)("gives back the %i bytes that were put, with what head says of them", async (sizeBytes) => {
      const key = `size-${sizeBytes}`;
      const bytes = someBytes(sizeBytes);
      const { etag } = await backend.put(BUCKET, key, bytes);
      const info = await backend.store.head({ bucket: BUCKET, key });
      const content = await backend.store.read({ bucket: BUCKET, key }, { maxBytes: 2_097_152 });
      expect(info).toMatchObject({ sizeBytes, etag });
      expect(content).toMatchObject({ sizeBytes, etag });
      expect(Buffer.compare(content.bytes, bytes)).toBe(0);
    });

    it("reads an object that was put in parts", async () => {
      const bytes = someBytes(9 * 1024 * 1024);
      const { etag } = await backend.put(BUCKET, "parts", bytes);
      const content = await backend.store.read({ bucket: BUCKET, key: "parts" }, { maxBytes: 25_165_824, etag });
      expect(content.etag).toBe(etag);
      expect(Buffer.compare(content.bytes, bytes)).toBe(0);
    });

    it.each(ODD_KEYS)("finds the key %j and no other", async (key) => {
      const bytes = new TextEncoder().encode(key);
      await backend.put(BUCKET, key, bytes);
      const content = await backend.store.read({ bucket: BUCKET, key }, { maxBytes: 2000 });
      expect(new TextDecoder().decode(content.bytes)).toBe(key);
    });

    it("gives every reader the same bytes at the same time", async () => {
      const bytes = someBytes(70_000);
      await backend.put(BUCKET, "many", bytes);
      const reads = Array.from({ length: 20 }, () =>
        backend.store.read({ bucket: BUCKET, key: "many" }, { maxBytes: 70_000 }),
      );
      for (const content of await Promise.all(reads)) expect(Buffer.compare(content.bytes, bytes)).toBe(0);
    });

    it("reads by ETag only what still has it", async () => {
      const location = { bucket: BUCKET, key: "replaced" };
      const before = await backend.put(BUCKET, location.key, someBytes(10));
      const options = { maxBytes: 100, etag: before.etag };
      expect((await backend.store.read(location, options)).sizeBytes).toBe(10);
      const after = await backend.put(BUCKET, location.key, someBytes(11));
      expect(await failureOf(backend.store.read(location, options))).toBe("Changed");
      expect((await backend.store.head(location)).etag).toBe(after.etag);
    });

    it("reads at most the bytes it was allowed", async () => {
      const location = { bucket: BUCKET, key: "limit" };
      await backend.put(BUCKET, location.key, someBytes(1000));
      expect((await backend.store.read(location, { maxBytes: 1000 })).sizeBytes).toBe(1000);
      const refused = backend.store.read(location, { maxBytes: 999 });
      await expect(refused).rejects.toThrow("s3://otastream-contract/limit is 1000 bytes; the limit is 999");
      expect(await failureOf(refused)).toBe("TooLarge");
    });

    it("says NotFound for a key, a bucket and a removed object, and names it", async () => {
      await backend.put(BUCKET, "removed", someBytes(10));
      await backend.remove(BUCKET, "removed");
      for (const location of [
        { bucket: BUCKET, key: "never-put" },
        { bucket: "otastream-no-such-bucket", key: "never-put" },
        { bucket: BUCKET, key: "removed" },
      ]) {
        await expectFailure(backend.store, location, "NotFound");
        await expect(backend.store.head(location)).rejects.toThrow(`s3://${location.bucket}/${location.key}`);
      }
    });

    it.each([
      ["", "key"],
      ["..", "key"],
      ["a/b", "key"],
      ["b".repeat(300), "key"],
      [BUCKET, ""],
      [BUCKET, "k".repeat(1025)],
    ])("says NotFound for bucket %j and key %j, which cannot exist", async (bucket, key) => {
      await expectFailure(backend.store, { bucket, key }, "NotFound");
    });

    it("never takes the latest object for a version that is not there", async () => {
      await backend.put(BUCKET, "versioned", someBytes(10));
      const location = { bucket: BUCKET, key: "versioned", version: "0123456789abcdef0123456789abcdef" };
      const failures = [
        await failureOf(backend.store.head(location)),
        await failureOf(backend.store.read(location, { maxBytes: 10 })),
      ];
      expect(["VersionNotKept", "NotFound"]).toContain(failures[0]);
      expect(failures[1]).toBe(failures[0]);
      await expect(backend.store.head(location)).rejects.toThrow(location.version);
    });
  });
}

/** The failure a call ends with; fails the test when it succeeds or rejects with anything else. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ObjectStoreError);
  return (error as ObjectStoreError).failure;
}

/** Expects both calls to end with the same failure. */
export async function expectFailure(
  store: ObjectStore,
  location: Parameters<ObjectStore["head"]>[0],
  failure: string,
): Promise<void> {
  expect(await failureOf(store.head(location))).toBe(failure);
  expect(await failureOf(store.read(location, { maxBytes: 100 }))).toBe(failure);
}

/** Bytes that look random and are the same each time. */
export function someBytes(sizeBytes: number): Uint8Array {
  const random = seededRandom(sizeBytes);
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  for (let index = 0; index < words.length; index += 1) words[index] = random.uint32();
  return new Uint8Array(words.buffer, 0, sizeBytes);
}
