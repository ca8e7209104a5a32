/** Plans of fleets on a virtual clock, and their runs as the command does them. */
import { runVirtualFleet as run } from "../../cli/fleet/virtual-run.ts";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import type { RunFleetOptions } from "../../device/fleet/run-fleet.ts";
import { silentLog } from "../../shared/log.ts";

/** A plan of 4 KiB blocks in CBOR, without links, but for what `plan` names. */
export function makePlan(plan: Partial<FleetPlan>): FleetPlan {
  return {
    brokerUrl: "mqtt://virtual",
    streamId: "virtual",
    devices: 10,
    together: false,
    seed: 1,
    links: [],
    deviceProfiles: [],
    clients: [],
    faults: {},
    connection: "lean",
    store: "verify",
    blockSizeBytes: 4096,
    format: "cbor",
    sourceAddresses: [],
    thingPrefix: "virtual",
    ...plan,
  };
}

/** Runs a fleet to its end; the files are those of the stream, in version 1. */
export function runVirtualFleet(
  plan: FleetPlan,
  files: readonly Uint8Array[],
  options: Partial<RunFleetOptions> = {},
): Promise<FleetOutcome> {
  return run({ log: silentLog, ...options, plan, files, streamVersion: 1 });
}
