/** Failures of a fleet by their code. No IO. */
import type { DeviceOutcome } from "../fleet-outcome.ts";
import type { FleetPlan } from "../fleet-plan.ts";

/** How many devices are named for each code. */
const NAMES = 20;

/** What one code of failure came to. */
export interface FailureGroup {
  /** An `OtaErrorCode`, `Unfinished`, or `Unreported`. */
  readonly code: string;
  readonly count: number;
  /** Of the first device. */
  readonly message: string;
  /** The first 20 names, by index. */
  readonly things: readonly string[];
}

/** Groups the failures of `devices`, the largest group first; devices of the plan that are not among them are `Unreported`. */
export function countFailures(plan: FleetPlan, devices: readonly DeviceOutcome[]): FailureGroup[] {
  const groups = new Map<string, { code: string; count: number; message: string; things: string[] }>();
  for (const { thing, failure } of devices) {
    if (failure === undefined) continue;
    const group = groups.get(failure.code) ?? { code: failure.code, count: 0, message: failure.message, things: [] };
    groups.set(failure.code, group);
    group.count++;
    if (group.things.length < NAMES) group.things.push(thing);
  }
  const missing = plan.devices - devices.length;
  if (missing > 0) {
    const message = "its process ended without telling what became of it";
    groups.set("Unreported", { code: "Unreported", count: missing, message, things: unreportedThings(plan, devices) });
  }
  return [...groups.values()].sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1));
}

function unreportedThings(plan: FleetPlan, devices: readonly DeviceOutcome[]): string[] {
  const reported = new Set(devices.map((device) => device.thing));
  const names: string[] = [];
  for (let index = 0; index < plan.devices && names.length < NAMES; index++) {
    const thing = `${plan.thingPrefix}-${index}`;
    if (!reported.has(thing)) names.push(thing);
  }
  return names;
}
