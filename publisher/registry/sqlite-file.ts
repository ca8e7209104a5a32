/** Opens the registry's SQLite file: settings, schema and its version, and what is wrong when it cannot be used. */
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OtaError } from "../../shared/protocol/errors.ts";
import { makeFolder } from "./make-folder.ts";

/** Marks a file as ours in SQLite's header: "OTAS". */
const APPLICATION_ID = 0x4f_54_41_53;
/** Rises with each change of the schema. */
const SCHEMA_VERSION = 1;
/** How long a write waits for another process's. */
const BUSY_TIMEOUT_MS = 5000;

const SCHEMA = `
  CREATE TABLE streams (
    stream_id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL UNIQUE,
    is_live INTEGER NOT NULL,
    entry TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX streams_live ON streams (sequence) WHERE is_live = 1;
`;

/** Opens or creates the file. Throws OtaError `DataDirNotUsable`, and leaves no handle behind when it does. */
export function openSqliteFile(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    makeFolder(dirname(resolve(path)));
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    prepare(db, path);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof OtaError) throw error;
    throw notUsable(path, error instanceof Error ? error.message : String(error), error);
  }
}

function prepare(db: DatabaseSync, path: string): void {
  // A commit is on the disk before it returns: in WAL mode only FULL syncs the log at each one.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  db.exec("BEGIN IMMEDIATE");
  const version = readNumber(db, "PRAGMA user_version");
  const applicationId = readNumber(db, "PRAGMA application_id");
  if (version === 0 && readNumber(db, "SELECT count(*) FROM sqlite_schema") === 0) {
    db.exec(SCHEMA);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION};`);
  } else if (applicationId !== APPLICATION_ID) {
    throw notUsable(path, "it is a database of another program");
  } else if (version > SCHEMA_VERSION) {
    throw notUsable(path, `it has schema version ${version} and this program knows up to ${SCHEMA_VERSION}`);
  }
  db.exec("COMMIT");
  const damage = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
  if (damage !== "ok") throw notUsable(path, `it is damaged: ${String(damage)}`);
}

function readNumber(db: DatabaseSync, sql: string): number {
  return Object.values(db.prepare(sql).get() ?? {})[0] as number;
}

function notUsable(path: string, reason: string, cause?: unknown): OtaError {
  return new OtaError("DataDirNotUsable", `the stream registry ${path} cannot be used: ${reason}`, { cause });
}
