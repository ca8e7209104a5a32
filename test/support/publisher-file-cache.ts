/** A file cache between a clock and a store that stand still, and a file for it. */
import { expect } from "vitest";
import { FileCache, type FileCacheOptions } from "../../publisher/file-cache.ts";
import { ObjectStoreError } from "../../publisher/object-store/object-store.ts";
import { type ControlClock, createControlClock } from "./control-clock.ts";
import { HeldStore } from "./publisher-held-store.ts";
import { recordedFile } from "./publisher-stream.ts";

/** The check interval of {@link openCache}, in milliseconds. */
export const INTERVAL_MS = 1000;
/** What {@link CACHED_FILE} was recorded with. */
export const BYTES = Buffer.from("the bytes of an image");
/** A file of a stream. */
export const CACHED_FILE = recordedFile(BYTES);

/** A cache and what it asks. */
export interface CacheRig {
  readonly cache: FileCache;
  readonly clock: ControlClock;
  readonly store: HeldStore;
}

/** Opens an empty cache at the time 0. */
export function openCache(options: Partial<FileCacheOptions> = {}): CacheRig {
  const clock = createControlClock(0);
  const store = new HeldStore();
  const fixed = { store, clock, maxBytes: 1000, checkIntervalMs: INTERVAL_MS, serveStaleMs: 0 };
  return { cache: new FileCache({ ...fixed, ...options }), clock, store };
}

/** Opens a cache that read {@link CACHED_FILE} at the time 0. */
export async function openFilledCache(options: Partial<FileCacheOptions> = {}): Promise<CacheRig> {
  const rig = openCache(options);
  const loading = rig.cache.load(CACHED_FILE);
  rig.store.take().answer(BYTES);
  await loading;
  return rig;
}

/** What a load is refused with. */
export async function failureOf(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ObjectStoreError);
  return (error as ObjectStoreError).failure;
}
