/** A stream registry that lives in memory and dies with the process: for tests and simulations. */
import type { StreamEntry, StreamRecord } from "../protocol/stream.ts";
import { ChangeListeners } from "./change-listeners.ts";
import { formatPageToken, parsePageToken } from "./page-token.ts";
import type { StreamPage, StreamPageQuery, StreamRegistry } from "./stream-registry.ts";

interface Row {
  readonly entry: StreamEntry;
  /** Rises with each creation; kept by what is deleted, so that a place in the order is never used twice. */
  readonly sequence: number;
}

/** Opens an empty registry in memory. It meets the contract except that nothing outlives the process. */
export function openMemoryRegistry(): StreamRegistry {
  return new MemoryRegistry();
}

class MemoryRegistry implements StreamRegistry {
  readonly #rows = new Map<string, Row>();
  readonly #listeners = new ChangeListeners();
  #lastSequence = 0;

  async find(streamId: string): Promise<StreamEntry | undefined> {
    return this.#rows.get(streamId)?.entry;
  }

  async change(streamId: string, change: (current: StreamEntry | undefined) => StreamEntry): Promise<StreamEntry> {
    const row = this.#rows.get(streamId);
    const entry = structuredClone(change(row?.entry));
    const isCreation = row?.entry.state !== "live" && entry.state === "live";
    const sequence = isCreation || row === undefined ? ++this.#lastSequence : row.sequence;
    this.#rows.set(streamId, { entry, sequence });
    this.#listeners.notify(streamId);
    return entry;
  }

  async list(query: StreamPageQuery): Promise<StreamPage> {
    const sign = query.isAscendingOrder ? 1 : -1;
    const after = query.nextToken === undefined ? undefined : parsePageToken(query.nextToken, query.isAscendingOrder);
    const rows = this.#liveRows()
      .filter((row) => after === undefined || (row.sequence - after) * sign > 0)
      .sort((left, right) => (left.sequence - right.sequence) * sign);
    const page = rows.slice(0, query.maxResults);
    const last = page.at(-1);
    const streams = page.map((row) => row.record);
    if (last === undefined || rows.length === page.length) return { streams };
    return { streams, nextToken: formatPageToken(last.sequence, query.isAscendingOrder) };
  }

  async count(): Promise<number> {
    return this.#liveRows().length;
  }

  onChange(listener: (streamId: string) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {}

  #liveRows(): { readonly record: StreamRecord; readonly sequence: number }[] {
    return [...this.#rows.values()].flatMap(({ entry, sequence }) =>
      entry.state === "live" ? [{ record: entry.record, sequence }] : [],
    );
  }
}
