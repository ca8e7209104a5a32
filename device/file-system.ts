/** The file-system port: the few operations the image store needs of a disk, so that a simulated disk can stand in. */
import { writeSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { OtaError } from "../shared/protocol/errors.ts";
import { acquireFileLock } from "./file-lock.ts";

/** A file open for positioned access. Failures are errors whose `code` is the operating system's (`ENOSPC`, ...). */
export interface OpenFile {
  /** Writes all of `bytes` at `position` before it returns; they are durable only after {@link OpenFile.syncData}. */
  write(position: number, bytes: Uint8Array): void;
  /** Fills `target` from `position`; returns how many bytes there were, fewer than asked only at the end of the file. */
  read(position: number, target: Uint8Array): Promise<number>;
  sizeBytes(): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  /** Makes every write that returned before this call durable, and the size needed to read it back. */
  syncData(): Promise<void>;
  close(): Promise<void>;
}

/** A lock that is held. */
export interface FileLock {
  release(): Promise<void>;
}

/** What a disk does for the image store. Names become durable only with {@link FileSystem.syncDirectory}. */
export interface FileSystem {
  /** Creates a directory and its missing parents, durably. */
  createDirectory(path: string): Promise<void>;
  /** Opens an existing file for reading; undefined when there is none. */
  openToRead(path: string): Promise<OpenFile | undefined>;
  /** Opens a file for reading and writing, keeping its bytes; creates it when there is none. */
  openToUpdate(path: string): Promise<OpenFile>;
  /** Opens an empty file for reading and writing, in place of one that may be there. */
  openEmpty(path: string): Promise<OpenFile>;
  /** Moves a file, replacing the target in one step. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; does nothing when there is none. */
  remove(path: string): Promise<void>;
  /** Makes the creations, moves and removals in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Takes a lock that other processes see and that ends with its holder; `heldBy` names who has it instead. */
  lock(path: string): Promise<FileLock | { heldBy: string }>;
}

/** The machine's own disk. */
export const systemFileSystem: FileSystem = {
  createDirectory,
  async openToRead(path) {
    try {
      return openFile(await open(path, "r"));
    } catch (error) {
      if (errorCodeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  },
  async openToUpdate(path) {
    try {
      return openFile(await open(path, "r+"));
    } catch (error) {
      if (errorCodeOf(error) === "ENOENT") return openFile(await open(path, "w+"));
      throw error;
    }
  },
  openEmpty: async (path) => openFile(await open(path, "w+")),
  rename,
  async remove(path) {
    try {
      await unlink(path);
    } catch (error) {
      if (errorCodeOf(error) !== "ENOENT") throw error;
    }
  },
  syncDirectory,
  lock: acquireFileLock,
};

const NO_DIRECTORY_SYNC_CODES = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP"]);

/** Node's own recursive mkdir never returns for a path that cannot exist, such as one under /proc. */
async function createDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (errorCodeOf(error) !== "ENOENT") throw error;
    return undefined;
  });
  if (found?.isDirectory()) return;
  const parent = dirname(path);
  if (found === undefined && parent !== path) await createDirectory(parent);
  try {
    await mkdir(path);
  } catch (error) {
    const another = errorCodeOf(error) === "EEXIST" && (await stat(path)).isDirectory();
    if (!another) throw error;
  }
  await syncDirectory(parent);
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } catch (error) {
    // some network and shared-folder file systems have no such operation, and nothing better to offer
    if (!NO_DIRECTORY_SYNC_CODES.has(errorCodeOf(error) ?? "")) throw error;
  } finally {
    await handle.close();
  }
}

function openFile(handle: FileHandle): OpenFile {
  return {
    write(position, bytes) {
      let written = 0;
      while (written < bytes.length) {
        written += writeSync(handle.fd, bytes, written, bytes.length - written, position + written);
      }
    },
    async read(position, target) {
      let filled = 0;
      while (filled < target.length) {
        const { bytesRead } = await handle.read(target, filled, target.length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    sizeBytes: async () => (await handle.stat()).size,
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    syncData: () => handle.datasync(),
    close: () => handle.close(),
  };
}

const SPACE_CODES = new Set(["ENOSPC", "EDQUOT"]);

const CODE_MEANINGS: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOTDIR: "part of the path is a file, not a directory",
  EEXIST: "a file is in the way",
  EISDIR: "a directory is in the way",
  ENOTEMPTY: "a directory is in the way",
  ENOENT: "the path does not exist and cannot be created",
  ENAMETOOLONG: "the path is too long",
  EMFILE: "this process has too many open files",
  ENFILE: "the machine has too many open files",
  EIO: "the disk reports an error",
};

/**
 * Turns a failed disk operation into what a caller is told: `DiskFull` or `OutputNotWritable`, naming the path.
 * An error that did not come from a disk is returned as it is.
 */
export function asOutputError(error: unknown, path: string): unknown {
  const code = errorCodeOf(error);
  if (code === undefined || error instanceof OtaError) return error;
  const failedPath = (error as NodeJS.ErrnoException).path ?? path;
  if (SPACE_CODES.has(code)) {
    const what = code === "EDQUOT" ? "the disk quota is used up" : "no space is left on the disk";
    return new OtaError("DiskFull", `cannot write ${failedPath}: ${what} (${code})`, { cause: error, retryable: true });
  }
  const meaning = CODE_MEANINGS[code];
  const why = meaning === undefined ? code : `${meaning} (${code})`;
  return new OtaError("OutputNotWritable", `cannot write ${failedPath}: ${why}`, { cause: error });
}

function errorCodeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
