/** Makes the devices of a fleet as its plan has them: each one's client, link, kind and draws. */
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { randomFraction } from "../../shared/random.ts";
import type { SessionOptions } from "../protocol/session-types.ts";
import { DeviceLink, type FleetTally, needsLink } from "./device-link.ts";
import { DEVICE_PROFILES, type DeviceProfile } from "./device-profiles.ts";
import { Disturbances } from "./disturbances.ts";
import { FLEET_CLIENTS, type FleetClient } from "./fleet-clients.ts";
import type { FleetPath } from "./fleet-connection.ts";
import { FleetDevice } from "./fleet-device.ts";
import { deviceRandom, drawName } from "./fleet-draws.ts";
import type { FleetJob } from "./fleet-job.ts";
import type { FleetMember } from "./fleet-member.ts";
import type { FleetPlan, MixPart } from "./fleet-plan.ts";
import { type DeviceStats, newDeviceStats } from "./fleet-stats.ts";
import type { HeatMap } from "./heat-map.ts";
import { TimerWheel } from "./lean-timers.ts";
import { LINK_PROFILES, type LinkProfile } from "./link-profiles.ts";
import type { MemberTraits } from "./member-outcome.ts";
import { realAgent, stockClient } from "./real-clients.ts";
import { type RunClient, TransportDevice } from "./transport-device.ts";

/** What all devices of a process share. */
export interface CrewOptions {
  readonly plan: FleetPlan;
  readonly job: FleetJob;
  readonly heat: HeatMap;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the whole process. */
  readonly tally: FleetTally;
  /** A virtual clock does not wait for a disk. */
  readonly hasDisk: boolean;
}

/** A device and what it is. */
export interface CrewMember {
  readonly member: FleetMember;
  readonly traits: MemberTraits;
}

/** The ticks of links: what a link adds to a message's time at most. */
const LINK_TICK_MS = 1;

/** Throws OtaError `InvalidArgument` when the plan names what there is not. */
export class FleetCrew {
  private readonly options: CrewOptions;
  private readonly linkTimers: TimerWheel;
  private readonly disturbances: Disturbances[] = [];

  constructor(options: CrewOptions) {
    const { plan, clock } = options;
    this.options = options;
    this.linkTimers = new TimerWheel(clock, LINK_TICK_MS);
    checkNames("link profile", plan.links, LINK_PROFILES);
    checkNames("device profile", plan.deviceProfiles, DEVICE_PROFILES);
    checkNames("client", plan.clients, FLEET_CLIENTS);
    if (plan.store === "disk" && !options.hasDisk) {
      throw new OtaError("InvalidArgument", "a fleet on a virtual clock cannot store its images on disk");
    }
    if (plan.store === "disk" && plan.diskDirectory === undefined) {
      throw new OtaError("InvalidArgument", "a fleet that stores its images on disk needs a directory for them");
    }
  }

  /** Makes the device of this index in the plan and this place in the process. */
  make(index: number, place: number): CrewMember {
    const { plan, job } = this.options;
    const thing = `${plan.thingPrefix}-${index}`;
    const traitsRandom = deviceRandom(plan.seed, index, "traits");
    const linkName = drawName(plan.links, "none", traitsRandom);
    const device: DeviceProfile =
      DEVICE_PROFILES[drawName(plan.deviceProfiles, "linux", traitsRandom) as keyof typeof DEVICE_PROFILES];
    const client: FleetClient =
      FLEET_CLIENTS[drawName(plan.clients, "otastream", traitsRandom) as keyof typeof FLEET_CLIENTS];
    const profile: LinkProfile | undefined = LINK_PROFILES[linkName as keyof typeof LINK_PROFILES];
    const stats = newDeviceStats();
    const path = needsLink(plan, profile, device)
      ? new DeviceLink(
          { ...this.options, network: job.network, timers: this.linkTimers },
          { index, profile, device, stats },
        )
      : job.network;
    const member = this.makeMember({ index, place, thing, device, client, stats, path });
    return { member, traits: { thing, link: linkName, deviceProfile: device.name, client: client.name } };
  }

  /** Lets things happen to a device that has begun. */
  disturb(member: FleetMember, index: number): void {
    const { plan, job, tally } = this.options;
    const { disconnectEveryMs, rebootEveryMs } = plan.faults;
    if (disconnectEveryMs === undefined && rebootEveryMs === undefined) return;
    const options = {
      ...plan.faults,
      disconnectRandom: deviceRandom(plan.seed, index, "disconnect"),
      rebootRandom: deviceRandom(plan.seed, index, "reboot"),
      timers: job.network.timers,
      tally,
    };
    this.disturbances.push(new Disturbances(member, options, job.network.touch()));
  }

  /** Lets nothing happen to anybody any more. */
  calm(): void {
    for (const disturbance of this.disturbances) this.options.job.network.timers.cancel(disturbance);
  }

  private makeMember(parts: MemberParts): FleetMember {
    const { job, heat, clock, log, plan } = this.options;
    const { index, place, thing, device, client, stats, path } = parts;
    const random = deviceRandom(plan.seed, index, "session");
    const session: SessionOptions = {
      ...job.session,
      randomFraction: () => randomFraction(random),
      ...(device.bufferBlocks !== undefined && { bufferBlocks: device.bufferBlocks }),
    };
    const { createModel } = client;
    const { diskDirectory: directory = "", format } = plan;
    let runClient: RunClient;
    if (createModel !== undefined) {
      runClient = stockClient({ session, clock, log }, () => createModel(plan.blockSizeBytes));
    } else if (plan.store === "disk") {
      runClient = realAgent({ session, clock, log, format, random, directory });
    } else {
      return new FleetDevice(job, thing, { place, path, session, random, stats });
    }
    return new TransportDevice({ job, thing, stats, place, heat, path, clock, random, runClient });
  }
}

interface MemberParts {
  readonly index: number;
  readonly place: number;
  readonly thing: string;
  readonly device: DeviceProfile;
  readonly client: FleetClient;
  readonly stats: DeviceStats;
  readonly path: FleetPath;
}

function checkNames(what: string, mix: readonly MixPart[], known: Readonly<Record<string, unknown>>): void {
  for (const { name } of mix) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known).join(", ");
    throw new OtaError("InvalidArgument", `there is no ${what} ${name}: there are ${names}`);
  }
}
