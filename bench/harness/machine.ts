/** Where and with what a benchmark ran, and how much of the machine it had to itself. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { cpuMicroseconds, type MachineTime, machineTime, watchTheft } from "./process-figures.ts";
import { isPinned } from "./process-group.ts";

/** What is saved of the machine. */
export interface MachineFigures {
  readonly startedAt: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly pinning: string;
  /** What the agent wrote to. */
  readonly disk: string;
  /** The load average of the minute before. */
  readonly loadBefore: number;
  /** The share of the processor time spent while this ran that was other programs'. */
  readonly otherShare: number;
  /** The share of the time spent, this included, that a virtual machine's host took away. */
  readonly stolenShare: number;
}

/** Begins to watch the machine; the result, asked for at the end, tells what it saw. `directory` is on the disk in use. */
export function watchMachine(directory: string): (ownCpuUs: number) => MachineFigures {
  const startedAt = new Date().toISOString();
  const loadBefore = loadavg()[0] ?? 0;
  const before = machineTime();
  const theft = watchTheft();
  return (ownCpuUs) => ({
    startedAt,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.versions.node,
    versions: { ...packageVersions(["aedes", "mqtt"]), ...programVersions() },
    pinning: isPinned
      ? "servers pinned to core 0, receivers to core 1"
      : "not pinned: taskset and two cores are needed",
    disk: diskOf(directory),
    loadBefore,
    otherShare: Math.max(0, 1 - (ownCpuUs + cpuMicroseconds([process.pid])) / usedSince(before)),
    stolenShare: theft(),
  });
}

/** The processor time that programs had since, in microseconds. */
function usedSince(before: MachineTime): number {
  const { spentUs, stolenUs } = machineTime();
  return spentUs - before.spentUs - (stolenUs - before.stolenUs);
}

function packageVersions(names: readonly string[]): Record<string, string> {
  const read = (name: string): string =>
    JSON.parse(readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
  return Object.fromEntries(names.map((name) => [name, read(name)]));
}

function programVersions(): Record<string, string> {
  const programs = [
    { name: "mosquitto", command: "/usr/sbin/mosquitto", args: ["-h"], pattern: /version (\S+)/ },
    { name: "nginx", command: "/usr/sbin/nginx", args: ["-v"], pattern: /nginx\/(\S+)/ },
    { name: "gcc", command: "gcc", args: ["-dumpfullversion"], pattern: /(\S+)/ },
  ];
  const found = programs.map(({ name, command, args, pattern }) => {
    const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
    return [name, pattern.exec(`${stdout ?? ""}${stderr ?? ""}`)?.[1] ?? "missing"];
  });
  return Object.fromEntries(found);
}

/** The device and file system that a directory is on. */
function diskOf(directory: string): string {
  const mounts = readFileSync("/proc/mounts", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const holding = mounts.filter(([, at = ""]) => at === "/" || `${directory}/`.startsWith(`${at}/`));
  const [device = "unknown", at = "", type = ""] =
    holding.toSorted((a, b) => (a[1]?.length ?? 0) - (b[1]?.length ?? 0)).at(-1) ?? [];
  return `${device} (${type}, ${at})`;
}
