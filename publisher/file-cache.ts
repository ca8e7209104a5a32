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

/** Longest time for which a failure answers instead of the store, in milliseconds; a shorter check interval shortens it. */
const MAX_FAILURE_MS = 1000;
/** How long a check may take before stale bytes, where they are allowed, are served in its stead, in milliseconds. */
const PATIENCE_MS = 1000;
/** Most failures remembered, and most files let go of whose bytes may still be found. */
const MAX_REMEMBERED = 10_000;

interface CheckedFile {
  readonly bytes: Uint8Array;
  /** Monotonic time at which the last check that found the object unchanged was begun, in milliseconds. */
  readonly checkedAtMs: number;
}

interface ReleasedFile {
  readonly bytes: WeakRef<Uint8Array>;
  readonly checkedAtMs: number;
}

interface Failure {
  readonly error: ObjectStoreError;
  readonly atMs: number;
}

/** A read or check under way, and the one that is begun after it for those who came too late for its answer. */
interface Refresh {
  readonly startedAtMs: number;
  /** Settles with the answer, or earlier with stale bytes where they are allowed. */
  readonly bytes: Promise<Uint8Array>;
  next: Promise<Uint8Array> | undefined;
}

/** Serves whole files. An object is read once, with one read or check in flight, however many devices ask. */
export class FileCache {
  private readonly options: FileCacheOptions;
  private readonly failureMs: number;
  private readonly files: LRUCache<string, CheckedFile>;
  /** Files beyond the bound: their bytes are shared for as long as somebody is owed them. */
  private readonly released = new LRUCache<string, ReleasedFile>({ max: MAX_REMEMBERED });
  /** Why an object could not be read or checked, so that a wrong object or a store that is down costs no wait per request. */
  private readonly failures = new LRUCache<string, Failure>({ max: MAX_REMEMBERED });
  private readonly inFlight = new Map<string, Refresh>();
  private readonly keys = new WeakMap<StreamFile, string>();

