/** Draws a world from a seed, lets things go wrong in it for a while, and says whether every device still got there. */
import { DEVICE_PROFILES } from "../../device/fleet/device-profiles.ts";
import { LINK_PROFILES } from "../../device/fleet/link-profiles.ts";
import { MAX_RESPONSE_BYTES } from "../../shared/protocol/limits.ts";
import { type Random, randomFraction, randomInteger, seededRandom } from "../../shared/random.ts";
import type { FaultClass, SimFaultRates } from "./faults.ts";
import type { SimDevice } from "./sim-device.ts";
import { SimWorld, type WorldOptions } from "./sim-world.ts";

/** What one seed came to. */
export interface ScenarioOutcome {
  readonly seed: number;
  /** What was violated; empty when all is well. */
  readonly violations: readonly string[];
  readonly faults: Readonly<Record<FaultClass, number>>;
  readonly devices: number;
  readonly blocks: number;
}

/** How long things go wrong, and how long the devices have after that, in virtual milliseconds. */
const FAULTY_MS = 120_000;
const CALM_MS = 6 * 60 * 60 * 1000;
/** Between two looks at what strikes per time rather than per message, in milliseconds. */
const TICK_MS = 500;
const MAX_BLOCKS = 600;

const BLOCK_SIZES = [256, 300, 512, 1024];

/** Most a fault strikes, per message, read or tick; a seed draws a share of it for each class, or leaves the class out. */
const HIGHEST_RATES: SimFaultRates = {
  drop: 0.1,
  duplicate: 0.05,
  reorder: 0.05,
  delay: 0.01,
  corrupt: 0.002,
  truncate: 0.01,
  disconnect: 0.02,
  "power-cut": 0.01,
  "publisher-restart": 0.005,
  "slow-read": 0.3,
  "short-read": 0.2,
  "failing-read": 0.2,
  "version-bump": 0.005,
  "object-swap": 0.003,
};

/** Runs the scenario of a seed; with `trace`, tells what happens. */
export async function runScenario(seed: number, trace?: (line: string) => void): Promise<ScenarioOutcome> {
  // The scenario draws from a source of its own, so that a change inside the world does not change the scenario.
  const random = seededRandom(seed ^ 0x5eed);
  const options = drawWorld(seed, random);
  const world = new SimWorld({ ...options, ...(trace !== undefined && { trace }) });
  await world.start();
  scheduleTicks(world);
  const violations: string[] = [];
  const watch = (): boolean => {
    violations.push(...findViolations(world));
    return violations.length > 0;
  };
  await world.clock.runUntil(watch, FAULTY_MS);
  world.faults.stop();
  // Whatever was swapped under the stream is published, and everybody is told once more.
  if (violations.length === 0) await world.bumpVersion();
  for (const device of world.devices) if (device.result !== undefined) device.runAgain();
  const finished = (): boolean => watch() || world.devices.every((device) => hasNewest(world, device));
  const done = violations.length > 0 || (await world.clock.runUntil(finished, FAULTY_MS + CALM_MS));
  if (!done) violations.push(describeStuck(world));
  for (const device of options.devices) {
    if (device.profile.flashMsPerByte > 0) world.faults.count("slow-flash");
  }
  const blocks = options.devices.reduce((sum, { blockSizeBytes }) => sum + countBlocksOf(options, blockSizeBytes), 0);
  return { seed, violations, faults: world.faults.counts, devices: options.devices.length, blocks };
}

function drawWorld(seed: number, random: Random): WorldOptions {
  const rates = Object.fromEntries(
    Object.entries(HIGHEST_RATES).map(([name, rate]) => [name, draw(random, 0.4) ? 0 : rate * randomFraction(random)]),
  );
  const blockSizeBytes = pick(random, BLOCK_SIZES);
  const fileSizes = Array.from({ length: randomInteger(random, 1, 2) }, () => {
    const blocks = draw(random, 0.3) ? randomInteger(random, 1, 8) : randomInteger(random, 1, MAX_BLOCKS / 2);
    return Math.max(
      1,
      blocks * blockSizeBytes - (draw(random, 0.5) ? 0 : randomInteger(random, 1, blockSizeBytes - 1)),
    );
  });
  const devices = Array.from({ length: randomInteger(random, 1, 8) }, () => ({
    link: pick(random, Object.values(LINK_PROFILES)),
    profile: pick(random, Object.values(DEVICE_PROFILES)),
    blockSizeBytes,
    format: pick(random, ["cbor", "json"] as const),
  }));
  return { seed, rates, fileSizes, devices };
}

