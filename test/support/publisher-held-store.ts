/** An object store that answers when a test says so, call by call. */
import {
  type ObjectContent,
  type ObjectInfo,
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreFailure,
} from "../../publisher/object-store/object-store.ts";
import type { S3Location } from "../../publisher/protocol/stream.ts";
import { etagOf } from "./publisher-stream.ts";

/** One call that waits for its answer. */
export interface HeldCall {
  readonly name: "head" | "read";
  readonly location: S3Location;
  /** What a read was asked with. */
  readonly options?: { readonly maxBytes: number; readonly etag?: string };
  /** Answers with an object that has these bytes. */
  answer(bytes: Uint8Array): void;
  fail(failure: ObjectStoreFailure | Error): void;
}

/** Keeps every call open until the test answers it. */
export class HeldStore implements ObjectStore {
  /** Calls without an answer yet, oldest first. */
  readonly open: HeldCall[] = [];
  /** The names of all calls so far. */
  readonly calls: string[] = [];

  head(location: S3Location): Promise<ObjectInfo> {
    return this.#hold("head", location);
  }

  read(location: S3Location, options: { maxBytes: number; etag?: string }): Promise<ObjectContent> {
    return this.#hold("read", location, options);
  }

  async close(): Promise<void> {}

  /** Takes out the oldest open call. */
  take(): HeldCall {
    const call = this.open.shift();
    if (call === undefined) throw new Error("the store has no open call");
    return call;
  }

  #hold(name: HeldCall["name"], location: S3Location, options?: HeldCall["options"]): Promise<ObjectContent> {
    this.calls.push(name);
    const { promise, resolve, reject } = Promise.withResolvers<ObjectContent>();
    this.open.push({
      name,
      location,
      ...(options !== undefined && { options }),
      answer: (bytes) => resolve({ bytes, sizeBytes: bytes.length, etag: etagOf(bytes) }),
      fail: (failure) => reject(failure instanceof Error ? failure : new ObjectStoreError(failure, `${failure} told`)),
    });
    return promise;
  }
}
