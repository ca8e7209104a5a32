/** Small files with one fault at every possible place: every kind of fault, at every opportunity it has. */
import { DEVICE_PROFILES } from "../../device/fleet/device-profiles.ts";
import { LINK_PROFILES } from "../../device/fleet/link-profiles.ts";
import type { Random } from "../../shared/random.ts";
import { type FaultClass, SimFaults } from "./faults.ts";
import { findViolations, hasNewest } from "./scenario.ts";
import { SimWorld } from "./sim-world.ts";

/** What an enumeration came to. */
export interface ExhaustiveOutcome {
  readonly runs: number;
  readonly violations: readonly string[];
}

/** Faults that strike a message or a read. */
const DRAWN: readonly FaultClass[] = [
  "drop",
  "duplicate",
  "reorder",
  "delay",
  "corrupt",
  "truncate",
  "slow-read",
  "short-read",
  "failing-read",
];
/** Faults that strike between two events. */
const TIMED = ["disconnect", "power-cut", "publisher-restart", "version-bump", "object-swap"] as const;
const BLOCK_SIZE_BYTES = 256;
const LIMIT_MS = 60 * 60 * 1000;

/** Strikes once: the given class, at its given opportunity. */
class OneFault extends SimFaults {
  struck = false;
  private readonly fault: FaultClass;
  private left: number;

  constructor(random: Random, fault: FaultClass, place: number) {
    super(random, {});
    this.fault = fault;
    this.left = place;
  }

  override strikes(fault: FaultClass): boolean {
    if (fault !== this.fault || this.struck || this.left-- > 0) return false;
    this.struck = true;
    this.count(fault);
    return true;
  }
}

/** Enumerates files of one to `mostBlocks` blocks, the last block one byte short. */
export async function runExhaustive(mostBlocks: number): Promise<ExhaustiveOutcome> {
  const violations: string[] = [];
  let runs = 0;
  for (let blocks = 1; blocks <= mostBlocks; blocks++) {
    for (const fault of DRAWN) {
      for (let place = 0; ; place++, runs++) {
        const outcome = await runDrawn(blocks, fault, place);
        if (outcome === "no such place") break;
        violations.push(...outcome.map((violation) => `${blocks} blocks, ${fault} at ${place}: ${violation}`));
      }
    }
    for (const fault of TIMED) {
      for (let place = 0; ; place++, runs++) {
        const outcome = await runTimed(blocks, fault, place);
        if (outcome === "no such place") break;
        violations.push(...outcome.map((violation) => `${blocks} blocks, ${fault} after event ${place}: ${violation}`));
      }
    }
  }
  return { runs, violations };
}

async function runDrawn(blocks: number, fault: FaultClass, place: number): Promise<string[] | "no such place"> {
  let faults: OneFault | undefined;
  const world = createWorld(blocks, (random) => {
    faults = new OneFault(random, fault, place);
    return faults;
  });
  const violations = await finish(world, () => {});
  return faults?.struck ? violations : "no such place";
}

async function runTimed(
  blocks: number,
  fault: (typeof TIMED)[number],
  place: number,
): Promise<string[] | "no such place"> {
  const world = createWorld(blocks, (random) => new SimFaults(random, {}));
  let events = 0;
  const violations = await finish(world, () => {
    if (events++ === place) strike(world, fault);
  });
  return events > place ? violations : "no such place";
}

function strike(world: SimWorld, fault: (typeof TIMED)[number]): void {
  const [device] = world.devices;
  if (fault === "disconnect") world.broker.disconnect("thing-0");
  if (fault === "power-cut" && device?.disk.hasPower) device.cutPower();
  if (fault === "publisher-restart") void world.restartPublisher(700);
  if (fault === "object-swap" || fault === "version-bump") world.replaceObject(0, 2 * BLOCK_SIZE_BYTES + 1);
  if (fault === "version-bump") void world.bumpVersion();
  // A swapped object is published only later: until then the device is told ETagMismatch.
  if (fault === "object-swap") world.clock.setTimer(20_000, () => void world.bumpVersion());
}

async function finish(world: SimWorld, beforeEvent: () => void): Promise<string[]> {
  const violations: string[] = [];
  await world.start();
  const finished = (): boolean => {
    violations.push(...findViolations(world));
    if (violations.length > 0 || world.devices.every((device) => hasNewest(world, device))) return true;
    beforeEvent();
    return false;
  };
  if (!(await world.clock.runUntil(finished, LIMIT_MS))) violations.push("not finished within a virtual hour");
  return violations;
}

function createWorld(blocks: number, faults: (random: Random) => SimFaults): SimWorld {
  return new SimWorld({
    seed: blocks,
    rates: {},
    faults,
    fileSizes: [blocks * BLOCK_SIZE_BYTES - 1],
    devices: [
      {
        link: LINK_PROFILES.satellite,
        profile: DEVICE_PROFILES.linux,
        blockSizeBytes: BLOCK_SIZE_BYTES,
        format: "cbor",
      },
    ],
  });
}
