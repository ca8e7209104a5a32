/** What the operating system's books say of processes: processor time, memory, and the kernel's memory for sockets. */
import { readdirSync, readFileSync } from "node:fs";
import { readTcpBytes } from "../../broker/kernel-queues.ts";

/** In which the kernel counts. */
const TICK_US = 10_000;

/** The time that processes have spent on a processor, all threads together, in microseconds; one that is gone counts 0. */
export function cpuMicroseconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOfOne(pid), 0);
}

function cpuOfOne(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0]) / 1000)
      .reduce((sum, each) => sum + each, 0);
  } catch {
    return 0;
  }
}

/** The processor time of what this process started and what that started, as far as it has ended, in microseconds, to 10,000. */
export function endedMicroseconds(): number {
  // The name in parentheses may have spaces; the fields behind it begin with the third.
  const fields = readFileSync("/proc/self/stat", "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  const [userTicks = 0, systemTicks = 0] = fields.slice(13, 15).map(Number);
  return (userTicks + systemTicks) * TICK_US;
}

/** The memory of a process that is in RAM, in bytes; 0 when it is gone. */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** What the kernel has set aside for all TCP sockets of the machine, in bytes. */
export function kernelSocketBytes(): number {
  return readTcpBytes() ?? 0;
}

/** What the processors of the whole machine have done so far, in microseconds, to 10,000. */
export interface MachineTime {
  /** Spent on anything, what was taken away included. */
  readonly spentUs: number;
  /** Taken away from a virtual machine by its host, while there was something to do. */
  readonly stolenUs: number;
}

/** Reads the kernel's books of the whole machine. */
export function machineTime(): MachineTime {
  const line = readFileSync("/proc/stat", "latin1").split("\n", 1)[0] ?? "";
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { spentUs: (user + nice + system + irq + softirq + stolen) * TICK_US, stolenUs: stolen * TICK_US };
}

/**
 * Begins to watch what the machine's host takes away; the result tells which share of the spent processor time that was so
 * far. A single tick is as good as none.
 */
export function watchTheft(): () => number {
  const before = machineTime();
  return () => {
    const { spentUs, stolenUs } = machineTime();
    return stolenUs - before.stolenUs <= TICK_US ? 0 : (stolenUs - before.stolenUs) / (spentUs - before.spentUs);
  };
}
