/** Remembers the digests of objects, so that an object named by many streams is read once for all of them. */
import { LRUCache } from "lru-cache";
import type { ObjectInfo } from "../object-store/object-store.ts";
import type { S3Location, StreamFile } from "../protocol/stream.ts";

/** What is known of an object's bytes. */
export type Digests = Pick<StreamFile, "crc32" | "sha256">;

/** Most objects remembered. */
const MAX_OBJECTS = 10_000;

/** The digests of the last objects. An object with the same ETag and size has the same bytes, as for the file cache. */
export class DigestMemory {
  private readonly known = new LRUCache<string, Digests>({ max: MAX_OBJECTS });

  /** The digests of the object that a look-up found. */
  recall(location: S3Location, info: ObjectInfo): Digests | undefined {
    return this.known.get(keyOf(location, info));
  }

  /** Keeps the digests of an object that was read. */
  remember(location: S3Location, info: ObjectInfo, { crc32, sha256 }: Digests): void {
    this.known.set(keyOf(location, info), { crc32, sha256 });
  }
}

function keyOf({ bucket, key, version = "" }: S3Location, { etag, sizeBytes }: ObjectInfo): string {
  return `${bucket}\0${key}\0${version}\0${etag}\0${sizeBytes}`;
}
