/** The plan of a fleet from its flags, once it is known to fit this machine. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import { planAddresses, readMachineLimits } from "./capacity.ts";
import type { FleetFlags } from "./fleet-flags.ts";

const OWN_STREAM_ID = "fleet";
/** Files that an agent keeps open for one image: the image, its journal, its lock. */
const FILES_PER_DISK_DEVICE = 3;

/**
 * Makes the plan; the broker's URL is empty while the server is to be started. `directory` is for what is not kept.
 * Rejects with OtaError `InvalidArgument` when the run does not fit.
 */
export async function makePlan(flags: FleetFlags, directory: string): Promise<FleetPlan> {
  const { broker, devices, ramp, together, seed, link, device, client, faults, connection, store, virtual } = flags;
  return {
    brokerUrl: broker ?? "",
    streamId: flags.streamId ?? OWN_STREAM_ID,
    devices,
    ...(ramp !== undefined && { rampDevicesPerSecond: ramp }),
    together,
    seed,
    links: link,
    deviceProfiles: device,
    clients: client,
    faults,
    connection,
    store,
    ...(store === "disk" && { diskDirectory: flags.out ?? join(directory, "devices") }),
    blockSizeBytes: flags.blockSize,
    format: flags.format,
    sourceAddresses: virtual ? [] : await chooseAddresses(flags),
    // Two runs on one broker must not take each other's connections; on a virtual clock the report must be the same.
    thingPrefix: virtual ? "device" : `fleet-${randomBytes(3).toString("hex")}`,
  };
}

async function chooseAddresses({ broker, devices, processes, store, connection }: FleetFlags): Promise<string[]> {
  const demand = {
    devices,
    processes,
    brokerHost: broker === undefined ? "127.0.0.1" : new URL(broker).hostname,
    choosesAddress: connection === "lean",
    hasOwnServer: broker === undefined,
    filesPerDevice: store === "disk" ? FILES_PER_DISK_DEVICE : 0,
  };
  return planAddresses(demand, await readMachineLimits());
}
