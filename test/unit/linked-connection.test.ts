import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { DeviceLink, FLEET_FAULTS } from "../../device/fleet/device-link.ts";
import { DEVICE_PROFILES, type DeviceProfile } from "../../device/fleet/device-profiles.ts";
import { emptyTally } from "../../device/fleet/faults.ts";
import type { FleetConnection, FleetEvents, FleetNetwork } from "../../device/fleet/fleet-connection.ts";
import type { FleetFaults } from "../../device/fleet/fleet-plan.ts";
import { newDeviceStats } from "../../device/fleet/fleet-stats.ts";
import { TimerWheel } from "../../device/fleet/lean-timers.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { makePlan } from "../support/virtual-fleet.ts";

const BLOCK = new Uint8Array(4096).fill(7);

/** A connection behind a link, with the test as the network inside and the device outside. */
function open(
  faults: FleetFaults,
  device: DeviceProfile = DEVICE_PROFILES.linux,
  onBlock: (blockId: number) => void = () => {},
) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const told: string[] = [];
  const inner: FleetConnection = {
    isOpen: true,
    publish: (topic) => lines.push(`publish ${topic}`) > 0,
    subscribe: () => {},
    pause: () => lines.push("pause"),
    resume: () => lines.push("resume"),
    close: () => lines.push("close"),
    drop: () => lines.push("drop"),
  };
  const network: FleetNetwork = {
    timers: new TimerWheel(clock),
    nowMs: 0,
    touch: () => clock.monotonicMs(),
    connect: () => inner,
  };
  const events = {
    takeBlock: (_file: number, blockId: number, _size: number, _token: string | undefined, crc: number) => {
      told.push(`block ${blockId} ${crc}`);
      onBlock(blockId);
    },
    messageArrived: (topic: string, payload: Uint8Array) => told.push(`${topic} ${Buffer.from(payload)}`),
    lost: ({ code }: OtaError) => told.push(code),
  } as unknown as FleetEvents;
  const stats = newDeviceStats();
  const tally = emptyTally(FLEET_FAULTS);
  const shared = { network, clock, timers: new TimerWheel(clock, 1), plan: makePlan({ faults }), tally };
  const link = new DeviceLink(shared, { index: 0, profile: undefined, device, stats });
  const connection = link.connect({ clientId: "t", topicFilters: [] }, events) as FleetConnection & FleetEvents;
  const sendBlock = (blockId: number): void => {
    connection.payloadArrived(BLOCK, 0, 1000);
    connection.payloadArrived(BLOCK, 1000, 4096);
    connection.blockArrived(0, blockId, 4096, undefined);
  };
  return {
    connection,
    sendBlock,
    clock,
    lines,
    told,
    stats,
    tally,
    run: (ms: number) => clock.runUntil(() => false, ms),
  };
}

describe("a connection behind a link", () => {
  it("carries nothing of what came at once behind the end", () => {
    const { connection, stats } = open({ loss: 0 }, undefined, (blockId) => {
      if (blockId === 1) connection.close();
    });
    connection.runArrived({ fileId: 0, blockId: 0, blockCount: 1, sizeBytes: 4096, bytes: BLOCK, start: 0 });
    const bytes = new Uint8Array(3 * 4096);
    connection.runArrived({ fileId: 0, blockId: 1, blockCount: 3, sizeBytes: 4096, bytes, start: 0 });
    expect(stats.sentBytes).toBe(2 * 4096);
  });

  it("carries blocks that came at once as messages of their own", async () => {
    const { connection, told, run, stats } = open({ bandwidthBytesPerSecond: 8192 });
    const bytes = Uint8Array.from({ length: 2 * 4096 + 9 }, (_, index) => index / 4096);
    connection.runArrived({ fileId: 0, blockId: 5, blockCount: 2, sizeBytes: 4096, bytes, start: 9 });
    expect(stats.sentBytes).toBe(8192);
    await run(700);
    const crcs = [bytes.subarray(9, 4105), bytes.subarray(4105)].map((payload) => crc32(payload));
    expect(told).toEqual([`block 5 ${crcs[0]}`]);
    await run(2000);
    expect(told).toEqual([`block 5 ${crcs[0]}`, `block 6 ${crcs[1]}`]);
  });

  it("is not read while 64 KiB wait, and hands over every block with its CRC-32", async () => {
    const { sendBlock, lines, told, run, stats } = open({ bandwidthBytesPerSecond: 65_536 });
    for (let blockId = 0; blockId < 20; blockId++) sendBlock(blockId);
    expect(lines).toEqual(["pause"]);
    await run(10_000);
    expect(lines).toEqual(["pause", "resume"]);
    expect(told).toEqual(Array.from({ length: 20 }, (_, blockId) => `block ${blockId} ${crc32(BLOCK)}`));
    expect(stats.sentBytes).toBe(20 * 4096);
  });

  it("counts as sent what the link then loses", async () => {
    const { sendBlock, told, run, stats, tally } = open({ loss: 1 });
    for (let blockId = 0; blockId < 3; blockId++) sendBlock(blockId);
    await run(10_000);
    expect(told).toEqual([]);
    expect(stats.sentBytes).toBe(3 * 4096);
    expect(tally.drop).toBe(3);
  });

  it("takes no request while the way out is full", async () => {
    const { connection, lines, run } = open({ bandwidthBytesPerSecond: 1_000 });
    expect(connection.publish("a", new Uint8Array(70_000))).toBe(true);
    expect(connection.publish("b", new Uint8Array(1))).toBe(false);
    await run(80_000);
    expect(lines).toEqual(["publish a"]);
    expect(connection.publish("c", new Uint8Array(1))).toBe(true);
  });

  it("loses the blocks for which a device with slow flash has no buffer", async () => {
    const { sendBlock, told, run, tally } = open({}, DEVICE_PROFILES["freertos-slow-flash"]);
    for (let blockId = 0; blockId < 12; blockId++) sendBlock(blockId);
    expect(tally["few-buffers"]).toBe(4);
    await run(51);
    expect(told).toHaveLength(0);
    // 51.4 ms a block.
    await run(53);
    expect(told).toHaveLength(1);
    await run(1_000);
    expect(told).toHaveLength(8);
  });

  it("keeps a copy of a message, whose memory is its connection's", async () => {
    const { connection, told, run } = open({ latencyMs: 10 });
    const payload = Buffer.from("text");
    connection.messageArrived("topic", payload);
    payload.fill(0);
    await run(100);
    expect(told).toEqual(["topic text"]);
  });

  it.each(["close", "drop"] as const)("tells nothing after %s, and after its loss", async (end) => {
    const { connection, sendBlock, told, lines, run } = open({ latencyMs: 10 });
    sendBlock(0);
    connection[end]();
    await run(100);
    expect([lines, told]).toEqual([[end], []]);
    const other = open({ latencyMs: 10 });
    other.sendBlock(0);
    other.connection.lost(new OtaError("ConnectionLost", "gone"));
    await other.run(100);
    expect(other.told).toEqual(["ConnectionLost"]);
  });
});
