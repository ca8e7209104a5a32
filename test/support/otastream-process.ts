/** The program `otastream` as a child process: run to its end, or started and watched line by line. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** The root of the repo. */
const ROOT = join(import.meta.dirname, "../..");
const PROGRAM = join(ROOT, "cli/main.ts");

/** What a run left behind. */
export interface ProgramRun {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where and how a program runs. */
export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Start it through `npm run -s otastream --`. */
  readonly throughNpm?: boolean;
}

const running = new Set<OtastreamProcess>();

/** Kills what a test left running; for `afterEach` or `afterAll`. */
export async function killLeftovers(): Promise<void> {
  for (const process of running) await process.stop("SIGKILL");
}

/** A running program. */
export class OtastreamProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  /** Resolves once the program has ended and its output is read. */
  readonly ended: Promise<ProgramRun>;
  private readonly events = new EventEmitter().setMaxListeners(0);
  private isEnded = false;

  constructor(args: readonly string[], { cwd = tmpdir(), env = {}, throughNpm = false }: StartOptions = {}) {
    const [program, first] = throughNpm ? ["npm", ["run", "-s", "otastream", "--"]] : [process.execPath, [PROGRAM]];
    this.child = spawn(program, [...first, ...args], {
      cwd: throughNpm ? ROOT : cwd,
      env: { ...cleanEnvironment(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(this);
    this.collect(this.child.stdout, this.stdout);
    this.collect(this.child.stderr, this.stderr);
    this.ended = once(this.child, "close").then(([status]) => {
      this.isEnded = true;
      running.delete(this);
      this.events.emit("line");
      return { status, stdout: textOf(this.stdout), stderr: textOf(this.stderr) };
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Resolves with the first line of stdout, past or future, that matches. Rejects when the program ends without it. */
  stdoutLine(pattern: RegExp): Promise<string> {
    return this.line(this.stdout, pattern);
  }

  /** The same for stderr. */
  stderrLine(pattern: RegExp): Promise<string> {
    return this.line(this.stderr, pattern);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ProgramRun> {
    this.child.kill(signal);
    return this.ended;
  }

  private collect(stream: Readable, lines: string[]): void {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      this.events.emit("line");
    });
  }

  private async line(lines: readonly string[], pattern: RegExp): Promise<string> {
    for (;;) {
      const found = lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.isEnded) {
        throw new Error(`ended before a line like ${pattern}\n${textOf(this.stdout)}\n${textOf(this.stderr)}`);
      }
      await once(this.events, "line");
    }
  }
}

/** Runs the program to its end. */
export function runOtastream(args: readonly string[], options: StartOptions = {}): Promise<ProgramRun> {
  return new OtastreamProcess(args, options).ended;
}

/** Addresses of a running `serve`, as its ready line has them. */
export interface ServerUrls {
  readonly ready: true;
  readonly mqtt: string;
  readonly ws: string;
  readonly http: string;
  readonly s3: string;
}

/** A running `serve --json`. */
export interface ServeProcess {
  readonly urls: ServerUrls;
  readonly process: OtastreamProcess;
}

/** Flags that let every door pick a free port. */
export const FREE_PORTS = ["--mqtt-port", "0", "--ws-port", "0", "--http-port", "0", "--s3-port", "0"] as const;

/** Starts `serve` on free ports; resolves once it says that it is ready. Later flags win. */
export async function startServe(
  dataDir: string,
  flags: readonly string[] = [],
  options: StartOptions = {},
): Promise<ServeProcess> {
  const process = new OtastreamProcess(["serve", "--json", ...FREE_PORTS, "--data-dir", dataDir, ...flags], options);
  const line = await process.stdoutLine(/^/);
  return { urls: JSON.parse(line) as ServerUrls, process };
}

/** The process ids of a process's children, and of theirs. */
export function descendantsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  const pids = children === "" ? [] : children.split(" ").map(Number);
  return pids.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Says whether a process exists that has not ended. */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** The addresses a process listens on, as the operating system has them: hexadecimal `ADDRESS:PORT`, sorted. */
export function listeningOn(pid: number): string[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap(
      (fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
    ),
  );
  const sockets = ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "latin1").trim().split("\n").slice(1),
  );
  const columns = sockets.map((line) => line.trim().split(/\s+/));
  // The fourth column is the state, 0A for listening; the tenth is the inode.
  return columns.flatMap(([, local = "", , state, , , , , , inode = ""]) =>
    state === "0A" && own.has(inode) ? [local] : [],
  );
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Nothing of the person's own AWS settings and proxies reaches the program. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^AWS_|_proxy$|^NODE_/i.test(name));
  return { ...Object.fromEntries(kept), AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" };
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
