/** A fleet on sockets: its generators, and the server of its own or somebody's broker. */
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import type { FleetRunFacts } from "../../device/fleet/fleet-report.ts";
import { probeBroker } from "../../device/fleet/fleet-sockets.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { openLog } from "../terminal.ts";
import type { FleetFlags } from "./fleet-flags.ts";
import { type FleetImage, firstStreamVersion } from "./fleet-image.ts";
import { openFleetView } from "./fleet-view.ts";
import { type GeneratorOptions, runGenerators } from "./generators.ts";
import { type OwnServer, type ServerFigures, startOwnServer } from "./own-server.ts";
import { TcpMemoryWatch } from "./tcp-memory.ts";

/** What a run came back with. */
export interface FleetRun {
  readonly outcomes: readonly FleetOutcome[];
  /** What went wrong with its processes and its machine, in words. */
  readonly incidents: readonly string[];
  readonly server?: NonNullable<FleetRunFacts["server"]>;
}

/** What a run on sockets needs. */
export interface SocketRunOptions {
  readonly flags: FleetFlags;
  readonly plan: FleetPlan;
  /** For what is not kept. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

/** Of each round. */
const WARM_UP_BYTES = 192 * 1024 * 1024;
const MOST_WARM_UP_DEVICES = 100;
const LEAST_WARM_UP_ROUNDS = 2;
const MOST_WARM_UP_ROUNDS = 8;

/** Its timers end nothing late: what waits for an answer is a socket. */
const patientClock: Clock = {
  ...systemClock,
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Runs a plan against the broker it names. Rejects with OtaError `BrokerUnreachable` when nobody answers there. */
export async function runAgainstBroker(options: SocketRunOptions): Promise<FleetRun> {
  const { flags, plan, signal } = options;
  await probeBroker({ plan, clock: patientClock, log: openLog(flags.logLevel), signal });
  return await generate(options, { onBegin: () => {} });
}

/** Runs a plan against a server of its own, as a process of its own; without it nothing can go on. */
export async function runWithOwnServer(options: SocketRunOptions, image: FleetImage): Promise<FleetRun> {
  const { flags, plan, directory, signal } = options;
  const { streamId } = plan;
  const { path, sizeBytes: maxFileBytes } = image;
  const lost = new AbortController();
  const incidents: string[] = [];
  const server = await startOwnServer({
    directory,
    streamId,
    path,
    firstStreamVersion: firstStreamVersion(flags),
    maxFileBytes,
    onLost: (how) => {
      incidents.push(`the run's own server ended early, ${how}: nothing could go on`);
      lost.abort();
    },
  });
  try {
    const idle = await server.figures();
    let began = Promise.resolve(idle);
    const noteBegin = (): Promise<unknown> => {
      began = server.figures();
      return began;
    };
    const ownPlan = { ...plan, brokerUrl: server.brokerUrl };
    const ownOptions = { ...options, plan: ownPlan, signal: AbortSignal.any([signal, lost.signal]) };
    const run = await generate(ownOptions, {
      bytesPerDevice: image.sizeBytes,
      onBegin: noteBegin,
      warmUp: { ...planWarmUp(ownPlan, image.sizeBytes, flags.processes), done: noteBegin },
    });
    const used = await usedBy(server, idle, await began);
    return { ...run, incidents: [...incidents, ...run.incidents], ...(used !== undefined && { server: used }) };
  } finally {
    await server.close();
  }
}

/**
 * For each process a few devices without faults that fetch as much as it takes until nothing of either side is cold; and
 * how often. More than once, because code that was compiled for the functions of one run is thrown away when those of a
 * second one come, and then compiled for any; and what a device does only once, such as connecting, is compiled when some
 * hundreds have done it. But no more often than as many devices as the run has.
 */
function planWarmUp({ rampDevicesPerSecond: _, ...plan }: FleetPlan, sizeBytes: number, processes: number) {
  const inAll = Math.min(MOST_WARM_UP_DEVICES, WARM_UP_BYTES / sizeBytes);
  const devices = Math.max(1, Math.floor(inAll / processes));
  const rounds = Math.min(
    Math.max(Math.ceil(plan.devices / (devices * processes)), LEAST_WARM_UP_ROUNDS),
    MOST_WARM_UP_ROUNDS,
  );
  const thingPrefix = `${plan.thingPrefix}-warm-up`;
  const without = { links: [], deviceProfiles: [], clients: [], faults: {}, store: "verify" } as const;
  return { rounds, plan: { ...plan, ...without, together: false, devices, thingPrefix } };
}

async function usedBy(server: OwnServer, idle: ServerFigures | undefined, began: ServerFigures | undefined) {
  const after = await server.figures();
  if (idle === undefined || began === undefined || after === undefined) return undefined;
  return { cpuMs: after.cpuMs - began.cpuMs, idleBytes: idle.residentBytes, peakBytes: after.peakBytes };
}

async function generate(
  { flags, plan, signal }: SocketRunOptions,
  { bytesPerDevice, ...hooks }: Pick<GeneratorOptions, "onBegin" | "warmUp"> & { readonly bytesPerDevice?: number },
): Promise<FleetRun> {
  const { processes, logLevel } = flags;
  const view = openFleetView(flags, bytesPerDevice);
  const memory = new TcpMemoryWatch(systemClock);
  let pressure: string | undefined;
  try {
    const { outcomes, incidents } = await runGenerators({ plan, processes, view, logLevel, signal, ...hooks });
    pressure = memory.stop();
    return { outcomes, incidents: [...incidents, ...(pressure === undefined ? [] : [pressure])] };
  } finally {
    memory.stop();
    view.stop();
  }
}
