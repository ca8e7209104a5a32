/** What all groups of benchmarks share: processes, receivers, the file, and how long and how often they measure. */
import { fileURLToPath } from "node:url";
import type { ReceiverTask } from "../receivers/tasks.ts";
import { Channel } from "./channel.ts";
import type { Measurement } from "./measurement.ts";
import type { Source } from "./own-server.ts";
import type { ProcessGroup } from "./process-group.ts";

/** How much is measured. */
export interface Pace {
  readonly isQuick: boolean;
  /** Rounds of each lane. */
  readonly rounds: number;
  /** How long one device is measured in a round. */
  readonly measureMs: number;
  /** How long a fleet may take, on a lane that is not expected to end. */
  readonly fleetWindowMs: number;
}

/** A receiver's process. */
export type Receiver = Channel<ReceiverTask, Measurement | undefined>;

/** The surroundings of a group. */
export interface BenchContext {
  readonly group: ProcessGroup;
  readonly pace: Pace;
  /** Temporary, on the disk that the agent writes to. */
  readonly directory: string;
  /** 2 MiB. */
  readonly source: Source;
  /** Only these lanes; all when absent. */
  readonly lanes?: ReadonlySet<string>;
  readonly report: (line: string) => void;
}

/** A lane by its name, measured once with each call; rejects when it cannot be. */
export type Lanes = Readonly<Record<string, () => Promise<Measurement>>>;

/** What was measured of each lane, a round each. */
export type Results = Record<string, Measurement[]>;

const WORKER = fileURLToPath(new URL("../receivers/receiver-worker.ts", import.meta.url));

/** Starts a receiver's process. */
export function startReceiver(group: ProcessGroup): Receiver {
  return new Channel(group.startNode("receiver", WORKER));
}

/** Has a receiver measure. */
export async function measure(receiver: Receiver, task: ReceiverTask): Promise<Measurement> {
  const measurement = await receiver.ask(task);
  if (measurement === undefined) throw new Error(`${task.kind} measures nothing`);
  return measurement;
}

/** Measures every lane once in each round, in turn; with `warmUp`, one more round comes first and is not counted. */
export async function interleave(context: BenchContext, lanes: Lanes, warmUp: boolean): Promise<Results> {
  const results: Results = {};
  for (let round = warmUp ? -1 : 0; round < context.pace.rounds; round++) {
    for (const [name, run] of Object.entries(lanes)) {
      if (context.lanes?.has(name) === false) continue;
      const measurement = await run();
      if (round >= 0) results[name] = [...(results[name] ?? []), measurement];
    }
    context.report(round < 0 ? "warmed up" : `round ${round + 1} of ${context.pace.rounds}`);
  }
  return results;
}
