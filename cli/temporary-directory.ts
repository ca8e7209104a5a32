/** A directory for what a command does not keep. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OtaError } from "../shared/protocol/errors.ts";

/** Makes a directory that nobody else has, named after `command`. Rejects with OtaError `OutputNotWritable`. */
export function makeTemporaryDirectory(command: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `otastream-${command}-`)).catch((cause: NodeJS.ErrnoException) => {
    const message = `${tmpdir()}, the directory for temporary files, cannot be written: ${cause.code ?? cause.message}`;
    throw new OtaError("OutputNotWritable", message, { cause });
  });
}
