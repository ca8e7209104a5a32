/** Starts the processes of a benchmark, each on its processor, and ends every one of them, whatever happens. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { cpuMicroseconds, endedMicroseconds } from "./process-figures.ts";

/** On which processor: servers are on 0, receivers and generators on 1, a command that has both of them on both. */
export type Side = "server" | "receiver" | "both";

/** What is started. */
export interface ProcessOptions {
  readonly side: Side;
  readonly command: string;
  readonly args: readonly string[];
  /** Give it a channel for messages; only a Node process can use it, and it ends when the channel closes. */
  readonly withChannel?: boolean;
  readonly cwd?: string;
}

const CORE_OF = { server: "0", receiver: "1", both: "0,1" } as const;

/** How long a process may take to end. */
const GRACE_MS = 5_000;
/** How long a client that prints what it measured may take. */
const OUTPUT_LIMIT_MS = 60_000;

/** Whether processes are pinned: taskset is there and the machine has two processors. */
export const isPinned: boolean = availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;

/** The processes of one run of the benchmark. */
export class ProcessGroup {
  private readonly running = new Set<ChildProcess>();

  constructor() {
    process.once("exit", () => this.kill("SIGKILL"));
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        this.kill("SIGKILL");
        process.exit(signal === "SIGINT" ? 130 : 143);
      });
    }
  }

  /** Starts a process with stdout as a pipe; what it says on stderr is shown. */
  start({ side, command, args, withChannel = false, cwd }: ProcessOptions): ChildProcess {
    const pinned = isPinned ? ["taskset", "-c", CORE_OF[side], command, ...args] : [command, ...args];
    const [program = command, ...rest] = pinned;
    const child = spawn(program, rest, {
      stdio: ["ignore", "pipe", "inherit", ...(withChannel ? (["ipc"] as const) : [])],
      ...(cwd !== undefined && { cwd }),
    });
    this.running.add(child);
    child.once("exit", () => this.running.delete(child));
    child.once("error", () => this.running.delete(child));
    return child;
  }

  /** Starts one of this project's own programs in Node, with a channel. */
  startNode(side: Side, file: string, args: readonly string[] = [], nodeArgs: readonly string[] = []): ChildProcess {
    const profiling =
      process.env.BENCH_CPU_PROF === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${process.env.BENCH_CPU_PROF}`];
    return this.start({
      side,
      command: process.execPath,
      args: [...profiling, ...nodeArgs, file, ...args],
      withChannel: true,
    });
  }

  /** The processor time of all processes so far, of those that ended with all that they started. */
  cpuMicroseconds(): number {
    return endedMicroseconds() + cpuMicroseconds([...this.running].flatMap(({ pid }) => pid ?? []));
  }

  /** Ends processes of this group by their ids, and waits for it. */
  async end(pids: readonly number[]): Promise<void> {
    const ending = [...this.running].filter(({ pid }) => pid !== undefined && pids.includes(pid));
    await Promise.all(ending.map(endProcess));
  }

  /** Ends all that is running and waits for it. */
  async close(): Promise<void> {
    await Promise.all([...this.running].map(endProcess));
  }

  private kill(signal: NodeJS.Signals): void {
    for (const child of this.running) child.kill(signal);
  }
}

/** Ends one process and waits for it; one that does not end by itself is killed. */
async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const impatient = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
  await ended;
  clearTimeout(impatient);
}

/** The first line on stdout that `isReady` accepts; rejects when the process ends before. The rest is read and dropped. */
export function readyLine(child: ChildProcess, isReady: (line: string) => boolean): Promise<string> {
  const stdout = child.stdout;
  if (stdout === null) throw new Error("the process has no stdout to be ready on");
  return new Promise((resolve, reject) => {
    createInterface({ input: stdout }).on("line", (line) => {
      if (isReady(line)) resolve(line);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${child.spawnargs.join(" ")} ended with status ${code}`)));
  });
}

/** All of a process's stdout once it has ended well; one that does not end in a minute is killed. */
export async function outputOf(child: ChildProcess): Promise<string> {
  let output = "";
  const impatient = setTimeout(() => child.kill("SIGKILL"), OUTPUT_LIMIT_MS);
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(impatient);
  if (code !== 0) throw new Error(`${child.spawnargs.join(" ")} ended with status ${code}`);
  return output;
}
