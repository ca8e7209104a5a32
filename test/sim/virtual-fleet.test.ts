import { describe, expect, it } from "vitest";
import { FLEET_CLIENTS } from "../../device/fleet/fleet-clients.ts";
import type { FleetOutcome, FleetSnapshot } from "../../device/fleet/fleet-outcome.ts";
import { makeFile } from "../support/broker.ts";
import { makePlan, runVirtualFleet } from "../support/virtual-fleet.ts";

const FILES = [makeFile(1), makeFile(131_073)];
const ALL_BYTES = 131_074;

/** Everything that a plan can ask for on a virtual clock. */
const EVERYTHING = makePlan({
  devices: 40,
  seed: 0xf1ee7,
  rampDevicesPerSecond: 20,
  links: [
    { name: "wifi-poor", share: 70 },
    { name: "lte-m", share: 30 },
  ],
  deviceProfiles: [
    { name: "linux", share: 1 },
    { name: "freertos-slow-flash", share: 1 },
  ],
  clients: [{ name: "otastream", share: 5 }, ...Object.keys(FLEET_CLIENTS).map((name) => ({ name, share: 1 }))],
  faults: {
    loss: 0.02,
    duplicate: 0.02,
    reorder: 0.02,
    corrupt: 0.005,
    disconnectEveryMs: 60_000,
    rebootEveryMs: 90_000,
  },
});

function sentOverBytes({ devices }: FleetOutcome, bytes: number): number {
  return devices.reduce((sum, { sentBytes }) => sum + sentBytes, 0) / (devices.length * bytes);
}

describe("a fleet on a virtual clock", () => {
  it("comes to the same outcome for the same plan and seed, and to another for another seed", async () => {
    const first = await runVirtualFleet(EVERYTHING, FILES);
    expect(await runVirtualFleet(EVERYTHING, FILES)).toEqual(first);
    for (const name of ["drop", "duplicate", "reorder", "corrupt", "few-buffers", "disconnect", "reboot"]) {
      expect(first.faults[name], name).toBeGreaterThan(0);
    }
    expect(first.cpuMs).toBeUndefined();
    expect(first.memory).toBeUndefined();
    expect(await runVirtualFleet({ ...EVERYTHING, seed: 2 }, FILES)).not.toEqual(first);
  });

  it("brings every device home", async () => {
    const { devices, timeline, heat } = await runVirtualFleet(
      { ...EVERYTHING, clients: [], faults: { ...EVERYTHING.faults, disconnectEveryMs: 10_000 } },
      FILES,
    );
    for (const device of devices) {
      expect(device.failure, device.thing).toBeUndefined();
      expect(device).toMatchObject({ files: 2, filesWithoutDigest: 0 });
      expect(device.bytes).toBeGreaterThanOrEqual(ALL_BYTES);
    }
    expect(timeline.at(-1)).toMatchObject({ done: 40, failed: 0, connected: 0 });
    expect(heat).toHaveLength(20);
  });

  it("takes no virtual time without links, and the least of everything", async () => {
    const outcome = await runVirtualFleet(makePlan({}), FILES);
    expect(outcome.durationMs).toBe(0);
    expect(sentOverBytes(outcome, ALL_BYTES)).toBe(1);
    for (const device of outcome.devices) expect(device).toMatchObject({ blocks: 34, duplicates: 0, timeouts: 0 });
    expect(outcome.faults).toEqual({});
  });

  it("starts its devices by the ramp", async () => {
    const { devices } = await runVirtualFleet(makePlan({ rampDevicesPerSecond: 4 }), FILES);
    expect(devices.map(({ startedMs }) => startedMs)).toEqual([0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250]);
  });

  it("lets all begin at one moment, whatever they are", async () => {
    const clients = [
      { name: "otastream", share: 1 },
      { name: "ota-v3.4", share: 1 },
    ];
    let gathered = 0;
    const onGathered = async (): Promise<void> => {
      gathered++;
    };
    const plan = makePlan({
      together: true,
      rampDevicesPerSecond: 4,
      clients,
      faults: { rebootEveryMs: 50, latencyMs: 5 },
    });
    const { devices, releasedMs } = await runVirtualFleet(plan, FILES, { onGathered });
    expect({ gathered, releasedMs }).toEqual({ gathered: 1, releasedMs: 2250 });
    expect(devices.map(({ connectedMs }) => connectedMs)).toEqual(devices.map((_, index) => index * 250));
    for (const device of devices) {
      expect(device).toMatchObject({ startedMs: 2250, files: 2 });
      expect(device.failure, device.thing).toBeUndefined();
      expect(device.firstBlockMs).toBeGreaterThan(2250);
    }
  });

  it("draws for a device the same in whatever slice it is", async () => {
    const whole = await runVirtualFleet(EVERYTHING, FILES);
    const part = await runVirtualFleet(EVERYTHING, FILES, { slice: { part: 1, parts: 3 } });
    const traits = ({ devices }: FleetOutcome): string[] =>
      devices.map(({ thing, link, deviceProfile, client }) => `${thing} ${link} ${deviceProfile} ${client}`);
    expect(part.devices).toHaveLength(13);
    expect(traits(whole)).toEqual(expect.arrayContaining(traits(part)));
    const alone = makePlan({ links: EVERYTHING.links, faults: { loss: 0.05 } });
    const ofWhole = await runVirtualFleet(alone, FILES);
    const ofPart = await runVirtualFleet(alone, FILES, { slice: { part: 3, parts: 5 } });
    expect(ofPart.devices).toEqual([ofWhole.devices[3], ofWhole.devices[8]]);
  });

  it("keeps at most 600 snapshots however long it takes", async () => {
    let came = 0;
    const onSnapshot = (_: FleetSnapshot): void => {
      came++;
    };
    const plan = makePlan({ devices: 3, faults: { bandwidthBytesPerSecond: 1_000 } });
    const { timeline, durationMs } = await runVirtualFleet(plan, FILES, { sampleMs: 100, onSnapshot });
    expect(came).toBeGreaterThan(1_200);
    expect(timeline.length).toBeLessThanOrEqual(601);
    expect(timeline[0]?.atMs).toBe(0);
    expect(timeline.at(-1)?.atMs).toBe(durationMs);
    const steps = timeline.slice(1, -1).map(({ atMs }, index) => atMs - (timeline[index]?.atMs ?? 0));
    expect(new Set(steps.map((step) => Math.round(step / 100))).size).toBe(1);
  });

  it("stores nothing on disk", async () => {
    const plan = makePlan({ store: "disk", diskDirectory: "/nowhere" });
    await expect(runVirtualFleet(plan, FILES)).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  it("sends as much as the simulator does at 5 % loss", async () => {
    const plan = makePlan({ devices: 200, links: [{ name: "wifi-poor", share: 1 }], faults: { loss: 0.03 } });
    const outcome = await runVirtualFleet(plan, [makeFile(1024 * 1024)]);
    expect(outcome.timeline.at(-1)).toMatchObject({ done: 200, failed: 0 });
    const redundancy = sentOverBytes(outcome, 1024 * 1024);
    // docs/SIMULATION.md: 1.0533.
    expect(redundancy).toBeGreaterThan(1.0533 * 0.9);
    expect(redundancy).toBeLessThan(1.0533 * 1.1);
  });
});
