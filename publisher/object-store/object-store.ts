/** The contract of an object store: where the bytes of files come from. Every backend meets test/contract/object-store.ts. */
import type { S3Location } from "../protocol/stream.ts";

/** What a store says of an object without its bytes. */
export interface ObjectInfo {
  readonly sizeBytes: number;
  /** Quotes included, as S3 gives it. */
  readonly etag: string;
  /** Present when the store keeps versions. */
  readonly versionId?: string;
}

/** An object's bytes and what the store said of them in the same answer. */
export interface ObjectContent extends ObjectInfo {
  readonly bytes: Uint8Array;
}

/**
 * Why a store did not answer with an object:
 * - `NotFound`: no such bucket, key or version.
 * - `VersionNotKept`: a version was asked for, and the answer does not carry that version id.
 * - `AccessDenied`: the store refused the credentials or the access.
 * - `Changed`: the object's ETag is no longer the one asked for.
 * - `TooLarge`: the object is larger than the reader would take.
 * - `Unavailable`: no answer in time, a connection refused, a 5xx, an answer cut short.
 */
export type ObjectStoreFailure =
  | "NotFound"
  | "VersionNotKept"
  | "AccessDenied"
  | "Changed"
  | "TooLarge"
  | "Unavailable";

/** Thrown by an {@link ObjectStore}; `message` is one sentence that names bucket, key and version, and no secret. */
export class ObjectStoreError extends Error {
  readonly failure: ObjectStoreFailure;

  constructor(failure: ObjectStoreFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ObjectStoreError";
    this.failure = failure;
  }
}

/** Reads objects. Both calls reject with {@link ObjectStoreError} only, and within a bounded time. */
export interface ObjectStore {
  /** What the store says of the object now. */
  head(location: S3Location): Promise<ObjectInfo>;
  /**
   * The whole object. With `etag`, only if it is still that one (`Changed` otherwise). More than `maxBytes` is
   * `TooLarge`, without buffering more than that.
   */
  read(location: S3Location, options: { readonly maxBytes: number; readonly etag?: string }): Promise<ObjectContent>;
  /** Ends the calls that are under way, as `Unavailable`, and lets go of the connections. */
  close(): Promise<void>;
}
