/** What a fleet came to, device by device and over time, as plain data that can be handed to another process. No IO. */
import type { OtaErrorCode } from "../../shared/protocol/errors.ts";

/** How many parts of its image a device's arrivals are kept for. */
export const HEAT_CELLS = 64;

/** One device. Times are milliseconds since the fleet began; absent means that it did not happen. */
export interface DeviceOutcome {
  readonly thing: string;
  /** Name of its link profile; `none` when no link was simulated. */
  readonly link: string;
  readonly deviceProfile: string;
  readonly client: string;
  readonly startedMs: number;
  readonly connectedMs?: number;
  readonly firstBlockMs?: number;
  readonly endedMs?: number;
  /** Absent when it has its files, verified. */
  readonly failure?: { readonly code: OtaErrorCode | "Unfinished"; readonly message: string };
  readonly connections: number;
  readonly reboots: number;
  /** Files that were verified, and how many of them by size only. */
  readonly files: number;
  readonly filesWithoutDigest: number;
  readonly failedVerifications: number;
  /** New blocks and their bytes. */
  readonly blocks: number;
  readonly bytes: number;
  /** Payload bytes of blocks that reached the device's end of the connection, before its link lost or doubled any. */
  readonly sentBytes: number;
  readonly requests: number;
  readonly duplicates: number;
  readonly timeouts: number;
  readonly malformedMessages: number;
}

/** The whole fleet at one moment, in milliseconds since it began; the counts are totals up to then. */
export interface FleetSnapshot {
  readonly atMs: number;
  /** Connections that stand. */
  readonly connected: number;
  /** Devices that received a block and have not ended. */
  readonly downloading: number;
  readonly done: number;
  readonly failed: number;
  readonly blocks: number;
  readonly bytes: number;
  readonly sentBytes: number;
  readonly duplicates: number;
  readonly requests: number;
}

/** When the parts of a device's images arrived last. */
export interface HeatRow {
  readonly thing: string;
  /** {@link HEAT_CELLS} numbers, milliseconds since the device began; null where nothing arrived. */
  readonly cellsMs: readonly (number | null)[];
}

/** How often each simulated fault struck. */
export type FaultCounts = Readonly<Record<string, number>>;

/** What one process has to say of its devices when they ended, or when it was stopped. */
export interface FleetOutcome {
  readonly devices: readonly DeviceOutcome[];
  /** At regular times, the last one at the end. */
  readonly timeline: readonly FleetSnapshot[];
  /** The slowest devices first, 20 at most. */
  readonly heat: readonly HeatRow[];
  readonly faults: FaultCounts;
  /** From the beginning to the end of the last device, in milliseconds. */
  readonly durationMs: number;
  /** When devices that were held together were let go, in milliseconds since the beginning; absent when none were. */
  readonly releasedMs?: number;
  /** Processor time of the process for the run, or since the release, in milliseconds; absent on a virtual clock. */
  readonly cpuMs?: number;
  /** Resident memory before the first device and at its highest, in bytes; absent on a virtual clock. */
  readonly memory?: { readonly idleBytes: number; readonly peakBytes: number };
  /** What ran out, in words, with figures; empty when nothing did. */
  readonly exhausted: readonly string[];
}
