/** When the file cache asks the store and what it serves meanwhile; clock and store stand still. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  BYTES,
  failureOf,
  CACHED_FILE as file,
  INTERVAL_MS,
  openCache,
  openFilledCache,
} from "../support/publisher-file-cache.ts";
import { recordedFile } from "../support/publisher-stream.ts";

const OTHER_BYTES = Buffer.from("the bytes of its heir");
const heir = recordedFile(OTHER_BYTES);

describe("the first load", () => {
  it("reads the object once for all who ask, with the recorded ETag and size", async () => {
    const { cache, store } = openCache();
    expect(cache.peek(file)).toBeUndefined();
    const loads = [cache.load(file), cache.load(file), cache.load({ ...file, fileId: 9 })];
    expect(store.calls).toEqual(["read"]);
    const read = store.take();
    expect(read).toMatchObject({ location: file.s3Location, options: { maxBytes: BYTES.length, etag: file.etag } });
    read.answer(BYTES);
    for (const loaded of await Promise.all(loads)) expect(loaded).toBe(BYTES);
    expect(cache.peek(file)).toBe(BYTES);
    expect(store.calls).toEqual(["read"]);
  });

  it("reads each version, key and ETag by itself", () => {
    const { cache, store } = openCache();
    const { s3Location } = file;
    const others = [
      { ...file, s3Location: { ...s3Location, version: "v1" } },
      { ...file, s3Location: { ...s3Location, key: "other" } },
      { ...file, s3Location: { ...s3Location, bucket: "other" } },
      heir,
    ];
    for (const other of [file, ...others]) cache.load(other).catch(() => undefined);
    expect(store.open).toHaveLength(5);
  });

  it("is Changed when the answer has another ETag, or another size under the same one", async () => {
    const { cache, store } = openCache();
    const loading = cache.load(file);
    store.take().answer(OTHER_BYTES);
    expect(await failureOf(loading)).toBe("Changed");
    const longer = cache.load({ ...file, s3Location: { bucket: "b", key: "k" }, sizeBytes: 9 });
    store.take().answer(BYTES);
    expect(await failureOf(longer)).toBe("Changed");
  });

  it("names object, recorded and found ETag when it is Changed", async () => {
    const { cache, store } = openCache();
    const loading = cache.load(file);
    store.take().answer(OTHER_BYTES);
    await expect(loading).rejects.toThrow(/firmware\/image/);
    await expect(loading).rejects.toThrow(file.etag);
    await expect(loading).rejects.toThrow(heir.etag);
  });
});

it("names the sizes of an object that has another one under the recorded ETag", async () => {
  const { cache, store } = openCache();
  const loading = cache.load({ ...file, sizeBytes: 9 });
  store.take().answer(BYTES);
  await expect(loading).rejects.toThrow(
    `the object firmware/image has ${BYTES.length} bytes, not 9 as recorded: update the stream to serve the new object`,
  );
});

describe("freshness", () => {
  it("lasts for the interval, its last millisecond included", async () => {
    const { cache, clock } = await openFilledCache();
    clock.advance(INTERVAL_MS);
    expect(cache.peek(file)).toBe(BYTES);
    clock.advance(0.001);
    expect(cache.peek(file)).toBeUndefined();
  });

  it("is renewed by one check for all who ask, which does not read the object", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const loads = [cache.load(file), cache.load(file)];
    expect(store.calls).toEqual(["read", "head"]);
    store.take().answer(BYTES);
    for (const loaded of await Promise.all(loads)) expect(loaded).toBe(BYTES);
    expect(cache.peek(file)).toBe(BYTES);
    clock.advance(INTERVAL_MS + 1);
    cache.load(file).catch(() => undefined);
    expect(store.calls).toEqual(["read", "head", "head"]);
  });

  it("counts from when a check was begun, not from when its answer came", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const loading = cache.load(file);
    clock.advance(INTERVAL_MS);
    store.take().answer(BYTES);
    await loading;
    expect(cache.peek(file)).toBe(BYTES);
    clock.advance(1);
    expect(cache.peek(file)).toBeUndefined();
  });

  it("counts from when the first read was begun, too", async () => {
    const { cache, clock, store } = openCache();
    const loading = cache.load(file);
    clock.advance(INTERVAL_MS + 1);
    store.take().answer(BYTES);
    expect(await loading).toBe(BYTES);
    expect(cache.peek(file)).toBeUndefined();
  });

  it("is not granted by a check that was begun longer ago than the interval", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    cache.load(file).catch(() => undefined);
    clock.advance(INTERVAL_MS + 1);
    // The object changes after the store looked at it, and before this request.
    const late = cache.load(file);
    store.take().answer(BYTES);
    await eventLoopTurn();
    for (const call of store.open.splice(0)) call.answer(OTHER_BYTES);
    expect(await failureOf(late)).toBe("Changed");
  });

  it("is granted to all who came too late for a check by one more check", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const first = cache.load(file);
    clock.advance(INTERVAL_MS + 1);
    const late = [cache.load(file), cache.load(file)];
    expect(store.calls).toEqual(["read", "head"]);
    store.take().answer(BYTES);
    expect(await first).toBe(BYTES);
    await eventLoopTurn();
    late.push(cache.load(file));
    expect(store.calls).toEqual(["read", "head", "head"]);
    store.take().answer(BYTES);
    for (const loaded of await Promise.all(late)) expect(loaded).toBe(BYTES);
    expect(cache.peek(file)).toBe(BYTES);
  });

  it("is not asked for again when the check that took too long failed a moment ago", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const first = cache.load(file);
    clock.advance(INTERVAL_MS + 1);
    const late = cache.load(file);
    store.take().fail("Unavailable");
    expect(await failureOf(first)).toBe("Unavailable");
    expect(await failureOf(late)).toBe("Unavailable");
    expect(store.calls).toEqual(["read", "head"]);
  });

  it("needs no store for a load within the first half of the interval", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS / 2);
    expect(await cache.load(file)).toBe(BYTES);
    expect(store.calls).toEqual(["read"]);
  });
});

describe("an object that changed", () => {
  it("is Changed from the first check after the interval on, and no bytes are left to peek at", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const loading = cache.load(file);
    store.take().answer(OTHER_BYTES);
    expect(await failureOf(loading)).toBe("Changed");
    expect(cache.peek(file)).toBeUndefined();
  });

  it("is served under its new ETag while the old one is refused", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const old = cache.load(file);
    const updated = cache.load(heir);
    const [check, read] = [store.take(), store.take()];
    expect([check.name, read.name]).toEqual(["head", "read"]);
    read.answer(OTHER_BYTES);
    check.answer(OTHER_BYTES);
    expect(await updated).toBe(OTHER_BYTES);
    expect(await failureOf(old)).toBe("Changed");
    expect(cache.peek(heir)).toBe(OTHER_BYTES);
  });

  it("is read anew for a stream that is updated while the read of the old one is under way", async () => {
    const { cache, store } = openCache();
    const old = cache.load(file);
    const updated = cache.load(heir);
    const [oldRead, newRead] = [store.take(), store.take()];
    expect([oldRead.options?.etag, newRead.options?.etag]).toEqual([file.etag, heir.etag]);
    newRead.answer(OTHER_BYTES);
    expect(await updated).toBe(OTHER_BYTES);
    oldRead.fail("Changed");
    expect(await failureOf(old)).toBe("Changed");
    expect(cache.peek(heir)).toBe(OTHER_BYTES);
  });

  it("is served without a second read when it is put back", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const loading = cache.load(file);
    store.take().answer(OTHER_BYTES);
    expect(await failureOf(loading)).toBe("Changed");
    clock.advance(INTERVAL_MS + 1);
    const again = cache.load(file);
    store.take().answer(BYTES);
    expect(await again).toBe(BYTES);
    expect(store.calls).toEqual(["read", "head", "head"]);
  });
});
