/** Runs the devices of a fleet in this process, from the first one's beginning to the last one's end. */
import type { Clock, Timer } from "../../shared/clock.ts";
import type { Log } from "../../shared/log.ts";
import type { OtaError } from "../../shared/protocol/errors.ts";
import { seededRandom } from "../../shared/random.ts";
import { FLEET_FAULTS } from "./device-link.ts";
import { Exhaustion } from "./exhaustion.ts";
import { emptyTally } from "./faults.ts";
import type { FleetNetwork } from "./fleet-connection.ts";
import { type CrewMember, FleetCrew } from "./fleet-crew.ts";
import { FleetJob } from "./fleet-job.ts";
import { FleetMeter } from "./fleet-meter.ts";
import type { FleetOutcome, FleetSnapshot } from "./fleet-outcome.ts";
import type { FleetPlan, FleetSlice } from "./fleet-plan.ts";
import { openFleetSockets } from "./fleet-sockets.ts";
import type { DeviceStats } from "./fleet-stats.ts";
import { FleetTimeline } from "./fleet-timeline.ts";
import { HeatMap } from "./heat-map.ts";
import { outcomeOf, slowestFirst, snapshotOf, toTenths } from "./member-outcome.ts";
import { type ProcessProbe, systemProbe } from "./process-probe.ts";

/** What {@link runFleet} needs. */
export interface RunFleetOptions {
  readonly plan: FleetPlan;
  readonly slice: FleetSlice;
  readonly clock: Clock;
  /** Sockets to the plan's broker by default. */
  readonly network?: FleetNetwork;
  readonly log: Log;
  /** Stops every device. */
  readonly signal?: AbortSignal;
  /** Called at regular times, and at the end. */
  readonly onSnapshot?: (snapshot: FleetSnapshot) => void;
  /**
   * Of a plan whose devices begin together: called when those of this slice are connected or have failed to, once; they
   * begin when what it returns resolves. At once by default.
   */
  readonly onGathered?: () => Promise<void>;
  /** Called for each device that has its files, with the time it took from its own beginning. */
  readonly onCompleted?: (durationMs: number) => void;
  /** Between two snapshots, in milliseconds; 250 by default, 1,000 with a network that is no socket's. */
  readonly sampleMs?: number;
  /** This process by default; none with a network that is no socket's. */
  readonly probe?: ProcessProbe;
  /** The memory of the process before it did anything; what it is at the beginning of the run by default. */
  readonly idleBytes?: number;
}

const SAMPLE_MS = 250;
const VIRTUAL_SAMPLE_MS = 1_000;
/** A listening socket's backlog is 511 connections by default. */
const MOST_CONNECTING = 200;
const HEAT_ROWS = 20;

/**
 * Runs the devices of one slice of a plan to their end; never rejects for what happens to a device. Rejects with OtaError
 * `InvalidArgument` for a plan that cannot be run.
 */
export async function runFleet(options: RunFleetOptions): Promise<FleetOutcome> {
  return await new FleetRun(options).run();
}

class FleetRun {
  private readonly options: RunFleetOptions;
  private readonly clock: Clock;
  private readonly beganAtMs: number;
  private readonly indexes: readonly number[];
  private readonly crew: FleetCrew;
  private readonly members: CrewMember[] = [];
  private readonly tally = emptyTally(FLEET_FAULTS);
  private readonly heat: HeatMap;
  private readonly job: FleetJob;
  private readonly timeline = new FleetTimeline();
  private readonly over = Promise.withResolvers<void>();
  private readonly exhaustion = new Exhaustion();
  private connecting = 0;
  private ended = 0;
  private rampTimer: Timer | undefined;
  private sampleTimer: Timer | undefined;
  private sampleDueMs = Number.POSITIVE_INFINITY;
  private isStopped = false;
  private readonly meter: FleetMeter;
  private releasedAtMs: number | undefined;

  constructor(options: RunFleetOptions) {
    const { plan, slice, clock, network } = options;
    this.options = options;
    this.clock = clock;
    this.beganAtMs = clock.monotonicMs();
    this.indexes = indexesOf(plan.devices, slice);
    this.heat = new HeatMap(this.indexes.length, this.beganAtMs);
    this.meter = new FleetMeter(options.probe ?? (network === undefined ? systemProbe : undefined), options.idleBytes);
    this.job = new FleetJob({
      network: network ?? openFleetSockets({ ...options, clock: this.watchfulClock() }),
      streamId: plan.streamId,
      format: plan.format,
      blockSizeBytes: plan.blockSizeBytes,
      random: seededRandom(plan.seed),
      // Only then can the blocks that came wrong be told from the others.
      keepBlockCrcs: (plan.faults.corrupt ?? 0) > 0,
      heat: this.heat,
      connected: () => this.settle(),
      lost: (error) => this.noteError(error),
      ended: (_, stats) => this.noteEnd(stats),
    });
    const { job, heat, tally } = this;
    this.crew = new FleetCrew({ plan, clock, log: options.log, job, heat, tally, hasDisk: network === undefined });
  }

  async run(): Promise<FleetOutcome> {
    const { signal } = this.options;
    const stop = (): void => this.stop();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    this.startDue();
    this.sample();
    if (this.indexes.length === 0) this.over.resolve();
    await this.over.promise;
    signal?.removeEventListener("abort", stop);
    this.rampTimer?.cancel();
    this.sampleTimer?.cancel();
    this.crew.calm();
    this.sampleDueMs = Number.POSITIVE_INFINITY;
    await Promise.all(this.members.map(({ member }) => member.running));
    return this.outcome();
  }

