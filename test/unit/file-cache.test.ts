/** When the file cache asks the store, what it serves meanwhile, and what it remembers; clock and store stand still. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { FileCache, type FileCacheOptions } from "../../publisher/file-cache.ts";
import { ObjectStoreError } from "../../publisher/object-store/object-store.ts";
import { type ControlClock, createControlClock } from "../support/control-clock.ts";
import { HeldStore } from "../support/publisher-held-store.ts";
import { recordedFile } from "../support/publisher-stream.ts";

const INTERVAL_MS = 1000;
const BYTES = Buffer.from("the bytes of an image");
const OTHER_BYTES = Buffer.from("the bytes of its heir");
const file = recordedFile(BYTES);
const heir = recordedFile(OTHER_BYTES);

let clock: ControlClock;
let store: HeldStore;

beforeEach(() => {
  clock = createControlClock(0);
  store = new HeldStore();
});

function open(options: Partial<FileCacheOptions> = {}): FileCache {
  return new FileCache({ store, clock, maxBytes: 1000, checkIntervalMs: INTERVAL_MS, serveStaleMs: 0, ...options });
}

/** A cache that read `file` at the time 0. */
async function openFilled(options: Partial<FileCacheOptions> = {}): Promise<FileCache> {
  const cache = open(options);
  const loading = cache.load(file);
  store.take().answer(BYTES);
  await loading;
  return cache;
}

/** What a load is refused with. */
async function failureOf(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ObjectStoreError);
  return (error as ObjectStoreError).failure;
}

describe("the first load", () => {
  it("reads the object once for all who ask, with the recorded ETag and size", async () => {
    const cache = open();
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
    const cache = open();
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
    const cache = open();
    const loading = cache.load(file);
    store.take().answer(OTHER_BYTES);
    expect(await failureOf(loading)).toBe("Changed");
    const longer = cache.load({ ...file, s3Location: { bucket: "b", key: "k" }, sizeBytes: 9 });
    store.take().answer(BYTES);
    expect(await failureOf(longer)).toBe("Changed");
  });

  it("names object, recorded and found ETag when it is Changed", async () => {
    const loading = open().load(file);
    store.take().answer(OTHER_BYTES);
    await expect(loading).rejects.toThrow(/firmware\/image/);
    await expect(loading).rejects.toThrow(file.etag);
    await expect(loading).rejects.toThrow(heir.etag);
  });
});

describe("freshness", () => {
  it("lasts for the interval, its last millisecond included", async () => {
    const cache = await openFilled();
    clock.advance(INTERVAL_MS);
    expect(cache.peek(file)).toBe(BYTES);
    clock.advance(0.001);
    expect(cache.peek(file)).toBeUndefined();
  });

  it("is renewed by one check for all who ask, which does not read the object", async () => {
    const cache = await openFilled();
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
    const cache = await openFilled();
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
    const cache = open();
    const loading = cache.load(file);
    clock.advance(INTERVAL_MS + 1);
    store.take().answer(BYTES);
    expect(await loading).toBe(BYTES);
    expect(cache.peek(file)).toBeUndefined();
  });

  it.fails("is not granted by a check that was begun longer ago than the interval", async () => {
    const cache = await openFilled();
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
});

describe("an object that changed", () => {
  it("is Changed from the first check after the interval on, and no bytes are left to peek at", async () => {
    const cache = await openFilled();
    clock.advance(INTERVAL_MS + 1);
    const loading = cache.load(file);
    store.take().answer(OTHER_BYTES);
    expect(await failureOf(loading)).toBe("Changed");
    expect(cache.peek(file)).toBeUndefined();
  });

  it("is served under its new ETag while the old one is refused", async () => {
    const cache = await openFilled();
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
    const cache = open();
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
    const cache = await openFilled();
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

describe("a failure", () => {
  it.each(["NotFound", "AccessDenied", "Changed", "Unavailable"] as const)(
    "%s is remembered for one interval, its last millisecond included",
    async (failure) => {
      const cache = open();
      const loading = cache.load(file);
      store.take().fail(failure);
      expect(await failureOf(loading)).toBe(failure);
      clock.advance(INTERVAL_MS);
      expect(await failureOf(cache.load(file))).toBe(failure);
      expect(store.calls).toHaveLength(1);
      clock.advance(1);
      const again = cache.load(file);
      store.take().answer(BYTES);
      expect(await again).toBe(BYTES);
      expect(cache.peek(file)).toBe(BYTES);
    },
  );

  it("is told to all who wait, and remembered for its own object only", async () => {
    const cache = open();
    const loads = [cache.load(file), cache.load(file)];
    store.take().fail("NotFound");
    for (const loading of loads) expect(await failureOf(loading)).toBe("NotFound");
    cache.load(heir).catch(() => undefined);
    expect(store.open).toHaveLength(1);
  });

  it("that is a defect is passed on and not remembered", async () => {
    const cache = open();
    const loading = cache.load(file);
    store.take().fail(new TypeError("a defect"));
    await expect(loading).rejects.toThrow("a defect");
    cache.load(file).catch(() => undefined);
    expect(store.open).toHaveLength(1);
  });
});

describe("a store that cannot be asked", () => {
  it("makes a file Unavailable once its last check is older than the interval", async () => {
    const cache = await openFilled();
    clock.advance(INTERVAL_MS + 1);
    const loading = cache.load(file);
    store.take().fail("Unavailable");
    expect(await failureOf(loading)).toBe("Unavailable");
  });

  it("leaves the file to be served stale for as long as is allowed", async () => {
    const cache = await openFilled({ serveStaleMs: 60_000 });
    clock.advance(60_000);
    const allowed = cache.load(file);
    store.take().fail("Unavailable");
    expect(await allowed).toBe(BYTES);
    clock.advance(INTERVAL_MS + 1);
    const tooOld = cache.load(file);
    store.take().fail("Unavailable");
    expect(await failureOf(tooOld)).toBe("Unavailable");
  });

  it("is the only failure that stale bytes are served after", async () => {
    const cache = await openFilled({ serveStaleMs: 60_000 });
    for (const failure of ["AccessDenied", "NotFound", "Changed"] as const) {
      clock.advance(INTERVAL_MS + 1);
      const loading = cache.load(file);
      store.take().fail(failure);
      expect(await failureOf(loading)).toBe(failure);
    }
  });

  it("has no stale bytes of a file that was never read", async () => {
    const loading = open({ serveStaleMs: 60_000 }).load(file);
    store.take().fail("Unavailable");
    expect(await failureOf(loading)).toBe("Unavailable");
  });

  it.fails("is asked once an interval while stale bytes are served, so that a request does not wait for each failure", async () => {
    const cache = await openFilled({ serveStaleMs: 60_000 });
    clock.advance(INTERVAL_MS + 1);
    const first = cache.load(file);
    store.take().fail("Unavailable");
    expect(await first).toBe(BYTES);
    const second = cache.load(file);
    expect(store.open).toHaveLength(0);
    expect(await second).toBe(BYTES);
  });
});
