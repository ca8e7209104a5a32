/** Shows how far a fleet is: a few lines that stay in place on a terminal, a line now and then elsewhere. */
import { createLogUpdate } from "log-update";
import type { FleetSnapshot } from "../../device/fleet/fleet-outcome.ts";
import { systemClock, type Timer } from "../../shared/clock.ts";
import { tell } from "../terminal.ts";
import type { FleetFlags } from "./fleet-flags.ts";
import { FleetProgress, type FleetState } from "./fleet-progress.ts";

/** Takes what the processes of a fleet say. */
export interface FleetView {
  /** `durationsMs`: how long the devices took that completed since this process's last snapshot. */
  show(part: number, snapshot: FleetSnapshot, durationsMs: readonly number[]): void;
  /** Shows the last state and leaves the cursor on a line of its own. */
  stop(): void;
}

const TERMINAL_INTERVAL_MS = 250;
const LINE_INTERVAL_MS = 2_000;
const BAR_CELLS = 40;

/** Chooses by what stderr is; with `--json` there is none. `bytesPerDevice` is undefined when the stream is somebody's. */
export function openFleetView({ devices, json }: FleetFlags, bytesPerDevice: number | undefined): FleetView {
  if (json) return { show: () => {}, stop: () => {} };
  const size = bytesPerDevice === undefined ? "" : `, ${bytesPerDevice} bytes each`;
  tell(`${devices} ${devices === 1 ? "device" : "devices"}${size}; Ctrl-C ends the run with its report`);
  const progress = new FleetProgress({ devices, bytesPerDevice });
  // One that does not know its size shows nothing that stays in place.
  const isTerminal = process.stderr.isTTY === true && process.stderr.rows > 0;
  const update = isTerminal ? createLogUpdate(process.stderr) : undefined;
  const draw = (): void => {
    const state = progress.state();
    if (update === undefined) tell(formatLine(state, devices));
    else update(formatBlock(state, devices));
  };
  let timer: Timer | undefined;
  const tick = (): void => {
    timer = systemClock.setTimer(isTerminal ? TERMINAL_INTERVAL_MS : LINE_INTERVAL_MS, () => {
      draw();
      tick();
    });
  };
  tick();
  return {
    show: (part, snapshot, durationsMs) => progress.take(part, snapshot, durationsMs),
    stop() {
      timer?.cancel();
      draw();
      update?.done();
    },
  };
}

/** One line, for logs. */
export function formatLine(
  { total, megabytesPerSecond, p50Ms, p99Ms, secondsLeft }: FleetState,
  devices: number,
): string {
  return [
    `${formatSeconds(total.atMs)}: ${total.done} of ${devices} done`,
    `${total.failed} failed`,
    `${total.connected} connected`,
    `${total.downloading} downloading`,
    `${megabytesPerSecond.toFixed(1)} MB/s`,
    `p50 ${formatMs(p50Ms)} p99 ${formatMs(p99Ms)}`,
    `${total.duplicates} duplicates`,
    secondsLeft === undefined ? "time left unknown" : `${formatSeconds(secondsLeft * 1000)} left`,
  ].join(", ");
}

/** A few lines, for a terminal. */
export function formatBlock(state: FleetState, devices: number): string {
  const { total, megabytesPerSecond, p50Ms, p99Ms, secondsLeft } = state;
  const ended = total.done + total.failed;
  const filled = Math.floor((ended / devices) * BAR_CELLS);
  const left = secondsLeft === undefined ? "" : `, ${formatSeconds(secondsLeft * 1000)} left`;
  return [
    `${"#".repeat(filled)}${"-".repeat(BAR_CELLS - filled)} ${Math.floor((ended / devices) * 100)} %  ${formatSeconds(total.atMs)}${left}`,
    `devices   ${total.connected} connected  ${total.downloading} downloading  ${total.done} done  ${total.failed} failed  of ${devices}`,
    `delivery  ${megabytesPerSecond.toFixed(1)} MB/s  ${(total.bytes / 1e6).toFixed(0)} MB  ${total.requests} requests  ${total.duplicates} duplicates`,
    `per device  p50 ${formatMs(p50Ms)}  p99 ${formatMs(p99Ms)}`,
  ].join("\n");
}

function formatMs(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return "-";
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function formatSeconds(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
