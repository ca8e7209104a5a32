/** The contract of a stream registry: where stream records live. Every backend meets test/contract/stream-registry.ts. */
import type { StreamEntry, StreamRecord } from "../protocol/stream.ts";

/** One page of live streams, in order of creation. */
export interface StreamPage {
  readonly streams: readonly StreamRecord[];
  /** Pass it back for the next page; absent on the last one. */
  readonly nextToken?: string;
}

/** What a page is asked with. */
export interface StreamPageQuery {
  /** 1-250. */
  readonly maxResults: number;
  readonly isAscendingOrder: boolean;
  readonly nextToken?: string;
}

/** Keeps stream entries durably: once a promise resolves, the change survives SIGKILL and power loss of the process. */
export interface StreamRegistry {
  /** The entry under a stream id, live or deleted. */
  find(streamId: string): Promise<StreamEntry | undefined>;
  /**
   * Reads, changes and writes one entry in one atomic step. `change` is synchronous and gets the current entry;
   * what it throws leaves the entry as it was and rejects the promise with the same error. It may run more than once.
   */
  change(streamId: string, change: (current: StreamEntry | undefined) => StreamEntry): Promise<StreamEntry>;
  /** One page of live streams. Rejects with {@link InvalidNextToken} when the token is not one it gave. */
  list(query: StreamPageQuery): Promise<StreamPage>;
  /** How many streams are live. */
  count(): Promise<number>;
  /** Calls `listener` with the stream id after each committed change made through this registry; returns the undo. */
  onChange(listener: (streamId: string) => void): () => void;
  close(): Promise<void>;
}

/** Thrown by {@link StreamRegistry.list} for a page token it did not give. */
export class InvalidNextToken extends Error {}
