/** Plans and outcomes of fleets that never ran, drawn from a seed: what a report is built from in tests. */
import type { DeviceOutcome, FleetOutcome, FleetSnapshot, HeatRow } from "../../device/fleet/fleet-outcome.ts";
import { HEAT_CELLS } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan, MixPart } from "../../device/fleet/fleet-plan.ts";
import type { FleetRunFacts } from "../../device/fleet/fleet-report.ts";
import { LINK_PROFILES } from "../../device/fleet/link-profiles.ts";
import type { OtaErrorCode } from "../../shared/protocol/errors.ts";
import { type Random, randomFraction, seededRandom } from "../../shared/random.ts";

/** What a made-up fleet is like. */
export interface FixtureOptions {
  readonly seed: number;
  readonly devices: number;
  readonly sizeBytes?: number;
  readonly links?: readonly MixPart[];
  readonly processes?: number;
  readonly rampDevicesPerSecond?: number;
  /** Share of the devices that fail, 0-1. */
  readonly failing?: number;
  /** Stopped at this time, in milliseconds. */
  readonly interruptedAtMs?: number;
  readonly isVirtual?: boolean;
  /** Share of one core that a generator process uses. */
  readonly cpuShare?: number;
  readonly thingPrefix?: string;
}

/** What `buildReport` takes. */
export interface ReportFixture {
  readonly plan: FleetPlan;
  readonly outcomes: readonly FleetOutcome[];
  readonly facts: FleetRunFacts;
}

const BLOCK_BYTES = 4096;
const SNAPSHOTS = 240;
const FAILURES: readonly (readonly [OtaErrorCode, string])[] = [
  ["NoProgress", "no block of file 1 arrived for 120 s, after 6 requests; 211 of 512 blocks are missing"],
  ["DigestMismatch", "file 1 of stream firmware-7 has CRC-32 0x1b2c3d4e, expected 0x5e6f7081"],
  ["BrokerUnreachable", "mqtt://127.0.0.1:1883 cannot be reached: connect ECONNREFUSED 127.0.0.1:1883"],
];

/** Makes a fleet up; the same options make the same fleet. */
export function makeFixture(options: FixtureOptions): ReportFixture {
  const random = seededRandom(options.seed);
  const plan = makePlan(options);
  const devices = Array.from({ length: options.devices }, (_, index) => makeDevice(options, plan, random, index));
  const parts = options.processes ?? 1;
  const outcomes = Array.from({ length: parts }, (_, part) =>
    makeOutcome(
      options,
      devices.filter((_, index) => index % parts === part),
      random,
    ),
  );
  return { plan, outcomes, facts: makeFacts(options) };
}

function makePlan(options: FixtureOptions): FleetPlan {
  return {
    brokerUrl: "mqtt://user:secret@127.0.0.1:1883",
    streamId: "firmware-7",
    devices: options.devices,
    together: false,
    ...(options.rampDevicesPerSecond ? { rampDevicesPerSecond: options.rampDevicesPerSecond } : {}),
    seed: options.seed,
    links: options.links ?? [],
    deviceProfiles: [],
    clients: [],
    faults: options.links ? { loss: 0.05, rebootEveryMs: 600_000 } : {},
    connection: "lean",
    store: "verify",
    blockSizeBytes: BLOCK_BYTES,
    format: "cbor",
    sourceAddresses: [],
    thingPrefix: options.thingPrefix ?? "fleet",
  };
}

function makeFacts(options: FixtureOptions): FleetRunFacts {
  return {
    command: `otastream fleet --size ${options.sizeBytes ?? 262_144} --devices ${options.devices} --ramp 2000 --seed ${options.seed}`,
    machine: {
      startedAt: "2026-11-22T05:00:00.000Z",
      cpus: "2 x AMD EPYC 9R14",
      memoryGibibytes: 15.4,
      system: "Linux 6.1.0 x64",
    },
    versions: { otastream: "0.1.0", node: "24.21.0" },
    isVirtual: options.isVirtual ?? false,
    interrupted: options.interruptedAtMs !== undefined,
    ...(options.isVirtual ? {} : { server: { cpuMs: 1200, idleBytes: 92_000_000, peakBytes: 344_000_000 } }),
  };
}

