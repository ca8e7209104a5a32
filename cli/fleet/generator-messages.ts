/** What a generator process and the command say to each other. */
import type { FleetOutcome, FleetSnapshot } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan, FleetSlice } from "../../device/fleet/fleet-plan.ts";
import type { LogLevel } from "../terminal.ts";

/** From the command. */
export type ToGenerator =
  /** Before anything counts: what it does later is compiled and in memory then. */
  | { readonly do: "warmUp"; readonly plan: FleetPlan; readonly rounds: number }
  | { readonly do: "run"; readonly plan: FleetPlan; readonly slice: FleetSlice; readonly logLevel: LogLevel }
  /** To devices that begin together: those of all processes are ready. */
  | { readonly do: "begin" }
  | { readonly do: "stop" };

/** From a generator. */
export type FromGenerator =
  | { readonly on: "warm" }
  /** `durationsMs`: how long the devices took that completed since the last snapshot. */
  | { readonly on: "snapshot"; readonly snapshot: FleetSnapshot; readonly durationsMs: readonly number[] }
  /** Of devices that begin together: all are connected, or have failed to. */
  | { readonly on: "gathered" }
  | { readonly on: "outcome"; readonly outcome: FleetOutcome };
