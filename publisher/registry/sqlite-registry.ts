/** A stream registry in one SQLite file: the default, durable before it answers. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { StreamEntry, StreamRecord } from "../protocol/stream.ts";
import { ChangeListeners } from "./change-listeners.ts";
import { formatPageToken, parsePageToken } from "./page-token.ts";
import { openSqliteFile } from "./sqlite-file.ts";
import type { StreamPage, StreamPageQuery, StreamRegistry } from "./stream-registry.ts";

/**
 * Opens the registry in the file at `path`, which it creates with its folder when missing. Several processes may open
 * the same file. Throws OtaError `DataDirNotUsable` when the file cannot be opened or written, is damaged, is not a
 * registry, or was written by a newer version.
 */
export function openSqliteRegistry(path: string): StreamRegistry {
  return new SqliteRegistry(openSqliteFile(path));
}

class SqliteRegistry implements StreamRegistry {
  readonly #db: DatabaseSync;
  readonly #listeners = new ChangeListeners();
  readonly #find: StatementSync;
  readonly #put: StatementSync;
  readonly #count: StatementSync;
  readonly #page: { readonly ascending: StatementSync; readonly descending: StatementSync };

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#find = db.prepare("SELECT entry, sequence, is_live FROM streams WHERE stream_id = ?");
    this.#put = db.prepare(
      `INSERT INTO streams (stream_id, sequence, is_live, entry)
       VALUES (:streamId, coalesce(:sequence, (SELECT coalesce(max(sequence), 0) + 1 FROM streams)), :isLive, :entry)
       ON CONFLICT (stream_id) DO UPDATE
       SET sequence = excluded.sequence, is_live = excluded.is_live, entry = excluded.entry`,
    );
    this.#count = db.prepare("SELECT count(*) AS live FROM streams WHERE is_live = 1");
    const page = "SELECT entry, sequence FROM streams WHERE is_live = 1 AND sequence";
    this.#page = {
      ascending: db.prepare(`${page} > ? ORDER BY sequence ASC LIMIT ?`),
      descending: db.prepare(`${page} < ? ORDER BY sequence DESC LIMIT ?`),
    };
  }

  async find(streamId: string): Promise<StreamEntry | undefined> {
    const row = this.#find.get(streamId);
    return row === undefined ? undefined : parseEntry(row.entry);
  }

  async change(streamId: string, change: (current: StreamEntry | undefined) => StreamEntry): Promise<StreamEntry> {
    const entry = this.#inTransaction(() => {
      const row = this.#find.get(streamId);
      const next = change(row === undefined ? undefined : parseEntry(row.entry));
      const isCreation = next.state === "live" && row?.is_live !== 1;
      this.#put.run({
        streamId,
        // Nothing stored: the statement takes the next place in the order of creation.
        sequence: isCreation || row === undefined ? null : (row.sequence as number),
        isLive: next.state === "live" ? 1 : 0,
        entry: JSON.stringify(next),
      });
      return next;
    });
    this.#listeners.notify(streamId);
    return entry;
  }

  async list(query: StreamPageQuery): Promise<StreamPage> {
    const { isAscendingOrder, maxResults, nextToken } = query;
    const start = isAscendingOrder ? 0 : Number.MAX_SAFE_INTEGER;
    const after = nextToken === undefined ? start : parsePageToken(nextToken, isAscendingOrder);
    const statement = isAscendingOrder ? this.#page.ascending : this.#page.descending;
    const rows = statement.all(after, maxResults + 1);
    const page = rows.slice(0, maxResults);
    const streams = page.map((row) => requireRecord(parseEntry(row.entry)));
    const last = page.at(-1);
    if (last === undefined || rows.length === page.length) return { streams };
    return { streams, nextToken: formatPageToken(last.sequence as number, isAscendingOrder) };
  }

  async count(): Promise<number> {
    return this.#count.get()?.live as number;
  }

  onChange(listener: (streamId: string) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }

  #inTransaction<T>(work: () => T): T {
    // Immediate: two processes that both read first could not both go on to write.
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      // Some failures, a full disk among them, have already ended the transaction.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }
}

function parseEntry(text: unknown): StreamEntry {
  return JSON.parse(text as string) as StreamEntry;
}

function requireRecord(entry: StreamEntry): StreamRecord {
  if (entry.state !== "live") throw new Error("a row marked live holds a deleted stream");
  return entry.record;
}
