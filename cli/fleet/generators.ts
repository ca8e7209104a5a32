/** The generator processes of a fleet: started together, each with its slice, until all have said what they came to. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import type { LogLevel } from "../terminal.ts";
import { describeEnd, forkOwn } from "./child-process.ts";
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
  /** Called when the devices of a plan that begin together are about to. */
  readonly onBegin: () => unknown;
  /** What each process does first, so often, and nobody counts, names of its own added to its things; and what is called after it. */
  readonly warmUp?: { readonly plan: FleetPlan; readonly rounds: number; readonly done: () => Promise<unknown> };
}

type WarmUp = NonNullable<GeneratorOptions["warmUp"]>;

/** What the processes came back with. */
export interface GeneratorResults {
  readonly outcomes: readonly FleetOutcome[];
  /** Which of them came back with nothing, in words. */
  readonly incidents: readonly string[];
}

/** The same file as this one's neighbour, before the build and after it. */
const GENERATOR = fileURLToPath(new URL(`./generator${extname(import.meta.url)}`, import.meta.url));
/**
 * Thousands of devices hold little, and what they threw away would be most of their memory. So the young generation is
 * small, of two halves of 8 MiB, but has that size from the beginning: a smaller one moves what is thrown away soon to the
 * old one. And the old one is cleaned when it has grown by a fifth (by up to four times otherwise), but not below 64 MiB,
 * which a thousand devices do not need: to go through it is a tenth of what they cost.
 */
const NODE_FLAGS = [
  "--min-semi-space-size=8",
  "--max-semi-space-size=8",
  "--initial-old-space-size=64",
  "--heap-growing-percent=20",
];

/** Runs a plan in its processes; what becomes of one of them is lost alone. */
export async function runGenerators(options: GeneratorOptions): Promise<GeneratorResults> {
  const generators = new Generators(options);
  try {
    return await generators.run();
  } finally {
    generators.kill();
  }
}

class Generators {
  private readonly options: GeneratorOptions;
  private readonly children: readonly ChildProcess[];
  /** Settled when a process is gone; rejected when it could not be started. Its last message comes before. */
  private readonly ends: ReadonlyMap<ChildProcess, Promise<unknown>>;
  private readonly incidents: string[] = [];
  /** Processes whose devices are not all connected, or failed to. */
  private readonly gathering: Set<ChildProcess>;

  constructor(options: GeneratorOptions) {
    this.options = options;
    this.children = Array.from({ length: options.processes }, () => forkOwn(GENERATOR, NODE_FLAGS));
    this.ends = new Map(this.children.map((child) => [child, endOf(child)]));
    this.gathering = new Set(this.children);
  }

  async run(): Promise<GeneratorResults> {
    const { signal } = this.options;
    const stop = (): void => this.tellAll({ do: "stop" });
    signal.addEventListener("abort", stop);
    try {
      if (signal.aborted) stop();
      await this.warmUp();
      const running = this.children.map((child, part) => this.runSlice(child, part));
      const outcomes = await Promise.all(running);
      return { outcomes: outcomes.filter((outcome) => outcome !== undefined), incidents: this.incidents };
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** One that ends meanwhile is told of by the run. */
  private async warmUp(): Promise<void> {
    const { warmUp } = this.options;
    if (warmUp === undefined) return;
    await Promise.all(this.children.map((child, part) => this.warm(child, warmUp, part)));
    await warmUp.done();
  }

  private async warm(child: ChildProcess, { plan, rounds }: WarmUp, part: number): Promise<void> {
    const isWarm = Promise.withResolvers<void>();
    const hear = (message: FromGenerator): void => {
      if (message.on === "warm") isWarm.resolve();
    };
    child.on("message", hear);
    tellChild(child, { do: "warmUp", rounds, plan: { ...plan, thingPrefix: `${plan.thingPrefix}-${part}` } });
    await Promise.race([isWarm.promise, this.ends.get(child)?.catch(() => {})]);
    child.off("message", hear);
  }

  kill(): void {
    for (const child of this.children) child.kill("SIGKILL");
  }

  /** Resolves with undefined when the process ends without a word. */
  private async runSlice(child: ChildProcess, part: number): Promise<FleetOutcome | undefined> {
    const { plan, processes, view, logLevel } = this.options;
    const outcome = Promise.withResolvers<FleetOutcome | undefined>();
    child.on("message", (message: FromGenerator) => {
      if (message.on === "outcome") outcome.resolve(message.outcome);
      else if (message.on === "gathered") this.noteGathered(child);
      else if (message.on === "snapshot") view.show(part, message.snapshot, message.durationsMs);
    });
    this.ends.get(child)?.then(() => outcome.resolve(undefined), outcome.reject);
    tellChild(child, { do: "run", plan, slice: { part, parts: processes }, logLevel });
    const told = await outcome.promise;
    if (told === undefined) {
      this.incidents.push(`generator process ${part + 1} of ${processes} ended early, ${describeEnd(child)}`);
      this.noteGathered(child);
    }
    return told;
  }

  /** Lets all devices begin when those of every process are ready. */
  private noteGathered(child: ChildProcess): void {
    if (!this.gathering.delete(child) || this.gathering.size > 0) return;
    this.options.onBegin();
    this.tellAll({ do: "begin" });
  }

  private tellAll(message: ToGenerator): void {
    for (const child of this.children) tellChild(child, message);
  }
}

/** Its last message may come after its exit, and never after its disconnect. */
async function endOf(child: ChildProcess): Promise<void> {
  child.on("error", () => {});
  await Promise.all([once(child, "exit"), once(child, "disconnect")]);
}

function tellChild(child: ChildProcess, message: ToGenerator): void {
  // One that is gone is told of by its exit.
  if (child.connected) child.send(message, () => {});
}
