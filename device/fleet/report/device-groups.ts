/** A fleet's devices in groups that are told apart: by link, by client or by kind of device. No IO. */
import type { DeviceOutcome } from "../fleet-outcome.ts";

/** Devices that have something in common. */
export interface DeviceGroup {
  readonly name: string;
  /** A custom property of the page's style sheet. */
  readonly colour: string;
  readonly devices: readonly DeviceOutcome[];
}

/** What devices are told apart by. */
export type GroupField = "link" | "client" | "deviceProfile";

/** How many colours there are; further groups share the last. */
const COLOURS = 6;

/** Groups by the values of a field, the largest first. */
export function groupDevices(devices: readonly DeviceOutcome[], field: GroupField): DeviceGroup[] {
  const groups = [...Map.groupBy(devices, (device) => device[field])];
  groups.sort(([a, ofA], [b, ofB]) => ofB.length - ofA.length || (a < b ? -1 : 1));
  return groups.map(([name, members], index) => ({
    name,
    colour: `--series-${Math.min(index + 1, COLOURS)}`,
    devices: members,
  }));
}
