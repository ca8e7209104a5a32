/** Adds up what the processes of a fleet say, and works out rates and times from it. No IO. */
import type { FleetSnapshot } from "../../device/fleet/fleet-outcome.ts";

/** What is to be watched. */
export interface FleetProgressOptions {
  readonly devices: number;
  /** Bytes of one device's files; undefined when the stream is somebody else's. */
  readonly bytesPerDevice: number | undefined;
}

/** The state of a whole fleet. */
export interface FleetState {
  readonly total: FleetSnapshot;
  /** Over the last few seconds of the run's own time, 1e6 bytes each. */
  readonly megabytesPerSecond: number;
  /** Of the devices that completed. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Undefined while nothing moves, or nobody knows how much there is to do. */
  readonly secondsLeft: number | undefined;
}

/** Over what time a rate is taken. */
const RATE_WINDOW_MS = 3_000;

/** The whole fleet, as far as its processes told. */
export class FleetProgress {
  private readonly options: FleetProgressOptions;
  private readonly parts = new Map<number, FleetSnapshot>();
  private readonly durationsMs: number[] = [];
  private isSorted = true;
  private recent: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(options: FleetProgressOptions) {
    this.options = options;
  }

  take(part: number, snapshot: FleetSnapshot, durationsMs: readonly number[]): void {
    this.parts.set(part, snapshot);
    for (const durationMs of durationsMs) this.durationsMs.push(durationMs);
    this.isSorted &&= durationsMs.length === 0;
    const { atMs, bytes } = this.total();
    this.recent = this.recent.filter((entry) => atMs - entry.atMs <= RATE_WINDOW_MS);
    this.recent.push({ atMs, bytes });
  }

  state(): FleetState {
    const total = this.total();
    const bytesPerSecond = this.bytesPerSecond();
    const { devices, bytesPerDevice } = this.options;
    const leftBytes = bytesPerDevice === undefined ? undefined : Math.max(0, devices * bytesPerDevice - total.bytes);
    return {
      total,
      megabytesPerSecond: bytesPerSecond / 1e6,
      p50Ms: this.percentile(0.5),
      p99Ms: this.percentile(0.99),
      secondsLeft: leftBytes === undefined || bytesPerSecond === 0 ? undefined : leftBytes / bytesPerSecond,
    };
  }

  private total(): FleetSnapshot {
    const sum = { atMs: 0, connected: 0, downloading: 0, done: 0, failed: 0, blocks: 0, bytes: 0 };
    const total = { ...sum, sentBytes: 0, duplicates: 0, requests: 0 };
    for (const snapshot of this.parts.values()) {
      for (const name of Object.keys(total) as (keyof FleetSnapshot)[]) total[name] += snapshot[name];
    }
    return { ...total, atMs: Math.max(0, ...[...this.parts.values()].map(({ atMs }) => atMs)) };
  }

  private bytesPerSecond(): number {
    const first = this.recent[0];
    const last = this.recent.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000;
  }

  private percentile(share: number): number | undefined {
    const { durationsMs } = this;
    if (!this.isSorted) durationsMs.sort((a, b) => a - b);
    this.isSorted = true;
    return durationsMs[Math.max(0, Math.ceil(durationsMs.length * share) - 1)];
  }
}
