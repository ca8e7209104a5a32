/** The devices of several processes as one fleet, and the slowest of them. No IO. */
import type { DeviceOutcome, FleetOutcome, HeatRow } from "../fleet-outcome.ts";

/** How many of the slowest devices a report shows block by block. */
const HEAT_ROWS = 20;

/** The number of a device from its name, `<prefix>-<n>`; of any other name the largest, so that it sorts last. */
function deviceIndex(thing: string, prefix: string): number {
  const digits = thing.startsWith(`${prefix}-`) ? thing.slice(prefix.length + 1) : "";
  return /^\d+$/.test(digits) ? Number(digits) : Number.MAX_SAFE_INTEGER;
}

/** All devices by their index, those without one by name. */
export function mergeDevices(outcomes: readonly FleetOutcome[], prefix: string): DeviceOutcome[] {
  const indexed = outcomes.flatMap((outcome) =>
    outcome.devices.map((device) => ({ device, index: deviceIndex(device.thing, prefix) })),
  );
  indexed.sort((a, b) => a.index - b.index || compareNames(a.device.thing, b.device.thing));
  return indexed.map(({ device }) => device);
}

/** How long each device that completed took from its own beginning, in milliseconds, ascending. */
export function completionTimes(devices: readonly DeviceOutcome[]): number[] {
  const times: number[] = [];
  for (const { failure, startedMs, endedMs } of devices) {
    if (failure === undefined && endedMs !== undefined) times.push(roundMs(endedMs - startedMs));
  }
  return times.sort((a, b) => a - b);
}

/** The rows of the slowest devices of all; one that did not end took until `durationMs`. Ties go by the order of `devices`. */
export function mergeHeat(
  outcomes: readonly FleetOutcome[],
  devices: readonly DeviceOutcome[],
  durationMs: number,
): HeatRow[] {
  const rows = new Map(outcomes.flatMap((outcome) => outcome.heat.map((row) => [row.thing, row] as const)));
  const slowest = devices
    .filter((device) => rows.has(device.thing))
    .map((device) => ({ thing: device.thing, tookMs: (device.endedMs ?? durationMs) - device.startedMs }))
    .sort((a, b) => b.tookMs - a.tookMs);
  return slowest.slice(0, HEAT_ROWS).map(({ thing }) => rows.get(thing) as HeatRow);
}

function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A difference of two times without the noise of its last binary digits. */
function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
