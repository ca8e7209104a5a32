/** An object store in memory whose failures a test injects; it counts what it was asked. */
import { createHash } from "node:crypto";
import {
  type ObjectContent,
  type ObjectInfo,
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreFailure,
} from "../../publisher/object-store/object-store.ts";
import type { S3Location } from "../../publisher/protocol/stream.ts";

/** The two calls a store can fail. */
export type StoreCall = "head" | "read";

/** A store that a test fills and breaks. It keeps no versions, as the embedded one does. */
export class ControlObjectStore implements ObjectStore {
  readonly #objects = new Map<string, Uint8Array>();
  /** Every call so far, for example "head b/k". */
  readonly calls: string[] = [];
  /** Called before each answer; throws to fail it, or waits to delay it. */
  beforeAnswer: (call: StoreCall, location: S3Location) => void | Promise<void> = () => {};

  put(bucket: string, key: string, bytes: Uint8Array): void {
    this.#objects.set(`${bucket}/${key}`, bytes);
  }

  remove(bucket: string, key: string): void {
    this.#objects.delete(`${bucket}/${key}`);
  }

  /** Makes one kind of call, or both, fail until told otherwise. */
  failWith(failure: ObjectStoreFailure, only?: StoreCall): void {
    this.beforeAnswer = (call, { bucket, key }) => {
      if (only === undefined || only === call)
        throw new ObjectStoreError(failure, `${bucket}/${key}: ${failure} injected`);
    };
  }

  /** Makes calls succeed again. */
  heal(): void {
    this.beforeAnswer = () => {};
  }

  async head(location: S3Location): Promise<ObjectInfo> {
    return describe(await this.#answer("head", location));
  }

  async read(location: S3Location, options: { maxBytes: number; etag?: string }): Promise<ObjectContent> {
    const bytes = await this.#answer("read", location);
    const info = describe(bytes);
    const name = `${location.bucket}/${location.key}`;
    if (options.etag !== undefined && options.etag !== info.etag) {
      throw new ObjectStoreError("Changed", `${name} is no longer the object with ETag ${options.etag}`);
    }
    if (bytes.length > options.maxBytes) {
      throw new ObjectStoreError("TooLarge", `${name} has more than ${options.maxBytes} bytes`);
    }
    return { ...info, bytes };
  }

  async close(): Promise<void> {}

  async #answer(call: StoreCall, location: S3Location): Promise<Uint8Array> {
    const name = `${location.bucket}/${location.key}`;
    this.calls.push(`${call} ${name}`);
    await this.beforeAnswer(call, location);
    const bytes = this.#objects.get(name);
    if (bytes === undefined) throw new ObjectStoreError("NotFound", `${name} does not exist`);
    if (location.version !== undefined) {
      throw new ObjectStoreError("VersionNotKept", `${name}: the store keeps no version ${location.version}`);
    }
    return bytes;
  }
}

function describe(bytes: Uint8Array): ObjectInfo {
  return { sizeBytes: bytes.length, etag: `"${createHash("md5").update(bytes).digest("hex")}"` };
}
