/** What an upload reads its bytes from: a file on disk, or memory. */
import { constants, promises as fs } from "node:fs";
import { OtaError } from "../../shared/protocol/errors.ts";

/** What to upload: a file by its path, or bytes. */
export type UploadSource = { readonly key: string } & ({ readonly path: string } | { readonly bytes: Uint8Array });

/** A source whose size is known and whose bytes can be read from any offset. */
export interface OpenSource {
  readonly key: string;
  readonly sizeBytes: number;
  /** Rejects with OtaError `FileNotReadable` when the file became shorter. */
  read(offset: number, lengthBytes: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a source. Rejects with OtaError `FileNotReadable`, which names the path, for anything but a readable regular file. */
export async function openSource(file: UploadSource): Promise<OpenSource> {
  if ("bytes" in file) {
    const { key, bytes } = file;
    const read = async (offset: number, lengthBytes: number) => bytes.subarray(offset, offset + lengthBytes);
    return { key, sizeBytes: bytes.length, read, close: async () => {} };
  }
  const { key, path } = file;
  // A pipe must be refused, not waited for.
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw fileNotReadable(path, error);
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new OtaError("FileNotReadable", `${path} is not a regular file`);
    const read = (offset: number, lengthBytes: number) => readRange(handle, path, offset, lengthBytes);
    return { key, sizeBytes: stat.size, read, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readRange(
  handle: fs.FileHandle,
  path: string,
  offset: number,
  lengthBytes: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const { bytesRead } = await handle.read(bytes, filled, lengthBytes - filled, offset + filled).catch((error) => {
      throw fileNotReadable(path, error);
    });
    if (bytesRead === 0) throw new OtaError("FileNotReadable", `${path} became shorter while it was read`);
    filled += bytesRead;
  }
  return bytes;
}

function fileNotReadable(path: string, error: unknown): OtaError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "permission denied" : message;
  return new OtaError("FileNotReadable", `${path} cannot be read: ${reason}`, { cause: error });
}
