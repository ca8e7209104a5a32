/** What all groups of benchmarks share: processes, receivers, the file, and how long and how often they measure. */
import type { ReceiverTask } from "../receivers/tasks.ts";
import type { Measurement } from "./measurement.ts";
import type { Source } from "./own-server.ts";
import { watchTheft } from "./process-figures.ts";
import type { ProcessGroup } from "./process-group.ts";
import type { Receiver } from "./receiver.ts";

/** How much is measured. */
export interface Pace {
  /** Rounds of each lane. */
  readonly rounds: number;
  /** How long one device is measured in a round. */
  readonly measureMs: number;
  /** How often a measurement is made again at most, when the machine's host took the processors away. */
  readonly mostRepeats: number;
  /** How long a fleet is measured at a time, on a lane that is not expected to end. */
  readonly fleetWindowMs: number;
  /** In which rounds the fleets are measured that take longest; several times in each. */
  readonly slowFleetRounds: "first" | "firstAndLast";
  /** After so long no further round of the large fleets begins, once there were {@link LEAST_ROUNDS}. */
  readonly fleetBudgetMs: number;
  /** How many streams are created. */
  readonly creates: number;
}

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
  /** Notes that something could not be measured; the rest goes on. */
  readonly fail: (name: string, error: unknown) => void;
}

/**
 * A lane by its name, measured with each call, once or several times; rejects when it cannot be. Rounds are numbered from 0,
 * the one for warming up is -1.
 */
export type Lanes = Readonly<Record<string, (round: number) => Promise<Measurement | readonly Measurement[]>>>;

/** What was measured of each lane, a round each. */
export type Results = Record<string, Measurement[]>;

/** A spread needs so many. */
const LEAST_ROUNDS = 3;
/** A lane that failed so often is left out of the rounds that follow. */
const MOST_FAILURES = 2;
/** With more of the processor time taken away by the machine's host, a measurement is made again. */
const MOST_STOLEN_SHARE = 0.05;

/** Has a receiver measure. */
export async function measure(receiver: Receiver, task: ReceiverTask): Promise<Measurement> {
  const [measurement] = await receiver.ask(task);
  if (measurement === undefined) throw new Error(`${task.kind} measures nothing`);
  return measurement;
}

/**
 * Measures a lane in a round, again if the machine's host took processor time away meanwhile; of several attempts the one
 * with the least taken away counts. Every attempt that fails or leaves devices unfinished is told of; after a failure there
 * is no other.
 */
async function measureRound(
  run: () => Promise<Measurement | readonly Measurement[]>,
  repeats: number,
  tell: { readonly failed: (error: unknown) => void; readonly unfinished: (devices: number) => void },
): Promise<readonly Measurement[]> {
  let best: readonly Measurement[] = [];
  let leastShare = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt <= repeats && leastShare > MOST_STOLEN_SHARE; attempt++) {
    const theft = watchTheft();
    try {
      const measured = [await run()].flat();
      const unfinished = measured.reduce((sum, each) => sum + (each.unfinished ?? 0), 0);
      if (unfinished > 0) tell.unfinished(unfinished);
      const stolenShare = theft();
      if (stolenShare >= leastShare) continue;
      leastShare = stolenShare;
      best = measured.map((each) => ({ ...each, stolenShare }));
    } catch (error) {
      tell.failed(error);
      break;
    }
  }
  return best;
}

/** How lanes take turns. */
export interface Turns {
  /** {@link Pace.rounds} unless it is said. */
  readonly rounds?: number;
  /** One more round comes first and is not counted. */
  readonly warmUp?: boolean;
  /** Whether measurements are made again that the machine's host disturbed: unless it is said not to. */
  readonly repeats?: boolean;
  /** No further round begins after so long, once there were {@link LEAST_ROUNDS}. */
  readonly budgetMs?: number;
}

/** Measures every lane in each round, in turn; one that fails is reported, and the others go on. */
export async function interleave(
  { fail, lanes: wanted, pace, report }: BenchContext,
  lanes: Lanes,
  { rounds = pace.rounds, warmUp = false, repeats = true, budgetMs = Number.POSITIVE_INFINITY }: Turns = {},
): Promise<Results> {
  const startedMs = performance.now();
  const results: Results = {};
  const failures = new Map<string, number>();
  for (let round = warmUp ? -1 : 0; round < rounds; round++) {
    const roundBeganMs = performance.now();
    for (const [name, run] of Object.entries(lanes)) {
      if (wanted?.has(name) === false || (failures.get(name) ?? 0) >= MOST_FAILURES) continue;
      const measured = await measureRound(() => run(round), repeats ? pace.mostRepeats : 0, {
        unfinished: (devices) => fail(name, `${devices} devices did not finish`),
        failed: (error) => {
          failures.set(name, (failures.get(name) ?? 0) + 1);
          fail(name, error);
        },
      });
      if (round < 0 || measured.length === 0) continue;
      results[name] = [...(results[name] ?? []), ...measured.map((each) => ({ ...each, roundBeganMs }))];
    }
    report(round < 0 ? "warmed up" : `round ${round + 1} of ${rounds}`);
    if (round + 1 >= LEAST_ROUNDS && performance.now() - startedMs > budgetMs) break;
  }
  return results;
}
