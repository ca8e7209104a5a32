/** Whole downloads by the real agent from a publisher with a pace or with quotas, in virtual time. */
import { describe, expect, it } from "vitest";
import { DEVICE_PROFILES } from "../../device/fleet/device-profiles.ts";
import { LINK_PROFILES, type LinkProfile } from "../../device/fleet/link-profiles.ts";
import { limitTransport } from "../../publisher/limited-transport.ts";
import { QuotaLog } from "../../shared/quota-log.ts";
import { recordLog } from "../support/broker.ts";
import type { Traffic } from "./sim-connection.ts";
import { SimWorld } from "./sim-world.ts";

const FILE_BYTES = 524_288;
const LIMIT_MS = 60 * 60 * 1000;

interface Limits {
  readonly pace?: number;
  readonly quotas?: boolean;
}

interface Outcome {
  readonly traffic: Traffic;
  readonly milliseconds: number;
  /** How often each quota was exceeded. */
  readonly exceeded: ReadonlyMap<unknown, number>;
}

async function download(limits: Limits, blockSizeBytes: number, link: LinkProfile): Promise<Outcome> {
  const log = recordLog();
  let quotaLog: QuotaLog | undefined;
  const world = new SimWorld({
    seed: 1,
    rates: {},
    fileSizes: [FILE_BYTES],
    devices: [{ link, profile: DEVICE_PROFILES.linux, blockSizeBytes, format: "cbor" }],
    around: (broker, clock) => {
      quotaLog = limits.quotas === true ? new QuotaLog(log, clock) : undefined;
      return limitTransport(broker, { clock, quotaLog, paceBytesPerSecond: limits.pace });
    },
  });
  await world.start();
  const [device] = world.devices;
  await world.clock.runUntil(() => device?.result !== undefined || device?.bug !== undefined, LIMIT_MS);
  expect(device?.bug).toBeUndefined();
  expect(device?.failures).toEqual([]);
  expect(device?.hasImage(0, world.published.get(0)?.at(-1) as Uint8Array)).toBe(true);
  quotaLog?.close();
  const exceeded = new Map<unknown, number>();
  for (const { fields } of log.lines) {
    exceeded.set(fields.quota, (exceeded.get(fields.quota) ?? 0) + (fields.count as number));
  }
  const traffic = world.broker.trafficOf("thing-0");
  const { firstGetAtMs = 0, lastBlockAtMs = 0 } = traffic;
  return { traffic, milliseconds: lastBlockAtMs - firstGetAtMs, exceeded };
}

describe("with a pace", () => {
  it.each([
    ["lan", 65_536, 4096],
    ["lan", 65_536, 16_384],
    ["lan", 16_384, 16_384],
    ["lte-m", 16_384, 4096],
    ["satellite", 16_384, 4096],
  ] as const)(
    "on the link %s without loss, %d bytes a second in blocks of %d: kept, and no block sent twice",
    async (name, pace, blockSizeBytes) => {
      const link = { ...LINK_PROFILES[name], loss: 0 };
      const { traffic, milliseconds } = await download({ pace }, blockSizeBytes, link);
      expect(traffic.sentPayloadBytes).toBe(FILE_BYTES);
      const paceMs = ((FILE_BYTES - blockSizeBytes) / pace) * 1000;
      expect(milliseconds).toBeGreaterThanOrEqual(paceMs - 200);
      expect(milliseconds).toBeLessThanOrEqual(paceMs * 1.05 + 4 * link.roundTripMs);
    },
  );

  it("of a block in four seconds, a device asks again once before it knows, and never after", async () => {
    const { traffic } = await download({ pace: 1024 }, 4096, LINK_PROFILES.lan);
    expect(traffic.sentPayloadBytes).toBeLessThanOrEqual(FILE_BYTES + 2 * 4096);
  });
});

describe("with the quotas of AWS", () => {
  it("large blocks come at 512 KiB a second; nothing is discarded or sent twice", async () => {
    const { traffic, milliseconds, exceeded } = await download({ quotas: true }, 16_384, LINK_PROFILES.lan);
    expect(traffic.sentPayloadBytes).toBe(FILE_BYTES);
    expect([...exceeded.keys()]).toEqual(["throughputBytesPerSecond"]);
    expect(milliseconds).toBeGreaterThan(850);
    expect(milliseconds).toBeLessThan(1100);
  });

  it("small blocks are discarded above 100 publishes a second, and the download still ends", async () => {
    const { traffic, milliseconds, exceeded } = await download({ quotas: true }, 1024, LINK_PROFILES.lan);
    expect(traffic.sentPayloadBytes).toBe(FILE_BYTES);
    expect(exceeded.get("publishesPerSecond")).toBeGreaterThan(100);
    expect(milliseconds).toBeGreaterThan(4000);
    expect(milliseconds).toBeLessThan(20_000);
  });

  it("a slower pace is kept, and is no quota's doing", async () => {
    const { milliseconds, exceeded } = await download({ quotas: true, pace: 65_536 }, 4096, LINK_PROFILES.lan);
    expect(milliseconds).toBeGreaterThan(7800);
    expect([...exceeded.keys()]).toEqual([]);
  });
});
