/** Disconnects and reboots of one device, at random times until it has ended. */
import { type Random, randomFraction } from "../../shared/random.ts";
import { drawExponentialMs } from "./fleet-draws.ts";
import type { FleetMember } from "./fleet-member.ts";
import type { Timed, TimerWheel } from "./lean-timers.ts";

/** How a device is disturbed. Means of exponential draws, in milliseconds; absent: never. */
export interface DisturbanceOptions {
  readonly disconnectEveryMs?: number;
  readonly rebootEveryMs?: number;
  readonly disconnectRandom: Random;
  readonly rebootRandom: Random;
  readonly timers: TimerWheel;
  readonly tally: { disconnect: number; reboot: number };
}

/** How long a reboot takes. */
const SHORTEST_DOWN_MS = 1_000;
const LONGEST_DOWN_MS = 5_000;
const NEVER = Number.POSITIVE_INFINITY;

/** Begins when it is made. */
export class Disturbances implements Timed {
  wheelTick = 0;
  private readonly member: FleetMember;
  private readonly options: DisturbanceOptions;
  private disconnectAtMs: number;
  private rebootAtMs: number;

  constructor(member: FleetMember, options: DisturbanceOptions, nowMs: number) {
    this.member = member;
    this.options = options;
    this.disconnectAtMs = this.nextDisconnect(nowMs);
    this.rebootAtMs = this.nextReboot(nowMs);
    this.arm();
  }

  fallDue(nowMs: number): void {
    const { member, options } = this;
    if (member.isEnded) return;
    if (nowMs >= this.disconnectAtMs) {
      // A device without a connection loses none.
      if (member.isConnected) options.tally.disconnect++;
      member.disconnect();
      this.disconnectAtMs = this.nextDisconnect(nowMs);
    }
    if (nowMs >= this.rebootAtMs) {
      const { reboots } = member.stats;
      const downMs = SHORTEST_DOWN_MS + randomFraction(options.rebootRandom) * (LONGEST_DOWN_MS - SHORTEST_DOWN_MS);
      // A boot has new patience: without a broker, reboots would put off the end for ever.
      if (member.isConnected) member.reboot(downMs);
      options.tally.reboot += member.stats.reboots - reboots;
      this.rebootAtMs = this.nextReboot(nowMs);
    }
    this.arm();
  }

  private nextDisconnect(nowMs: number): number {
    const { disconnectEveryMs, disconnectRandom } = this.options;
    return disconnectEveryMs === undefined ? NEVER : nowMs + drawExponentialMs(disconnectEveryMs, disconnectRandom);
  }

  private nextReboot(nowMs: number): number {
    const { rebootEveryMs, rebootRandom } = this.options;
    return rebootEveryMs === undefined ? NEVER : nowMs + drawExponentialMs(rebootEveryMs, rebootRandom);
  }

  private arm(): void {
    const dueMs = Math.min(this.disconnectAtMs, this.rebootAtMs);
    if (dueMs !== NEVER && !this.member.isEnded) this.options.timers.schedule(this, dueMs);
  }
}
