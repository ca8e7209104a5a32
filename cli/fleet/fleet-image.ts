/** The file that a fleet fetches from a server of its own: somebody's, or random bytes from the seed. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OtaError } from "../../shared/protocol/errors.ts";
import { HIGHEST_MAX_FILE_BYTES } from "../../shared/protocol/limits.ts";
import { seededRandom } from "../../shared/random.ts";
import type { FleetFlags } from "./fleet-flags.ts";

/** A file and its bytes. */
export interface FleetImage {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly sizeBytes: number;
}

const DEFAULT_BYTES = 262_144;

/** Reads or makes the file. Rejects with OtaError `FileNotReadable` or `FileTooLarge`. */
export async function makeImage({ file, size, seed }: FleetFlags, directory: string): Promise<FleetImage> {
  if (file !== undefined) {
    const bytes = await readImage(file);
    return { path: file, bytes, sizeBytes: bytes.length };
  }
  const bytes = randomBytes(size ?? DEFAULT_BYTES, seed);
  const path = join(directory, "image");
  await writeFile(path, bytes);
  return { path, bytes, sizeBytes: bytes.length };
}

/** Stock clients take version 0 for "none given": streams that they fetch begin at 1. */
export function firstStreamVersion({ client }: FleetFlags): 0 | 1 {
  return client.some(({ name }) => name !== "otastream") ? 1 : 0;
}

async function readImage(path: string): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    const { size } = found;
    if (!found.isFile()) throw new Error("it is not a regular file");
    if (size === 0) throw new Error("it is empty");
    if (size > HIGHEST_MAX_FILE_BYTES) {
      throw new OtaError("FileTooLarge", `--file ${path} must have 1 to ${HIGHEST_MAX_FILE_BYTES} bytes, not ${size}`);
    }
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof OtaError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new OtaError("FileNotReadable", `--file ${path} cannot be read: ${code ?? message}`, { cause });
  }
}

function randomBytes(sizeBytes: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const words = Uint32Array.from({ length: Math.ceil(sizeBytes / 4) }, () => random.uint32());
  return new Uint8Array(words.buffer, 0, sizeBytes);
}
