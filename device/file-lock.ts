/**
 * A lock between processes, made of file names only, that a killed process or a power cut cannot leave behind.
 *
 * Each contender creates a file named after itself, `<path>.<pid>-<start>-<boot>`, and then looks for others. Whoever
 * sees a living other gives way, so two never hold the lock; two that start at the same instant may both give way. A name
 * whose process is gone belongs to nobody and is removed; nobody else can ever have that name, so nothing else is lost.
 */
import { readFileSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";

const heldHere = new Set<string>();
let ownName: string | undefined;

/**
 * Takes the lock at `path`, in an existing directory; `heldBy` says who has it instead. Processes in different
 * process-id namespaces (containers that share a directory) do not see one another.
 */
export async function acquireFileLock(path: string): Promise<{ release(): Promise<void> } | { heldBy: string }> {
  ownName ??= nameProcess(process.pid) ?? `${process.pid}-0-0`;
  const ownPath = `${resolve(path)}.${ownName}`;
  if (heldHere.has(ownPath)) return { heldBy: "this process" };
  heldHere.add(ownPath);
  try {
    await (await open(ownPath, "w")).close();
    const holder = await findLivingHolder(path, ownName);
    if (holder === undefined) return { release: () => releaseLock(ownPath) };
    await releaseLock(ownPath);
    return { heldBy: `process ${holder}` };
  } catch (error) {
    heldHere.delete(ownPath);
    throw error;
  }
}

async function releaseLock(ownPath: string): Promise<void> {
  await rm(ownPath, { force: true });
  heldHere.delete(ownPath);
}

async function findLivingHolder(path: string, ownName: string): Promise<number | undefined> {
  const prefix = `${basename(path)}.`;
  const directory = dirname(path);
  for (const name of await readdir(directory)) {
    const owner = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    const pid = /^(\d+)-\d+-[0-9a-f]+$/.exec(owner)?.[1];
    if (pid === undefined || owner === ownName) continue;
    if (isAlive(Number(pid), owner)) return Number(pid);
    await rm(`${directory}/${name}`, { force: true });
  }
  return undefined;
}

function isAlive(pid: number, owner: string): boolean {
  const current = nameProcess(pid);
  if (current !== undefined) return current === owner;
  if (process.platform === "linux") return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * A name no other process ever has: its id, when it started, and in which boot of the machine. Undefined when there is
 * no such process, when it has ended and only waits to be collected, or where the system does not tell.
 */
function nameProcess(pid: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8);
    return `${pid}-${fields[19]}-${boot}`;
  } catch {
    return undefined;
  }
}