function makeDevice(options: FixtureOptions, plan: FleetPlan, random: Random, index: number): DeviceOutcome {
  const sizeBytes = options.sizeBytes ?? 262_144;
  const link = drawLink(options.links ?? [], random);
  const profile = LINK_PROFILES[link as keyof typeof LINK_PROFILES];
  const startedMs = options.rampDevicesPerSecond ? (index * 1000) / options.rampDevicesPerSecond : 0;
  const resent = profile ? 0.02 + randomFraction(random) ** 3 * 0.35 : Math.max(0, randomFraction(random) - 0.95) / 4;
  const bytesPerMs = (profile?.downBytesPerSecond ?? 60_000) / 1000;
  const tookMs = (sizeBytes * (1 + resent)) / bytesPerMs + (randomFraction(random) + randomFraction(random)) * 900;
  const connectedMs = startedMs + 4 + randomFraction(random) * 30 + (profile?.roundTripMs ?? 0) * 2;
  const isFailed = randomFraction(random) < (options.failing ?? 0);
  const limitMs = options.interruptedAtMs ?? Number.POSITIVE_INFINITY;
  const endedMs = startedMs + tookMs * (isFailed ? 0.6 : 1);
  const isCut = endedMs > limitMs;
  const share = isCut ? Math.max(0, (limitMs - startedMs) / tookMs) : isFailed ? 0.55 : 1;
  const bytes = Math.floor((sizeBytes * share) / BLOCK_BYTES) * BLOCK_BYTES;
  const [code, message] = FAILURES[random.uint32() % FAILURES.length] as (typeof FAILURES)[number];
  const failure = isCut ? { code: "Unfinished" as const, message: "the run ended first" } : { code, message };
  const duplicates = Math.round((bytes * resent) / BLOCK_BYTES);
  return {
    thing: `${plan.thingPrefix}-${index}`,
    link,
    deviceProfile: "linux",
    client: "otastream",
    startedMs,
    connectedMs,
    firstBlockMs: connectedMs + 10,
    ...(isCut ? {} : { endedMs }),
    ...(isFailed || isCut ? { failure } : {}),
    connections: 1 + (random.uint32() % 3 === 0 ? 1 : 0),
    reboots: 0,
    files: isFailed || isCut ? 0 : 1,
    filesWithoutDigest: 0,
    failedVerifications: 0,
    blocks: bytes / BLOCK_BYTES,
    bytes,
    sentBytes: Math.round(bytes * (1 + resent)),
    requests: Math.ceil(bytes / BLOCK_BYTES / 32),
    duplicates,
    timeouts: Math.round(duplicates / 8),
    malformedMessages: 0,
  };
}

function makeOutcome(options: FixtureOptions, devices: readonly DeviceOutcome[], random: Random): FleetOutcome {
  const lastMs = Math.max(0, ...devices.map((device) => device.endedMs ?? 0));
  const durationMs = Math.min(options.interruptedAtMs ?? Number.POSITIVE_INFINITY, lastMs);
  const timeline = Array.from({ length: SNAPSHOTS + 1 }, (_, step) =>
    snapshotAt(devices, (durationMs * step) / SNAPSHOTS, durationMs),
  );
  const slowest = devices.toSorted((a, b) => tookMs(b, durationMs) - tookMs(a, durationMs)).slice(0, 20);
  return {
    devices,
    timeline,
    heat: slowest.map((device) => makeHeatRow(device, tookMs(device, durationMs), random)),
    faults: options.links ? { loss: 5 * devices.length, reboot: Math.ceil(devices.length / 10) } : {},
    durationMs,
    ...(options.isVirtual
      ? {}
      : {
          cpuMs: durationMs * (options.cpuShare ?? 0.62),
          memory: { idleBytes: 60_000_000, peakBytes: 60_000_000 + devices.length * 6300 },
        }),
    exhausted: [],
  };
}

function snapshotAt(devices: readonly DeviceOutcome[], atMs: number, endMs: number): FleetSnapshot {
  const sums = { connected: 0, downloading: 0, done: 0, failed: 0 };
  const totals = { blocks: 0, bytes: 0, sentBytes: 0, duplicates: 0, requests: 0 };
  for (const device of devices) {
    const endedMs = device.endedMs ?? endMs;
    const hasEnded = device.endedMs !== undefined && atMs >= endedMs;
    if (hasEnded) sums[device.failure === undefined ? "done" : "failed"]++;
    if (!hasEnded && atMs >= (device.connectedMs ?? endMs)) sums.connected++;
    const beganMs = device.firstBlockMs ?? endMs;
    if (!hasEnded && atMs >= beganMs) sums.downloading++;
    const share = atMs < beganMs ? 0 : Math.min(1, (atMs - beganMs) / Math.max(1, endedMs - beganMs));
    for (const field of ["blocks", "bytes", "sentBytes", "duplicates", "requests"] as const) {
      totals[field] += Math.round(device[field] * share);
    }
  }
  return { atMs, ...sums, ...totals };
}

function makeHeatRow(device: DeviceOutcome, lengthMs: number, random: Random): HeatRow {
  const cellsMs = Array.from({ length: HEAT_CELLS }, (_, cell) => {
    if (device.failure !== undefined && randomFraction(random) < 0.4) return null;
    const late = randomFraction(random) < 0.12 ? randomFraction(random) * 0.3 : 0;
    return Math.round(lengthMs * Math.min(1, ((cell + 1) / HEAT_CELLS) * 0.8 + late));
  });
  return { thing: device.thing, cellsMs };
}

function tookMs(device: DeviceOutcome, durationMs: number): number {
  return (device.endedMs ?? durationMs) - device.startedMs;
}

function drawLink(links: readonly MixPart[], random: Random): string {
  let rest = randomFraction(random) * links.reduce((sum, part) => sum + part.share, 0);
  for (const part of links) {
    rest -= part.share;
    if (rest < 0) return part.name;
  }
  return "none";
}
