/** Whole fleets against the whole server: what they come to, device by device. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import { runFleet } from "../../device/fleet/run-fleet.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { makeFile } from "../support/broker.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";

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
  return {
    brokerUrl: server.urls.mqtt,
    streamId: STREAM_ID,
    devices: 5,
    seed: 7,
    links: [],
    deviceProfiles: [],
    clients: [],
    faults: {},
    connection: "lean",
    store: "verify",
    blockSizeBytes: 4096,
    format: "cbor",
    sourceAddresses: [],
    thingPrefix: "fleet",
    ...plan,
  };
}

const WHOLE = { part: 0, parts: 1 };

describe("a fleet", () => {
  it("fetches all files on every device", async () => {
    const outcome = await runFleet({ plan: planOf({}), slice: WHOLE, clock: systemClock, log: silentLog });
    expect(outcome.devices).toHaveLength(5);
    for (const device of outcome.devices) expect(device).toMatchObject({ files: 3, bytes: ALL_BYTES, connections: 1 });
    expect(outcome.timeline.at(-1)).toMatchObject({ done: 5, failed: 0, bytes: 5 * ALL_BYTES });
    expect(outcome.heat).toHaveLength(5);
  });
});