  /** Starts the devices whose turn has come, as long as not too many are connecting. */
  private startDue(): void {
    if (this.isStopped) return;
    const { rampDevicesPerSecond = Number.POSITIVE_INFINITY } = this.options.plan;
    while (this.members.length < this.indexes.length && this.connecting < MOST_CONNECTING) {
      const index = this.indexes[this.members.length] as number;
      const dueMs = this.beganAtMs + (index / rampDevicesPerSecond) * 1000;
      const waitMs = dueMs - this.clock.monotonicMs();
      if (waitMs > 0) {
        this.rampTimer?.cancel();
        this.rampTimer = this.clock.setTimer(waitMs, () => this.startDue());
        return;
      }
      this.startOne(index);
    }
  }

  private startOne(index: number): void {
    const made = this.crew.make(index, this.members.length);
    this.members.push(made);
    this.connecting++;
    const { together } = this.options.plan;
    made.member.start(together);
    if (!together) this.crew.disturb(made.member, index);
  }

  /** A device that was connecting is connected, or has failed to. */
  private settle(): void {
    this.connecting--;
    this.startDue();
    const isGathered = this.connecting === 0 && this.members.length === this.indexes.length;
    if (!isGathered || !this.options.plan.together || this.isStopped) return;
    // A download may be over before the next sample.
    this.sample();
    void (this.options.onGathered?.() ?? Promise.resolve()).then(() => this.release());
  }

  /** Lets all that are connected begin, at one moment; from now on they are disturbed, too. */
  private release(): void {
    if (this.isStopped) return;
    this.meter.restart();
    const releasedAtMs = this.clock.monotonicMs();
    this.releasedAtMs = releasedAtMs;
    for (const [place, { member }] of this.members.entries()) {
      if (member.isEnded) continue;
      member.release();
      member.stats.startedAtMs = releasedAtMs;
      this.crew.disturb(member, this.indexes[place] as number);
    }
  }

  private noteError(error: OtaError): void {
    this.exhaustion.note(error, () => this.members.filter(({ member }) => member.isConnected).length);
  }

  private noteEnd({ connections, failure, startedAtMs, endedAtMs = startedAtMs }: DeviceStats): void {
    this.ended++;
    if (failure === undefined) this.options.onCompleted?.(endedAtMs - startedAtMs);
    // Errors of connections are noted when they happen.
    if (failure !== undefined && connections > 0) this.noteError(failure);
    if (connections === 0) this.settle();
    if (this.ended === this.indexes.length) this.over.resolve();
  }

  /** Those whose turn never came are in the outcome as well. */
  private stop(): void {
    this.isStopped = true;
    for (const { member } of this.members) member.stop();
    for (const index of this.indexes.slice(this.members.length)) {
      const made = this.crew.make(index, this.members.length);
      this.members.push(made);
      made.member.stats.startedAtMs = this.job.network.touch();
      made.member.stop();
    }
    this.over.resolve();
  }

  /**
   * The clock, and a sample when one is overdue by as much again: with thousands of sockets to read, timers wait for
   * seconds.
   */
  private watchfulClock(): Clock {
    const { clock } = this;
    return {
      ...clock,
      monotonicMs: () => {
        const nowMs = clock.monotonicMs();
        if (nowMs > this.sampleDueMs) this.sample();
        return nowMs;
      },
    };
  }

  private sample(): void {
    const { onSnapshot, network, sampleMs = network === undefined ? SAMPLE_MS : VIRTUAL_SAMPLE_MS } = this.options;
    this.sampleTimer?.cancel();
    this.sampleDueMs = this.clock.monotonicMs() + 2 * sampleMs;
    const snapshot = this.snapshot();
    this.timeline.add(snapshot);
    onSnapshot?.(snapshot);
    this.meter.sample();
    this.sampleTimer = this.clock.setTimer(sampleMs, () => this.sample());
  }

  private snapshot(): FleetSnapshot {
    return snapshotOf(
      this.members.map(({ member }) => member),
      this.clock.monotonicMs() - this.beganAtMs,
    );
  }

  private outcome(): FleetOutcome {
    const { releasedAtMs } = this;
    const last = this.snapshot();
    // What follows is not the devices' work.
    const used = this.meter.read();
    this.options.onSnapshot?.(last);
    const devices = this.members.map(({ member, traits }) => outcomeOf(traits, member.stats, this.beganAtMs));
    return {
      devices,
      timeline: this.timeline.end(last),
      heat: slowestFirst(this.members.map(({ member }) => member.stats))
        .slice(0, HEAT_ROWS)
        .map((place) => {
          const { member } = this.members[place] as CrewMember;
          return this.heat.rowOf(place, member.thing, member.stats.startedAtMs - this.beganAtMs);
        }),
      faults: Object.fromEntries(Object.entries(this.tally).filter(([, count]) => count > 0)),
      durationMs: last.atMs,
      ...(releasedAtMs !== undefined && { releasedMs: toTenths(releasedAtMs - this.beganAtMs) }),
      ...used,
      exhausted: this.exhaustion.describe(),
    };
  }
}

function indexesOf(devices: number, { part, parts }: FleetSlice): number[] {
  const indexes: number[] = [];
  for (let index = part; index < devices; index += parts) indexes.push(index);
  return indexes;
}
