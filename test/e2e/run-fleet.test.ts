/** Whole fleets against the whole server: what they come to, device by device. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FLEET_CLIENTS } from "../../device/fleet/fleet-clients.ts";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import { type RunFleetOptions, runFleet } from "../../device/fleet/run-fleet.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { makeFile } from "../support/broker.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";
import { makePlan } from "../support/virtual-fleet.ts";

const ORIGINALS = [1, 131_073, 300_001].map(makeFile);
const ALL_BYTES = 1 + 131_073 + 300_001;
const STREAM_ID = "three-files";

let server: RunningServer;
beforeAll(async () => {
  server = await startRunningServer({
    control: { region: "us-east-1", accountId: "123456789012", firstStreamVersion: 1 },
  });
  await server.publish(STREAM_ID, ORIGINALS);
});
afterAll(() => server.close());

function planOf(plan: Partial<FleetPlan>): FleetPlan {
  return makePlan({
    brokerUrl: server.urls.mqtt,
    streamId: STREAM_ID,
    devices: 5,
    seed: 7,
    thingPrefix: "fleet",
    ...plan,
  });
}

const WHOLE = { part: 0, parts: 1 };

function run(plan: Partial<FleetPlan>, options: Partial<RunFleetOptions> = {}): Promise<FleetOutcome> {
  return runFleet({ plan: planOf(plan), slice: WHOLE, clock: systemClock, log: silentLog, ...options });
}

/** Counts on which all ways of running a fleet agree. */
function expectAllFiles({ devices, timeline }: FleetOutcome, count: number): void {
  expect(devices).toHaveLength(count);
  for (const device of devices) {
    expect(device.failure, device.thing).toBeUndefined();
    expect(device).toMatchObject({ files: 3, filesWithoutDigest: 0 });
    expect(device.bytes).toBeGreaterThanOrEqual(ALL_BYTES);
    expect(device.sentBytes).toBeGreaterThanOrEqual(ALL_BYTES);
    expect(device.endedMs).toBeGreaterThanOrEqual(device.firstBlockMs ?? Number.NaN);
    expect(device.firstBlockMs).toBeGreaterThanOrEqual(device.connectedMs ?? Number.NaN);
  }
  expect(timeline.at(-1)).toMatchObject({ done: count, failed: 0, downloading: 0 });
}

let diskDirectory: string;
beforeAll(async () => {
  diskDirectory = await mkdtemp(join(tmpdir(), "otastream-fleet-"));
});
afterAll(() => rm(diskDirectory, { recursive: true, force: true }));

const WAYS = (["lean", "mqttjs"] as const).flatMap((connection) =>
  (["verify", "disk"] as const).flatMap((store) =>
    [[], [{ name: "lan", share: 1 }]].map((links) => ({ connection, store, links, link: links[0]?.name ?? "none" })),
  ),
);

describe("a fleet", () => {
  it.each(WAYS)("fetches all files over $connection into $store, link $link", async ({ link, ...way }) => {
    const thingPrefix = `${way.connection}-${way.store}-${link}`;
    const outcome = await run({ ...way, thingPrefix, diskDirectory });
    expectAllFiles(outcome, 5);
    for (const device of outcome.devices) {
      expect(device).toMatchObject({ bytes: ALL_BYTES, blocks: 108, connections: 1, link, client: "otastream" });
      if (way.store === "disk") {
        const image = await readFile(join(diskDirectory, device.thing, STREAM_ID, "2"));
        expect(Buffer.compare(image, ORIGINALS[2] as Uint8Array)).toBe(0);
      }
    }
    expect(outcome.timeline.at(-1)).toMatchObject({ bytes: 5 * ALL_BYTES, blocks: 5 * 108 });
    expect(outcome.heat).toHaveLength(5);
    expect(outcome.heat[0]?.cellsMs.every((cell) => cell !== null)).toBe(true);
    expect(outcome.memory?.peakBytes).toBeGreaterThan(0);
  });

  it.each(["verify", "disk"] as const)("gets there through every fault, store %s", async (store) => {
    const faults = {
      loss: 0.03,
      duplicate: 0.03,
      reorder: 0.03,
      corrupt: 0.01,
      disconnectEveryMs: 800,
      rebootEveryMs: 6_000,
      latencyMs: 5,
      bandwidthBytesPerSecond: 1_000_000,
    };
    const outcome = await run({ store, faults, thingPrefix: `faulty-${store}`, diskDirectory });
    expectAllFiles(outcome, 5);
    for (const name of ["drop", "duplicate", "reorder"]) expect(outcome.faults[name], name).toBeGreaterThan(0);
    expect(outcome.devices.reduce((sum, { connections }) => sum + connections, 0)).toBeGreaterThan(5);
  });

  it("runs models of stock libraries beside its own devices", async () => {
    const clients = Object.keys(FLEET_CLIENTS).map((name) => ({ name, share: 1 }));
    const outcome = await run({ devices: 24, clients, thingPrefix: "mixed" });
    expectAllFiles(outcome, 24);
    expect(new Set(outcome.devices.map(({ client }) => client)).size).toBeGreaterThan(4);
    for (const { bytes, blocks, requests } of outcome.devices) {
      expect({ bytes, blocks }).toEqual({ bytes: ALL_BYTES, blocks: 108 });
      expect(requests).toBeGreaterThan(0);
    }
  });

  it("has a part of a plan's devices, each with the traits it has in any split", async () => {
    const links = [
      { name: "lan", share: 1 },
      { name: "wifi-poor", share: 1 },
    ];
    const plan = { devices: 6, links, thingPrefix: "parts" };
    const whole = await run(plan);
    const parts = await Promise.all([0, 1].map((part) => run(plan, { slice: { part, parts: 2 } })));
    const names = ({ devices }: FleetOutcome): string[] => devices.map(({ thing, link }) => `${thing} ${link}`);
    expect(names(parts[1] as FleetOutcome)).toHaveLength(3);
    expect(parts.flatMap(names).sort()).toEqual(names(whole).sort());
  });

  it.each(["verify", "disk"] as const)("says what happened so far when it is stopped, store %s", async (store) => {
    const stop = new AbortController();
    const outcome = await run(
      { store, faults: { bandwidthBytesPerSecond: 20_000 }, thingPrefix: `stopped-${store}`, diskDirectory },
      { signal: stop.signal, sampleMs: 10, onSnapshot: ({ blocks }) => blocks > 0 && stop.abort() },
    );
    expect(outcome.devices).toHaveLength(5);
    for (const device of outcome.devices) {
      expect(device.failure?.code).toBe("Unfinished");
      expect(device.endedMs).toBeUndefined();
    }
    expect(outcome.timeline.at(-1)).toMatchObject({ done: 0, failed: 0, connected: 0 });
  });

  it("names what devices failed for", async () => {
    const outcome = await run({ streamId: "nothing", devices: 2, thingPrefix: "lost" });
    expect(outcome.devices.map(({ failure }) => failure?.code)).toEqual(["StreamNotFound", "StreamNotFound"]);
    expect(outcome.timeline.at(-1)).toMatchObject({ done: 0, failed: 2 });
  });

  it("refuses a plan that names what there is not", async () => {
    await expect(run({ links: [{ name: "pigeon", share: 1 }] })).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(run({ store: "disk" })).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});
