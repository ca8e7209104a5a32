/** Simulated devices download from the whole server: every format and block size, through losses, reboots and corruption. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FleetDevice } from "../../device/fleet/fleet-device.ts";
import { FleetJob, type FleetJobOptions } from "../../device/fleet/fleet-job.ts";
import type { DeviceStats } from "../../device/fleet/fleet-stats.ts";
import { LeanNetwork } from "../../device/fleet/lean-network.ts";
import { seededRandom } from "../../shared/random.ts";
import { makeFile } from "../support/broker.ts";
import { REQUEST_SHAPES } from "../support/otastream-delivery.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";

const ORIGINALS = [1, 131_073, 300_001].map(makeFile);
const ALL_BYTES = 1 + 131_073 + 300_001;
const STREAM_ID = "three-files";

let server: RunningServer;
beforeAll(async () => {
  server = await startRunningServer();
  await server.publish(STREAM_ID, ORIGINALS);
});
afterAll(() => server.close());

/** Runs devices to their ends; `during` may disturb them. */
async function run(
  names: readonly string[],
  options: Partial<FleetJobOptions> = {},
  during: (devices: readonly FleetDevice[]) => void = () => {},
): Promise<Map<string, DeviceStats>> {
  const ended = new Map<string, DeviceStats>();
  const over = Promise.withResolvers<void>();
  const job = new FleetJob({
    network: new LeanNetwork({ url: server.urls.mqtt }),
    streamId: STREAM_ID,
    format: "cbor",
    blockSizeBytes: 4096,
    random: seededRandom(7),
    ...options,
    ended: (thing, stats) => {
      ended.set(thing, stats);
      if (ended.size === names.length) over.resolve();
    },
  });
  const devices = names.map((thing) => new FleetDevice(job, thing));
  for (const device of devices) device.start();
  during(devices);
  await over.promise;
  return ended;
}

function blocksIn(blockSizeBytes: number): number {
  return ORIGINALS.reduce((sum, { length }) => sum + Math.ceil(length / blockSizeBytes), 0);
}

describe("a simulated device", () => {
  it.each(REQUEST_SHAPES)("verifies three files in $format, blocks of $blockSizeBytes bytes", async (shape) => {
    const thing = `shape-${shape.format}-${shape.blockSizeBytes}`;
    const stats = (await run([thing], shape)).get(thing);
    expect(stats).toMatchObject({
      failure: undefined,
      files: 3,
      filesWithoutDigest: 0,
      failedVerifications: 0,
      connections: 1,
      blocks: blocksIn(shape.blockSizeBytes),
      bytes: ALL_BYTES,
      malformedMessages: 0,
      impossible: 0,
    });
    expect(stats?.messages).toBe((stats?.blocks ?? 0) + (stats?.duplicates ?? 0));
  });

  it("downloads one file of the stream when that is named", async () => {
    const stats = (await run(["one"], { fileId: 1 })).get("one");
    expect(stats).toMatchObject({ failure: undefined, files: 1, bytes: 131_073 });
  });

  it("waits while it is held, and ends when it is stopped", async () => {
    const stats = (
      await run(["held"], {}, ([device]) => {
        device?.stop();
      })
    ).get("held");
    expect(stats?.failure?.code).toBe("Interrupted");
    const ended = Promise.withResolvers<DeviceStats>();
    const network = new LeanNetwork({ url: server.urls.mqtt });
    const common = { network, streamId: STREAM_ID, format: "cbor", blockSizeBytes: 4096 } as const;
    const job = new FleetJob({ ...common, random: seededRandom(1), ended: (_, each) => ended.resolve(each) });
    const held = new FleetDevice(job, "held-2");
    held.start(true);
    const other = (await run(["not-held"])).get("not-held");
    expect(other?.files).toBe(3);
    expect(held.isEnded).toBe(false);
    held.release();
    expect(await ended.promise).toMatchObject({ failure: undefined, files: 3, connections: 1 });
  });

  it("is one of fifty that share one process", async () => {
    const names = Array.from({ length: 50 }, (_, index) => `many-${index}`);
    const all = await run(names);
    for (const stats of all.values()) expect(stats).toMatchObject({ failure: undefined, files: 3, bytes: ALL_BYTES });
  });

  it("ends with the session's reason: no such stream, no such file", async () => {
    const stats = (await run(["lost"], { streamId: "nothing" })).get("lost");
    expect(stats?.failure).toMatchObject({ code: "StreamNotFound" });
    expect((await run(["lost"], { fileId: 9 })).get("lost")?.failure).toMatchObject({ code: "FileNotFound" });
  });

  it("ends with BrokerUnreachable when the first connection cannot be made", async () => {
    const gone = createServer();
    gone.listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, "close");
    const network = new LeanNetwork({ url: `mqtt://127.0.0.1:${port}` });
    const stats = (await run(["early"], { network })).get("early");
    expect(stats).toMatchObject({ connections: 0, failure: { code: "BrokerUnreachable" } });
  });
});

