/** Several object stores in a row behind one contract. */
import type { S3Location } from "../protocol/stream.ts";
import { type ObjectStore, ObjectStoreError } from "./object-store.ts";

/**
 * Looks for each object in the given stores in order: the first that has it answers, `NotFound` moves on to the next, and any other
 * failure is the answer, since a store that cannot be asked may be the one that has it. Closing closes all of them.
 */
export function createChainedObjectStore(stores: readonly ObjectStore[]): ObjectStore {
  return {
    head: (location) => findFirst(stores, location, (store) => store.head(location)),
    read: (location, options) => findFirst(stores, location, (store) => store.read(location, options)),
    async close() {
      await Promise.all(stores.map((store) => store.close()));
    },
  };
}

async function findFirst<Result>(
  stores: readonly ObjectStore[],
  { bucket, key }: S3Location,
  ask: (store: ObjectStore) => Promise<Result>,
): Promise<Result> {
  const misses: ObjectStoreError[] = [];
  for (const store of stores) {
    try {
      return await ask(store);
    } catch (error) {
      if (!(error instanceof ObjectStoreError) || error.failure !== "NotFound") throw error;
      misses.push(error);
    }
  }
  const [onlyMiss] = misses;
  if (onlyMiss !== undefined && misses.length === 1) throw onlyMiss;
  const reasons = misses.map((miss) => miss.message).join("; ");
  throw new ObjectStoreError("NotFound", `s3://${bucket}/${key} is in none of ${stores.length} stores: ${reasons}`);
}
