/** The generator processes of a fleet: started together, each with its slice, until all have said what they came to. */
import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import type { LogLevel } from "../terminal.ts";
import type { FleetView } from "./fleet-view.ts";
import type { FromGenerator, ToGenerator } from "./generator-messages.ts";

/** How to run a plan. */
export interface GeneratorOptions {
  readonly plan: FleetPlan;
  readonly processes: number;
  readonly view: FleetView;
  readonly logLevel: LogLevel;
  /** Ends the run early; the outcomes say what happened so far. */
  readonly signal: AbortSignal;
}

/** The same file as this one's neighbour, before the build and after it. */
const GENERATOR = fileURLToPath(new URL(`./generator${extname(import.meta.url)}`, import.meta.url));
/** A small young generation: thousands of devices hold little, and a large one would be most of their memory. */
const NODE_FLAGS = ["--max-semi-space-size=4"];

/** Runs a plan in its processes; rejects when one of them dies. */
export async function runGenerators(options: GeneratorOptions): Promise<FleetOutcome[]> {
  const children: ChildProcess[] = [];
  try {
    const running = Array.from({ length: options.processes }, (_, part) => {
      const child = fork(GENERATOR, [], { serialization: "advanced", execArgv: NODE_FLAGS });
      children.push(child);
      return runSlice(child, part, options);
    });
    return await Promise.all(running);
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

function runSlice(child: ChildProcess, part: number, options: GeneratorOptions): Promise<FleetOutcome> {
  const { plan, processes, view, logLevel, signal } = options;
  const say = (message: ToGenerator): void => {
    // One that is gone is told of by its exit.
    if (child.connected) child.send(message, () => {});
  };
  const stop = (): void => say({ do: "stop" });
  return new Promise<FleetOutcome>((resolve, reject) => {
    child.on("message", (message: FromGenerator) => {
      if (message.on === "outcome") resolve(message.outcome);
      else view.show(part, message.snapshot, message.durationsMs);
    });
    child.once("error", reject);
    child.once("exit", (code, endSignal) => {
      reject(new Error(`generator process ${part} ended early: ${endSignal ?? `status ${code}`}`));
    });
    signal.addEventListener("abort", stop);
    say({ do: "run", plan, slice: { part, parts: processes }, logLevel });
    if (signal.aborted) stop();
  }).finally(() => signal.removeEventListener("abort", stop));
}
