/** The report of a fleet's run: its documented JSON form, from what the processes came back with. No IO. */
import type { DeviceOutcome, FaultCounts, FleetOutcome, FleetSnapshot, HeatRow } from "./fleet-outcome.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import { countFailures, type FailureGroup } from "./report/failure-groups.ts";
import { completionTimes, mergeDevices, mergeHeat } from "./report/merge-devices.ts";
import { mergeTimelines } from "./report/merge-timelines.ts";
import { nearestRank } from "./report/nearest-rank.ts";
import { describeLimits } from "./report/run-limits.ts";

/** Rises when a field changes its meaning or goes; new fields leave it. */
export const REPORT_SCHEMA_VERSION = 1;

/** What is known of a run besides its outcome. */
export interface FleetRunFacts {
  /** The command that repeats the run. */
  readonly command: string;
  /** Left out of the report of a virtual run, which is the same on every machine. */
  readonly machine?: {
    readonly startedAt: string;
    readonly cpus: string;
    readonly memoryGibibytes: number;
    readonly system: string;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly isVirtual: boolean;
  /** Ended by a person or a signal before every device had ended. */
  readonly interrupted: boolean;
  /** What went wrong with the run's processes and its machine, in words; none when absent. */
  readonly incidents?: readonly string[];
  /** Of the server that the run started itself. */
  readonly server?: { readonly cpuMs: number; readonly idleBytes: number; readonly peakBytes: number };
}

/** The report, version {@link REPORT_SCHEMA_VERSION}. */
export interface FleetReport {
  readonly schemaVersion: typeof REPORT_SCHEMA_VERSION;
  readonly devices: number;
  readonly completed: number;
  readonly failed: number;
  /**
   * Payload bytes sent to devices over the bytes they kept; 1 is the least. Devices that were cut short are left out.
   * Null when no other kept any.
   */
  readonly redundancy: number | null;
  /** From the first device's beginning, or from the moment when all began together, to the last one's end. */
  readonly seconds: number;
  /** Verified bytes, 1e6 a megabyte, over `seconds`. */
  readonly megabytesPerSecond: number;
  /** Of the devices that completed, from each one's own beginning; null when none did. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Over the generator's idle size; null on a virtual clock. */
  readonly peakBytesPerDevice: number | null;
  readonly seed: number;
  readonly command: string;
  readonly interrupted: boolean;
  /** What held the run up or ran out, in words with figures; the generator is named when it was the bottleneck. */
  readonly limits: readonly string[];
  readonly plan: Omit<FleetPlan, "brokerUrl" | "diskDirectory">;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine?: FleetRunFacts["machine"];
  readonly server?: FleetRunFacts["server"];
  /** Share of one core that each generator process used, about 0-1 (its helper threads count too); empty on a virtual clock. */
  readonly generatorCpuShares: readonly number[];
  readonly generatorMicrosecondsPerBlock: number | null;
  readonly requests: number;
  readonly duplicates: number;
  readonly timeouts: number;
  readonly faults: FaultCounts;
  /** Failures by code, the most frequent first: how many, one message, and the first 20 names. */
  readonly failures: readonly FailureGroup[];
  readonly timeline: readonly FleetSnapshot[];
  readonly heat: readonly HeatRow[];
  readonly perDevice: readonly DeviceOutcome[];
}

/**
 * Builds the report of a run from the outcomes of its processes; the same input gives the same report, to the byte. A
 * device of the plan that no process speaks of counts as failed, under the code `Unreported`.
 */
export function buildReport(plan: FleetPlan, outcomes: readonly FleetOutcome[], facts: FleetRunFacts): FleetReport {
  const { brokerUrl: _broker, diskDirectory: _disk, ...sharedPlan } = plan;
  const perDevice = mergeDevices(outcomes, plan.thingPrefix);
  const durationMs = Math.max(0, ...outcomes.map((outcome) => outcome.durationMs));
  const beganMs = beginningOf(outcomes, perDevice, durationMs);
  const completed = perDevice.filter((device) => device.failure === undefined);
  const times = completionTimes(perDevice);
  const seconds = round((durationMs - beganMs) / 1000);
  // What was on its way when a device was cut short is neither kept nor wasted.
  const whole = perDevice.filter((device) => device.failure?.code !== "Unfinished");
  const keptBytes = sumOf(whole, (device) => device.bytes);
  const verifiedBytes = sumOf(completed, (device) => device.bytes);
  const isMeasured = !facts.isVirtual && outcomes.every((outcome) => outcome.cpuMs !== undefined);
  const generatorCpuShares = isMeasured ? outcomes.map(cpuShare) : [];
  const blocks = sumOf(perDevice, (device) => device.blocks);
  return {
    schemaVersion: REPORT_SCHEMA_VERSION,
    devices: plan.devices,
    completed: completed.length,
    failed: plan.devices - completed.length,
    redundancy: keptBytes === 0 ? null : round(sumOf(whole, (device) => device.sentBytes) / keptBytes),
    seconds,
    megabytesPerSecond: seconds === 0 ? 0 : round(verifiedBytes / 1e6 / seconds),
    p50Ms: nearestRank(times, 50),
    p99Ms: nearestRank(times, 99),
    peakBytesPerDevice: facts.isVirtual ? null : peakBytesPerDevice(outcomes, plan.devices),
    seed: plan.seed,
    command: facts.command,
    interrupted: facts.interrupted,
    limits: describeLimits({
      planned: plan.devices,
      devices: perDevice,
      outcomes,
      generatorCpuShares,
      serverCpuShare: serverCpuShare(outcomes, facts),
      interrupted: facts.interrupted,
      incidents: facts.incidents ?? [],
    }),
    plan: sharedPlan,
    versions: facts.versions,
    ...(facts.machine && !facts.isVirtual ? { machine: facts.machine } : {}),
    ...(facts.server ? { server: facts.server } : {}),
    generatorCpuShares,
    generatorMicrosecondsPerBlock:
      isMeasured && blocks > 0 ? round((sumOf(outcomes, (outcome) => outcome.cpuMs ?? 0) * 1000) / blocks) : null,
    requests: sumOf(perDevice, (device) => device.requests),
    duplicates: sumOf(perDevice, (device) => device.duplicates),
    timeouts: sumOf(perDevice, (device) => device.timeouts),
    faults: mergeFaults(outcomes),
    failures: countFailures(plan, perDevice),
    timeline: mergeTimelines(outcomes.map((outcome) => outcome.timeline)),
    heat: mergeHeat(outcomes, perDevice, durationMs),
    perDevice,
  };
}

/** Devices that failed to connect began before those that were let go together, and count for nothing here. */
function beginningOf(outcomes: readonly FleetOutcome[], devices: readonly DeviceOutcome[], durationMs: number): number {
  const releases = outcomes.flatMap(({ releasedMs }) => releasedMs ?? []);
  const beginnings = releases.length > 0 ? releases : devices.map(({ startedMs }) => startedMs);
  return beginnings.reduce((least, atMs) => Math.min(least, atMs), durationMs);
}

function cpuShare({ cpuMs = 0, durationMs, releasedMs = 0 }: FleetOutcome): number {
  return durationMs <= releasedMs ? 0 : round(cpuMs / (durationMs - releasedMs));
}

/** Over the time of the process that took longest. */
function serverCpuShare(outcomes: readonly FleetOutcome[], { server }: FleetRunFacts): number {
  const tookMs = outcomes.map(({ durationMs, releasedMs = 0 }) => durationMs - releasedMs);
  const longestMs = tookMs.reduce((longest, ms) => Math.max(longest, ms), 0);
  return server === undefined || longestMs === 0 ? 0 : server.cpuMs / longestMs;
}

/** What all processes grew by, at each one's highest, over the devices; null when a process did not measure it. */
function peakBytesPerDevice(outcomes: readonly FleetOutcome[], devices: number): number | null {
  let grownBytes = 0;
  for (const { memory } of outcomes) {
    if (memory === undefined) return null;
    grownBytes += Math.max(0, memory.peakBytes - memory.idleBytes);
  }
  return outcomes.length === 0 ? null : Math.round(grownBytes / devices);
}

function mergeFaults(outcomes: readonly FleetOutcome[]): FaultCounts {
  const counts = new Map<string, number>();
  for (const { faults } of outcomes) {
    for (const [name, count] of Object.entries(faults)) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sumOf<Item>(items: readonly Item[], countOf: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + countOf(item), 0);
}

/** Six significant digits: what a person compares, and no more. */
function round(value: number): number {
  return Number(value.toPrecision(6));
}
