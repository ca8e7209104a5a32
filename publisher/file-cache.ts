/** The bytes of files, read once per object version and shared by all devices, with a bounded check that they are still current. */
import { LRUCache } from "lru-cache";
import type { Clock } from "../shared/clock.ts";
import { type ObjectStore, ObjectStoreError } from "./object-store/object-store.ts";
import type { StreamFile } from "./protocol/stream.ts";

/** How a {@link FileCache} behaves. */
export interface FileCacheOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** Most bytes kept; files that are being sent are kept beyond it until they are. */
  readonly maxBytes: number;
  /** How old the last check of an object may be when it is served, in milliseconds. */
  readonly checkIntervalMs: number;
  /** How long after the last successful check bytes are served while the store cannot be asked, in milliseconds. */
  readonly serveStaleMs: number;
}

interface CheckedFile {
  bytes: Uint8Array;
  /** Monotonic time of the last check that found the object unchanged, in milliseconds. */
  checkedAtMs: number;
  /** Monotonic time at which the store was last asked in vain. */
  failedAtMs: number;
}

/** Serves whole files. An object is read once, with one read and one check in flight, however many devices ask. */
export class FileCache {
  private readonly options: FileCacheOptions;
  private readonly files: LRUCache<string, CheckedFile>;
  private readonly inFlight = new Map<string, Promise<Uint8Array>>();
  /** Why an object could not be served, remembered for one check interval so that a wrong object costs no read per request. */
  private readonly failures: LRUCache<string, { readonly error: ObjectStoreError; readonly atMs: number }>;

  constructor(options: FileCacheOptions) {
    this.options = options;
    this.files = new LRUCache({ maxSize: options.maxBytes, sizeCalculation: (file) => Math.max(1, file.bytes.length) });
    this.failures = new LRUCache({ max: 10_000 });
  }

  /** The file's bytes, if they are here and were checked within the interval. */
  peek(file: StreamFile): Uint8Array | undefined {
    const cached = this.files.get(keyOf(file));
    if (cached === undefined) return undefined;
    const nowMs = this.options.clock.monotonicMs();
    return nowMs - cached.checkedAtMs <= this.options.checkIntervalMs ? cached.bytes : undefined;
  }

  /**
   * The file's bytes as they were recorded, read or checked now if need be. Rejects with {@link ObjectStoreError}:
   * `Changed` when the object's ETag is no longer the recorded one.
   */
  load(file: StreamFile): Promise<Uint8Array> {
    const key = keyOf(file);
    const running = this.inFlight.get(key);
    if (running !== undefined) return running;
    const failure = this.failures.get(key);
    if (failure !== undefined && this.options.clock.monotonicMs() - failure.atMs <= this.options.checkIntervalMs) {
      return Promise.reject(failure.error);
    }
    const loading = this.refresh(key, file).finally(() => this.inFlight.delete(key));
    this.inFlight.set(key, loading);
    return loading;
  }

  private async refresh(key: string, file: StreamFile): Promise<Uint8Array> {
    const cached = this.files.get(key);
    const startedAtMs = this.options.clock.monotonicMs();
    try {
      const bytes = cached === undefined ? await this.read(file) : await this.check(file, cached.bytes);
      // The check vouches for the moment it was begun, not for the one at which its answer came.
      this.files.set(key, { bytes, checkedAtMs: startedAtMs, failedAtMs: Number.NEGATIVE_INFINITY });
      this.failures.delete(key);
      return bytes;
    } catch (error) {
      if (!(error instanceof ObjectStoreError)) throw error;
      const staleMs = startedAtMs - (cached?.checkedAtMs ?? Number.NEGATIVE_INFINITY);
      if (cached !== undefined && error.failure === "Unavailable" && staleMs <= this.options.serveStaleMs) {
        return cached.bytes;
      }
      this.failures.set(key, { error, atMs: this.options.clock.monotonicMs() });
      throw error;
    }
  }

  private async read(file: StreamFile): Promise<Uint8Array> {
    const content = await this.options.store.read(file.s3Location, { maxBytes: file.sizeBytes, etag: file.etag });
    if (content.etag !== file.etag || content.bytes.length !== file.sizeBytes) throw changed(file, content.etag);
    return content.bytes;
  }

  private async check(file: StreamFile, bytes: Uint8Array): Promise<Uint8Array> {
    const info = await this.options.store.head(file.s3Location);
    if (info.etag !== file.etag) throw changed(file, info.etag);
    return bytes;
  }
}

/** The object as it was recorded; a fresh update with the same ETag shares the bytes. */
function keyOf({ s3Location: { bucket, key, version }, etag }: StreamFile): string {
  return `${bucket}\0${key}\0${version ?? ""}\0${etag}`;
}

function changed(file: StreamFile, etag: string): ObjectStoreError {
  const { bucket, key } = file.s3Location;
  const message = `the object ${bucket}/${key} has ETag ${etag}, not ${file.etag} as recorded: update the stream to serve the new object`;
  return new ObjectStoreError("Changed", message);
}