  constructor(options: FileCacheOptions) {
    this.options = options;
    this.failureMs = Math.min(options.checkIntervalMs, MAX_FAILURE_MS);
    this.files = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: (file) => Math.max(1, file.bytes.length),
      dispose: (file, key, reason) => {
        if (reason !== "set") this.release(key, file);
      },
    });
  }

  /**
   * The file's bytes, if they are here and were checked within the interval; or, within `serveStaleMs` of the last
   * check, if the store could not be asked a moment ago. In the last half of the interval it begins the next check, so
   * that nobody waits for the one of a file in use.
   */
  peek(file: StreamFile): Uint8Array | undefined {
    const key = this.keyOf(file);
    const cached = this.find(key);
    if (cached === undefined) return undefined;
    const nowMs = this.options.clock.monotonicMs();
    const ageMs = nowMs - cached.checkedAtMs;
    if (ageMs <= this.options.checkIntervalMs) {
      if (ageMs > this.options.checkIntervalMs / 2) this.checkAhead(key, file, nowMs);
      return cached.bytes;
    }
    const failure = this.recentFailure(key, nowMs);
    return failure !== undefined && this.maySurvive(failure, cached, nowMs) ? cached.bytes : undefined;
  }

  /**
   * Begins to check a file that will be asked for soon, if its bytes are here and their last check is too old; undefined if
   * there is nothing to do. Settles when the check is over, and never rejects: what comes of it is remembered.
   */
  prepare(file: StreamFile): Promise<unknown> | undefined {
    // Without an interval the check that is begun now is too old for everybody who comes.
    if (this.options.checkIntervalMs === 0 || this.find(this.keyOf(file)) === undefined) return undefined;
    return this.peek(file) === undefined ? this.load(file).catch(() => undefined) : undefined;
  }

  /**
   * The file's bytes as they were recorded, read or checked now if need be. A check that was begun longer ago than the
   * interval is not joined: a new one follows it. Rejects with {@link ObjectStoreError}: `Changed` when the object's
   * ETag is no longer the recorded one.
   */
  load(file: StreamFile): Promise<Uint8Array> {
    const bytes = this.peek(file);
    if (bytes !== undefined) return Promise.resolve(bytes);
    const key = this.keyOf(file);
    const nowMs = this.options.clock.monotonicMs();
    const running = this.inFlight.get(key);
    if (running !== undefined) {
      const stale = this.findStale(key, nowMs);
      if (stale !== undefined && nowMs - running.startedAtMs >= PATIENCE_MS) return Promise.resolve(stale);
      if (nowMs - running.startedAtMs <= this.options.checkIntervalMs) return running.bytes;
      running.next ??= running.bytes.then(
        () => this.load(file),
        () => this.load(file),
      );
      return running.next;
    }
    const failure = this.recentFailure(key, nowMs);
    return failure === undefined ? this.begin(key, file, nowMs) : Promise.reject(failure.error);
  }

  /** Begins a check for those who will ask; what comes of it is remembered. */
  private checkAhead(key: string, file: StreamFile, nowMs: number): void {
    if (this.inFlight.has(key) || this.recentFailure(key, nowMs) !== undefined) return;
    this.begin(key, file, nowMs).catch(() => undefined);
  }

  /** Begins a read or check, which others may join. */
  private begin(key: string, file: StreamFile, nowMs: number): Promise<Uint8Array> {
    const stale = this.findStale(key, nowMs);
    const refreshed = this.refresh(key, file, nowMs).finally(() => this.inFlight.delete(key));
    const answer = stale === undefined ? refreshed : this.impatient(refreshed, stale);
    this.inFlight.set(key, { startedAtMs: nowMs, bytes: answer, next: undefined });
    return answer;
  }

  /** What `refreshed` comes to, or the stale bytes when the store keeps everybody waiting. */
  private impatient(refreshed: Promise<Uint8Array>, stale: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const timer = this.options.clock.setTimer(PATIENCE_MS, () => resolve(stale));
      refreshed.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  /** The bytes at hand, if they may be served while the store cannot be asked. */
  private findStale(key: string, nowMs: number): Uint8Array | undefined {
    const cached = this.find(key);
    return cached !== undefined && nowMs - cached.checkedAtMs <= this.options.serveStaleMs ? cached.bytes : undefined;
  }

  /** Reads or checks; what it finds vouches for the moment it was begun, not for the one at which the answer came. */
  private async refresh(key: string, file: StreamFile, startedAtMs: number): Promise<Uint8Array> {
    const cached = this.find(key);
    try {
      const bytes = cached === undefined ? await this.read(file) : await this.check(file, cached.bytes);
      this.keep(key, { bytes, checkedAtMs: startedAtMs });
      this.failures.delete(key);
      return bytes;
    } catch (error) {
      if (!(error instanceof ObjectStoreError)) throw error;
      const failure: Failure = { error, atMs: this.options.clock.monotonicMs() };
      this.failures.set(key, failure);
      if (error.failure === "Changed" && cached !== undefined) this.distrust(key, cached.bytes);
      if (cached !== undefined && this.maySurvive(failure, cached, failure.atMs)) return cached.bytes;
      throw error;
    }
  }

  private async read(file: StreamFile): Promise<Uint8Array> {
    const content = await this.options.store
      .read(file.s3Location, { maxBytes: file.sizeBytes, etag: file.etag })
      .catch((error: unknown) => {
        const isChanged = error instanceof ObjectStoreError && error.failure === "Changed";
        throw isChanged ? changed(file, `another ETag than ${file.etag}`) : error;
      });
    const sizeBytes = content.bytes.length;
    if (content.etag !== file.etag) throw changed(file, `ETag ${content.etag}, not ${file.etag}`);
    if (sizeBytes !== file.sizeBytes) throw changed(file, `${sizeBytes} bytes, not ${file.sizeBytes}`);
    return content.bytes;
  }

  private async check(file: StreamFile, bytes: Uint8Array): Promise<Uint8Array> {
    const info = await this.options.store.head(file.s3Location);
    if (info.etag !== file.etag) throw changed(file, `ETag ${info.etag}, not ${file.etag}`);
    return bytes;
  }

  private recentFailure(key: string, nowMs: number): Failure | undefined {
    const failure = this.failures.get(key);
    return failure !== undefined && nowMs - failure.atMs <= this.failureMs ? failure : undefined;
  }

  /** Says whether a file may be served although its last check failed. */
  private maySurvive({ error }: Failure, { checkedAtMs }: CheckedFile, nowMs: number): boolean {
    return error.failure === "Unavailable" && nowMs - checkedAtMs <= this.options.serveStaleMs;
  }

  private find(key: string): CheckedFile | undefined {
    const kept = this.files.get(key);
    if (kept !== undefined) return kept;
    const released = this.released.get(key);
    const bytes = released?.bytes.deref();
    if (released === undefined || bytes === undefined) return undefined;
    const file = { bytes, checkedAtMs: released.checkedAtMs };
    if (bytes.length <= this.options.maxBytes) this.keep(key, file);
    return file;
  }

  private keep(key: string, file: CheckedFile): void {
    this.released.delete(key);
    this.files.set(key, file);
    // A file that is larger than the whole cache is not taken, and nobody is told.
    if (file.bytes.length > this.options.maxBytes) this.release(key, file);
  }

  /** Serves bytes no more that the object does not have now; they need no second read when it has them again. */
  private distrust(key: string, bytes: Uint8Array): void {
    this.files.delete(key);
    this.release(key, { bytes, checkedAtMs: Number.NEGATIVE_INFINITY });
  }

  private release(key: string, { bytes, checkedAtMs }: CheckedFile): void {
    this.released.set(key, { bytes: new WeakRef(bytes), checkedAtMs });
  }

  /** The object as it was recorded: a fresh update with the same ETag shares the bytes. */
  private keyOf(file: StreamFile): string {
    let key = this.keys.get(file);
    if (key === undefined) {
      const { s3Location, etag } = file;
      key = `${s3Location.bucket}\0${s3Location.key}\0${s3Location.version ?? ""}\0${etag}`;
      this.keys.set(file, key);
    }
    return key;
  }
}

function changed({ s3Location: { bucket, key } }: StreamFile, found: string): ObjectStoreError {
  const message = `the object ${bucket}/${key} has ${found} as recorded: update the stream to serve the new object`;
  return new ObjectStoreError("Changed", message);
}
