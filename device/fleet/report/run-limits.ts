/** What held a run up or ran out, in words a person can act on. No IO. */
import type { DeviceOutcome, FleetOutcome } from "../fleet-outcome.ts";

/** What limits are found in. */
export interface LimitFacts {
  /** Devices of the plan. */
  readonly planned: number;
  readonly devices: readonly DeviceOutcome[];
  readonly outcomes: readonly FleetOutcome[];
  readonly generatorCpuShares: readonly number[];
  /** Of one core; 0 where the server is somebody else's. */
  readonly serverCpuShare: number;
  readonly interrupted: boolean;
  /** What went wrong with the run's processes and its machine, in words. */
  readonly incidents: readonly string[];
}

/** Share of one core above which a process is taken to have held the devices up. */
const BUSY_SHARE = 0.9;
/** A shorter run is mostly a process's first steps, which are always busy. */
const LEAST_MEASURED_MS = 1_000;

/** Sentences without repetition: what ran out first, then the busy processes, then what cut the run short. */
export function describeLimits(facts: LimitFacts): string[] {
  const { planned, devices, outcomes, generatorCpuShares, serverCpuShare, interrupted, incidents } = facts;
  const limits = [...outcomes.flatMap((outcome) => outcome.exhausted), ...incidents];
  if (outcomes.some(({ durationMs, releasedMs = 0 }) => durationMs - releasedMs >= LEAST_MEASURED_MS)) {
    limits.push(...describeBottlenecks(generatorCpuShares, serverCpuShare));
  }
  if (interrupted) {
    const unfinished = devices.filter((device) => device.failure?.code === "Unfinished").length;
    limits.push(`the run was interrupted: ${unfinished} of ${planned} devices had not ended`);
  }
  const missing = planned - devices.length;
  if (missing > 0) {
    limits.push(`${missing} of ${planned} devices are not reported: their process ended early; they count as failed`);
  }
  return [...new Set(limits)];
}

function describeBottlenecks(shares: readonly number[], serverShare: number): string[] {
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const busy = shares.filter((share) => share > BUSY_SHARE).map(percent);
  const advice = `use --processes ${shares.length + 1} or fewer devices`;
  const ofGenerator =
    shares.length === 1
      ? `the generator was the bottleneck: it used ${busy[0]} of its core; ${advice}`
      : `the generator was the bottleneck: ${busy.length} of its ${shares.length} processes used more than 90 % of a core (${busy.join(", ")}); ${advice}`;
  const ofServer = `the server was the bottleneck: it used ${percent(serverShare)} of a core`;
  return [...(busy.length > 0 ? [ofGenerator] : []), ...(serverShare > BUSY_SHARE ? [ofServer] : [])];
}
