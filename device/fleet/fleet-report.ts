/** The report of a fleet's run: its documented JSON form, from what the processes came back with. No IO. */
import type { DeviceOutcome, FaultCounts, FleetOutcome, FleetSnapshot, HeatRow } from "./fleet-outcome.ts";
import type { FleetPlan } from "./fleet-plan.ts";

/** Rises when a field changes its meaning or goes; new fields leave it. */
export const REPORT_SCHEMA_VERSION = 1;

/** What is known of a run besides its outcome. */
export interface FleetRunFacts {
  /** The command that repeats the run. */
  readonly command: string;
  /** Left out of the report of a virtual run, which is the same on every machine. */
  readonly machine?: {
    readonly startedAt: string;
    readonly cpus: string;
    readonly memoryGibibytes: number;
    readonly system: string;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly isVirtual: boolean;
  /** Ended by a person or a signal before every device had ended. */
  readonly interrupted: boolean;
  /** Of the server that the run started itself. */
  readonly server?: { readonly cpuMs: number; readonly idleBytes: number; readonly peakBytes: number };
}

/** The report, version {@link REPORT_SCHEMA_VERSION}. */
export interface FleetReport {
  readonly schemaVersion: typeof REPORT_SCHEMA_VERSION;
  readonly devices: number;
  readonly completed: number;
  readonly failed: number;
  /** Payload bytes sent to devices over the bytes they kept; 1 is the least. Null when no device kept any. */
  readonly redundancy: number | null;
  /** From the first device's beginning to the last one's end. */
  readonly seconds: number;
  /** Verified bytes, 1e6 a megabyte, over `seconds`. */
  readonly megabytesPerSecond: number;
  /** Of the devices that completed, from each one's own beginning; null when none did. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Over the generator's idle size; null on a virtual clock. */
  readonly peakBytesPerDevice: number | null;
  readonly seed: number;
  readonly command: string;
  readonly interrupted: boolean;
  /** What held the run up or ran out, in words with figures; the generator is named when it was the bottleneck. */
  readonly limits: readonly string[];
  readonly plan: Omit<FleetPlan, "brokerUrl" | "diskDirectory">;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine?: FleetRunFacts["machine"];
  readonly server?: FleetRunFacts["server"];
  /** Share of one core that each generator process used, 0-1; empty on a virtual clock. */
  readonly generatorCpuShares: readonly number[];
  readonly generatorMicrosecondsPerBlock: number | null;
  readonly requests: number;
  readonly duplicates: number;
  readonly timeouts: number;
  readonly faults: FaultCounts;
  /** Failures by code: how many, one message, and the first 20 names. */
  readonly failures: readonly {
    readonly code: string;
    readonly count: number;
    readonly message: string;
    readonly things: readonly string[];
  }[];
  readonly timeline: readonly FleetSnapshot[];
  readonly heat: readonly HeatRow[];
  readonly perDevice: readonly DeviceOutcome[];
}

/** Builds the report of a run from the outcomes of its processes; the same input gives the same report. */
export declare function buildReport(plan: FleetPlan, outcomes: readonly FleetOutcome[], facts: FleetRunFacts): FleetReport;
