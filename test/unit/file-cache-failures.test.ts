/** What the file cache remembers of failures, and what it serves while the store cannot be asked. */
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

const heir = recordedFile(Buffer.from("the bytes of its heir"));

describe("a failure", () => {
  it.each(["NotFound", "AccessDenied", "Changed", "Unavailable"] as const)(
    "%s is remembered for one interval, its last millisecond included",
    async (failure) => {
      const { cache, clock, store } = openCache();
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

  it.each([
    [100, 100],
    [3_600_000, 1000],
  ])("is remembered, with a check interval of %d ms, for %d ms", async (checkIntervalMs, failureMs) => {
    const { cache, clock, store } = openCache({ checkIntervalMs });
    const loading = cache.load(file);
    store.take().fail("NotFound");
    expect(await failureOf(loading)).toBe("NotFound");
    clock.advance(failureMs);
    expect(await failureOf(cache.load(file))).toBe("NotFound");
    clock.advance(1);
    const again = cache.load(file);
    store.take().answer(BYTES);
    expect(await again).toBe(BYTES);
  });

  it("is told to all who wait, and remembered for its own object only", async () => {
    const { cache, store } = openCache();
    const loads = [cache.load(file), cache.load(file)];
    store.take().fail("NotFound");
    for (const loading of loads) expect(await failureOf(loading)).toBe("NotFound");
    cache.load(heir).catch(() => undefined);
    expect(store.open).toHaveLength(1);
  });

  it("that is a defect is passed on and not remembered", async () => {
    const { cache, store } = openCache();
    const loading = cache.load(file);
    store.take().fail(new TypeError("a defect"));
    await expect(loading).rejects.toThrow("a defect");
    cache.load(file).catch(() => undefined);
    expect(store.open).toHaveLength(1);
  });
});

describe("a store that cannot be asked", () => {
  it("makes a file Unavailable once its last check is older than the interval", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const loading = cache.load(file);
    store.take().fail("Unavailable");
    expect(await failureOf(loading)).toBe("Unavailable");
  });

  it("leaves the file to be served stale for as long as is allowed", async () => {
    const { cache, clock, store } = await openFilledCache({ serveStaleMs: 60_000 });
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
    const { cache, clock, store } = await openFilledCache({ serveStaleMs: 60_000 });
    for (const failure of ["AccessDenied", "NotFound", "Changed"] as const) {
      clock.advance(INTERVAL_MS + 1);
      const loading = cache.load(file);
      store.take().fail(failure);
      expect(await failureOf(loading)).toBe(failure);
    }
  });

  it("has no stale bytes of a file that was never read", async () => {
    const { cache, store } = openCache({ serveStaleMs: 60_000 });
    const loading = cache.load(file);
    store.take().fail("Unavailable");
    expect(await failureOf(loading)).toBe("Unavailable");
  });

  it("is asked once an interval while stale bytes are served, so that a request does not wait for each failure", async () => {
    const { cache, clock, store } = await openFilledCache({ serveStaleMs: 60_000 });
    clock.advance(INTERVAL_MS + 1);
    const first = cache.load(file);
    store.take().fail("Unavailable");
    expect(await first).toBe(BYTES);
    const second = cache.load(file);
    expect(store.open).toHaveLength(0);
    expect(await second).toBe(BYTES);
    clock.advance(INTERVAL_MS);
    expect(cache.peek(file)).toBe(BYTES);
    clock.advance(1);
    expect(cache.peek(file)).toBeUndefined();
    const third = cache.load(file);
    store.take().answer(BYTES);
    expect(await third).toBe(BYTES);
  });

  it("leaves nothing to serve a moment after a failure, once the last check is too old", async () => {
    const { cache, clock, store } = await openFilledCache({ serveStaleMs: 1500 });
    clock.advance(INTERVAL_MS + 1);
    const stale = cache.load(file);
    store.take().fail("Unavailable");
    expect(await stale).toBe(BYTES);
    clock.advance(500);
    expect(cache.peek(file)).toBeUndefined();
    expect(await failureOf(cache.load(file))).toBe("Unavailable");
    expect(store.calls).toEqual(["read", "head"]);
  });
});

describe("a store that hangs", () => {
  it("keeps nobody waiting for more than a second where stale bytes are allowed", async () => {
    const { cache, clock, store } = await openFilledCache({ serveStaleMs: 60_000 });
    clock.advance(INTERVAL_MS + 1);
    const first = cache.load(file);
    const joined = cache.load(file);
    expect(store.open).toHaveLength(1);
    clock.advance(1000);
    expect(await first).toBe(BYTES);
    expect(await joined).toBe(BYTES);
    // The check is still under way: whoever comes now waits no more.
    expect(await cache.load(file)).toBe(BYTES);
    expect(store.open).toHaveLength(1);
  });

  it("is waited for where stale bytes are not allowed", async () => {
    const { cache, clock, store } = await openFilledCache();
    clock.advance(INTERVAL_MS + 1);
    const loading = cache.load(file);
    clock.advance(5000);
    store.take().fail("Unavailable");
    expect(await failureOf(loading)).toBe("Unavailable");
  });
});
