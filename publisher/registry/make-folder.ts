/** Creates a folder with its parents. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Creates the folder at `path`, an absolute path, and what is missing above it; one that is there is fine. Throws the
 * system's error. Node's own recursive `mkdirSync` never returns under a parent that exists and answers ENOENT, as
 * /proc does.
 */
export function makeFolder(path: string): void {
  if (tryMakeFolder(path)) return;
  makeFolder(dirname(path));
  if (!tryMakeFolder(path)) throw new Error(`ENOENT: no folder can be made at ${path}`);
}

/** Says false when something above is missing. */
function tryMakeFolder(path: string): boolean {
  try {
    mkdirSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return false;
    if (code !== "EEXIST") throw error;
  }
  return true;
}