/** Calls `act` once a device has so many new blocks, whether they come one by one or at once. */
function atBlocks(device: FleetDevice | undefined, count: number, act: () => void): void {
  if (device === undefined) return;
  const takeBlock = device.takeBlock.bind(device);
  const runArrived = device.runArrived.bind(device);
  const look = (): void => {
    if (device.stats.blocks < count) return;
    Object.assign(device, { takeBlock, runArrived });
    act();
  };
  device.takeBlock = (...block) => {
    takeBlock(...block);
    look();
  };
  device.runArrived = (run) => {
    runArrived(run);
    look();
  };
}

describe("a simulated device that is disturbed", () => {
  it("comes back after its connection is cut, and keeps what it has", async () => {
    const all = await run(["cut"], { maxWindowBytes: 16_384 }, ([device]) => {
      atBlocks(device, 50, () => device?.disconnect());
    });
    expect(all.get("cut")).toMatchObject({ failure: undefined, files: 3, connections: 2, bytes: ALL_BYTES });
    expect(all.get("cut")?.blocks).toBe(blocksIn(4096));
  });

  it("goes on after a reboot where it was, finished files included", async () => {
    const all = await run(["reboot"], { maxWindowBytes: 16_384 }, ([device]) => {
      atBlocks(device, 50, () => device?.reboot(0));
    });
    expect(all.get("reboot")).toMatchObject({
      failure: undefined,
      files: 3,
      connections: 2,
      reboots: 1,
      bytes: ALL_BYTES,
    });
    expect(all.get("reboot")?.blocks).toBe(blocksIn(4096));
  });

  it.each([
    { keepBlockCrcs: true, again: 1 },
    { keepBlockCrcs: false, again: 74 },
  ])("fetches $again blocks again after one came wrong, keepBlockCrcs $keepBlockCrcs", async (shape) => {
    const door = await openCorruptingDoor(server.urls.mqtt, 200_000);
    try {
      const network = new LeanNetwork({ url: door.url });
      const thing = `bad-${shape.keepBlockCrcs}`;
      const all = await run([thing], { network, keepBlockCrcs: shape.keepBlockCrcs, fileId: 2 });
      expect(all.get(thing)).toMatchObject({
        failure: undefined,
        files: 1,
        failedVerifications: 1,
        blocks: Math.ceil(300_001 / 4096) + shape.again,
      });
    } finally {
      door.close();
    }
  });
});

/** A door to the broker that changes the byte at an offset of what goes to the device. */
async function openCorruptingDoor(brokerUrl: string, offset: number): Promise<{ readonly url: string; close(): void }> {
  const { hostname, port } = new URL(brokerUrl);
  const opened = createServer((device) => {
    const broker = connect(Number(port), hostname);
    let passed = 0;
    device.on("error", () => {}).pipe(broker);
    broker
      .on("error", () => {})
      .on("data", (bytes: Buffer) => {
        const at = offset - passed;
        if (at >= 0 && at < bytes.length) bytes[at] = (bytes[at] as number) ^ 1;
        passed += bytes.length;
        device.write(bytes);
      });
    broker.on("close", () => device.destroy());
  });
  opened.listen(0, "127.0.0.1");
  await once(opened, "listening");
  return {
    url: `mqtt://127.0.0.1:${(opened.address() as AddressInfo).port}`,
    close: () => opened.close(),
  };
}
