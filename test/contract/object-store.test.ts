/** The object store contract on the embedded server and on a chain of two, and what a chain adds. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createChainedObjectStore } from "../../publisher/object-store/chained-object-store.ts";
import { createS3Backend, startTemporaryS3 } from "../support/s3-backend.ts";
import { describeObjectStore, expectFailure, type ObjectStoreBackend, someBytes } from "./object-store.ts";

describeObjectStore("embedded S3", async () => createS3Backend(await startTemporaryS3()));

describeObjectStore("a chain whose first store is empty", async () => {
  const empty = createS3Backend(await startTemporaryS3());
  const full = createS3Backend(await startTemporaryS3());
  return { ...full, store: createChainedObjectStore([empty.store, full.store]), close: () => closeAll([empty, full]) };
});

describe("a version on a store that keeps none", () => {
  it("is VersionNotKept, and the message names the version", async () => {
    const backend = createS3Backend(await startTemporaryS3());
    try {
      await backend.put("images", "a", someBytes(1));
      const location = { bucket: "images", key: "a", version: "v1" };
      await expectFailure(backend.store, location, "VersionNotKept");
      await expect(backend.store.head(location)).rejects.toThrow(
        "version v1 of s3://images/a was asked for and the store's answer carries no version",
      );
    } finally {
      await backend.close();
    }
  });
});

describe("a chain of stores", () => {
  let first: ObjectStoreBackend;
  let second: ObjectStoreBackend;
  beforeAll(async () => {
    first = createS3Backend(await startTemporaryS3());
    second = createS3Backend(await startTemporaryS3());
    await first.put("both", "key", someBytes(1));
    await second.put("both", "key", someBytes(2));
  });
  afterAll(() => closeAll([first, second]));

  it("answers with the first store that has the object", async () => {
    const forwards = createChainedObjectStore([first.store, second.store]);
    const backwards = createChainedObjectStore([second.store, first.store]);
    expect((await forwards.head({ bucket: "both", key: "key" })).sizeBytes).toBe(1);
    expect((await backwards.read({ bucket: "both", key: "key" }, { maxBytes: 10 })).sizeBytes).toBe(2);
  });

  it("says NotFound when none has it, with each store's reason", async () => {
    const chain = createChainedObjectStore([first.store, second.store]);
    await expectFailure(chain, { bucket: "both", key: "none" }, "NotFound");
    await expect(chain.head({ bucket: "both", key: "none" })).rejects.toThrow(/is in none of 2 stores: .*; .*/);
    await expect(createChainedObjectStore([first.store]).head({ bucket: "both", key: "none" })).rejects.toThrow(
      /^s3:\/\/both\/none was not found at http:[^;]*$/,
    );
  });

  it("does not pass over a store that cannot be asked", async () => {
    const stopped = createS3Backend(await startTemporaryS3());
    await stopped.close();
    const chain = createChainedObjectStore([stopped.store, second.store]);
    await expectFailure(chain, { bucket: "both", key: "key" }, "Unavailable");
  });
});

async function closeAll(backends: readonly ObjectStoreBackend[]): Promise<void> {
  for (const backend of backends) await backend.close();
}