/** What strikes per time: each tick may end a connection, a device's power, the publisher, or change the stream. */
function scheduleTicks(world: SimWorld): void {
  world.clock.setTimer(TICK_MS, () => {
    if (world.clock.monotonicMs() >= FAULTY_MS) return;
    for (const device of world.devices) {
      if (world.faults.strikes("disconnect")) world.broker.disconnect(device.thing);
      if (device.disk.hasPower && world.faults.strikes("power-cut")) device.cutPower();
    }
    if (world.broker.isUp && world.faults.strikes("publisher-restart")) {
      void world.restartPublisher(world.faults.between(100, 5_000));
    }
    if (world.faults.strikes("object-swap")) swapObject(world);
    if (world.faults.strikes("version-bump")) {
      swapObject(world);
      void world.bumpVersion();
    }
    scheduleTicks(world);
  });
}

function swapObject(world: SimWorld): void {
  const fileId = world.faults.between(0, world.published.size - 1);
  const current = world.published.get(fileId)?.at(-1) as Uint8Array;
  world.replaceObject(fileId, Math.max(1, current.length + world.faults.between(-300, 300)));
}

/** What must never be: an image that was never published, a request beyond its limit, a failure that is a bug. */
export function findViolations(world: SimWorld): string[] {
  const violations: string[] = [];
  for (const device of world.devices) {
    if (device.bug !== undefined) violations.push(`${device.thing}: ${describeBug(device.bug)}`);
    const { largestRequestBytes, requestsAfterDuplicates } = world.broker.trafficOf(device.thing);
    if (requestsAfterDuplicates > 0) violations.push(`${device.thing} asked for blocks because of a duplicate`);
    if (largestRequestBytes > MAX_RESPONSE_BYTES)
      violations.push(`${device.thing} asked for ${largestRequestBytes} bytes at once`);
    const image = device.takeNewImage();
    if (image !== undefined && !wasPublished(world, image.fileId, image.bytes)) {
      violations.push(`${device.thing} accepted an image of file ${image.fileId} that was never published`);
    }
  }
  return violations;
}

function wasPublished(world: SimWorld, fileId: number, bytes: Uint8Array): boolean {
  return world.published.get(fileId)?.some((version) => Buffer.compare(version, bytes) === 0) === true;
}

/** Says whether a device has the newest version of every file, and tells it of a newer one than it fetched. */
export function hasNewest(world: SimWorld, device: SimDevice): boolean {
  if (device.isConfirmed) return true;
  if (device.result === undefined) return false;
  if (device.result.streamVersion !== world.streamVersion) {
    device.runAgain();
    return false;
  }
  device.isConfirmed = [...world.published].every(([fileId, versions]) =>
    device.hasImage(fileId, versions.at(-1) as Uint8Array),
  );
  return device.isConfirmed;
}

function describeStuck(world: SimWorld): string {
  const stuck = world.devices.filter((device) => device.result === undefined);
  const last = stuck.map((device) => `${device.thing} (${device.failures.at(-1)?.message ?? "no failure"})`);
  return `not finished ${CALM_MS / 60_000} virtual minutes after the faults ended: ${last.join(", ") || "wrong bytes"}`;
}

function describeBug(bug: unknown): string {
  return bug instanceof Error ? (bug.stack ?? bug.message) : String(bug);
}

function countBlocksOf({ fileSizes }: WorldOptions, blockSizeBytes: number): number {
  return fileSizes.reduce((sum, sizeBytes) => sum + Math.ceil(sizeBytes / blockSizeBytes), 0);
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[randomInteger(random, 0, choices.length - 1)] as T;
}

function draw(random: Random, probability: number): boolean {
  return randomFraction(random) < probability;
}
