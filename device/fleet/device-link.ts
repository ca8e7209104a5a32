/** The simulated link of one device: what its messages go through, both ways, over all its connections. */
import type { Clock } from "../../shared/clock.ts";
import type { DeviceProfile } from "./device-profiles.ts";
import { Faults, type FaultTally, LINK_FAULTS, type LinkFault } from "./faults.ts";
import type {
  FleetConnection,
  FleetConnectionOptions,
  FleetEvents,
  FleetNetwork,
  FleetPath,
} from "./fleet-connection.ts";
import { deviceRandom } from "./fleet-draws.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import type { DeviceStats } from "./fleet-stats.ts";
import type { TimerWheel } from "./lean-timers.ts";
import type { LinkProfile } from "./link-profiles.ts";
import { LinkedConnection, type LinkState } from "./linked-connection.ts";
import type { SimLinkOptions } from "./sim-link.ts";

/** The faults of a fleet: those of its links that a plan can name, those of its devices, and buffers that were full. */
export const FLEET_FAULTS = [...LINK_FAULTS, "disconnect", "reboot", "few-buffers"] as const;

/** How often each fault of a fleet struck. */
export type FleetTally = FaultTally<(typeof FLEET_FAULTS)[number]>;

/** What the links of all devices of a process share. */
export interface LinkShared {
  readonly network: FleetNetwork;
  readonly clock: Clock;
  /** Finer than those of the network: a link adds up to a tick to each message. */
  readonly timers: TimerWheel;
  readonly plan: FleetPlan;
  readonly tally: FleetTally;
}

/** One device's. */
export interface DeviceLinkOptions {
  readonly index: number;
  /** Undefined: only the plan's faults. */
  readonly profile: LinkProfile | undefined;
  readonly device: DeviceProfile;
  readonly stats: DeviceStats;
}

/** Says whether anything can happen to a message between a device and the network. */
export function needsLink({ faults }: FleetPlan, profile: LinkProfile | undefined, device: DeviceProfile): boolean {
  const { loss = 0, duplicate = 0, reorder = 0, corrupt = 0 } = faults;
  if (profile !== undefined || loss + duplicate + reorder + corrupt > 0) return true;
  if (faults.bandwidthBytesPerSecond !== undefined || faults.latencyMs !== undefined) return true;
  return device.bufferBlocks !== undefined || device.flashMsPerByte > 0;
}

/** Makes a device's connections, each behind the link. The draws go on from one connection to the next. */
export class DeviceLink implements FleetPath, LinkState {
  readonly network: FleetNetwork;
  readonly timers: TimerWheel;
  readonly device: DeviceProfile;
  readonly stats: DeviceStats;
  readonly tally: FleetTally;
  readonly down: SimLinkOptions;
  readonly up: SimLinkOptions;

  constructor({ network, clock, timers, plan, tally }: LinkShared, options: DeviceLinkOptions) {
    const { index, profile, device, stats } = options;
    const { faults } = plan;
    this.network = network;
    this.timers = timers;
    this.device = device;
    this.stats = stats;
    this.tally = tally;
    stats.sentBytes = 0;
    const rates = {
      drop: Math.min(1, (profile?.loss ?? 0) + (faults.loss ?? 0)),
      duplicate: faults.duplicate ?? 0,
      reorder: faults.reorder ?? 0,
      corrupt: faults.corrupt ?? 0,
    };
    const direction = (purpose: "down" | "up", profileBytesPerSecond = Number.POSITIVE_INFINITY): SimLinkOptions => {
      const random = deviceRandom(plan.seed, index, purpose);
      return {
        clock,
        timers,
        random,
        faults: new Faults<LinkFault>(random, rates, tally),
        bytesPerSecond: faults.bandwidthBytesPerSecond ?? profileBytesPerSecond,
        oneWayMs: faults.latencyMs ?? (profile?.roundTripMs ?? 0) / 2,
        jitterMs: profile?.jitterMs ?? 0,
        // Drawn as a fault, so that it is counted.
        loss: 0,
      };
    };
    this.down = direction("down", profile?.downBytesPerSecond);
    this.up = direction("up", profile?.upBytesPerSecond);
  }

  connect(options: FleetConnectionOptions, events: FleetEvents): FleetConnection {
    return new LinkedConnection(this, options, events);
  }
}
