/** Every case of a data answer through every lane to a device, compared with the golden bytes packet by packet. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Format } from "../../shared/protocol/topics.ts";
import {
  type DataPacket,
  externalLane,
  LANE_END_STREAM,
  LANE_OBSERVER,
  type Lane,
  type OpenLane,
  OWN_LANES,
} from "../support/lane.ts";
import {
  encodeLaneRequest,
  LANE_CASES,
  LANE_STREAMS,
  type LaneCase,
  LONG_REQUESTS,
  rightAnswer,
} from "../support/lane-case.ts";
import { hasMosquitto, type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";

const FORMATS: readonly Format[] = ["cbor", "json"];
const BLOCK_SIZES = [256, 1024, 4096, 16_384, 131_072];
/** Longer than the tests take: an object that is checked again would delay one answer behind another. */
const CHECK_INTERVAL_MS = 3_600_000;

async function startLaneServer(overrides: Parameters<typeof startRunningServer>[0]): Promise<RunningServer> {
  const server = await startRunningServer({ checkIntervalMs: CHECK_INTERVAL_MS, ...overrides });
  for (const [streamId, files] of LANE_STREAMS) await server.publish(streamId, files);
  await server.publish(LANE_END_STREAM, [Uint8Array.of(1)]);
  return server;
}

/** Says how two packets differ, or nothing. */
function differ(seen: DataPacket, right: DataPacket): string | undefined {
  for (const key of ["topic", "qos", "dup", "retain"] as const) {
    if (seen[key] !== right[key]) return `${key} is ${seen[key]}, not ${right[key]}`;
  }
  if (seen.payload.equals(right.payload)) return undefined;
  return `${seen.payload.length} bytes ${seen.payload.toString("hex", 0, 80)}, not ${right.payload.length} bytes ${right.payload.toString("hex", 0, 80)}`;
}

/** Says how what was seen differs from what is right, or nothing. */
function judge(seen: readonly DataPacket[], right: readonly DataPacket[]): string | undefined {
  if (seen.length !== right.length) return `${seen.length} packets, not ${right.length}`;
  for (const [index, packet] of seen.entries()) {
    const difference = differ(packet, right[index] as DataPacket);
    if (difference !== undefined) return `packet ${index} of ${seen.length}: ${difference}`;
  }
  return undefined;
}

async function checkCase(lane: Lane, format: Format, blockSizeBytes: number, each: LaneCase): Promise<void> {
  const requests = each.requests(blockSizeBytes);
  for (const together of each.oneByOne ? requests.map((request) => [request]) : [requests]) {
    const seen = await lane.exchange(together.map((request) => encodeLaneRequest(lane.thing, format, request)));
    const right = rightAnswer(lane.thing, format, together, seen[0]?.length ?? 0);
    for (const packets of seen) expect(judge(packets, right)).toBeUndefined();
  }
}

/** What is asked for first waits for its file, and lets others pass: so each file is asked for before. */
async function warmUp(lane: Lane): Promise<void> {
  for (const [streamId, files] of LANE_STREAMS) {
    for (const f of files.keys()) {
      const request = encodeLaneRequest(lane.thing, "cbor", { streamId, members: { f, l: 131_072, n: 1 } });
      for (let seen = 0; seen === 0; ) seen = (await lane.exchange([request]))[0]?.length ?? 0;
    }
  }
}

function describeLane(name: string, index: number, open: OpenLane, serverOf: () => RunningServer): void {
  describe(`data messages by ${name}`, () => {
    let lane: Lane;
    beforeAll(async () => {
      lane = await open(serverOf(), `lane-device-${index}`);
      await warmUp(lane);
    });
    afterAll(() => lane?.close());

    for (const format of FORMATS) {
      for (const blockSizeBytes of BLOCK_SIZES) {
        it.each(LANE_CASES)(`$name, ${format}, blocks of ${blockSizeBytes} bytes`, (each) =>
          checkCase(lane, format, blockSizeBytes, each),
        );
      }
    }
  });
}

describe("the server's own broker", () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startLaneServer({ observers: [LANE_OBSERVER] });
  });
  afterAll(() => server?.close());

  for (const [index, [name, open]] of Object.entries(OWN_LANES).entries()) {
    describeLane(name, index, open, () => server);
  }

  it.each(["TCP", "WebSocket"])("a device on %s that does not read gets its own bytes later", async (name) => {
    const [slow, fast] = await Promise.all(
      ["slow", "fast"].map((thing) => (OWN_LANES[name] as OpenLane)(server, `${thing}-${name}`)),
    );
    if (slow === undefined || fast === undefined) throw new Error("two lanes were opened");
    const ask = (lane: Lane) => lane.exchange(LONG_REQUESTS.map((each) => encodeLaneRequest(lane.thing, "json", each)));
    await warmUp(slow);
    slow.hold(true);
    const late = ask(slow);
    await ask(fast);
    slow.hold(false);
    const [seen = []] = await late;
    expect(judge(seen, rightAnswer(slow.thing, "json", LONG_REQUESTS, seen.length))).toBeUndefined();
    slow.close();
    fast.close();
  });
});

describe.skipIf(!hasMosquitto())("a broker elsewhere", () => {
  let mosquitto: Mosquitto;
  let server: RunningServer;
  beforeAll(async () => {
    mosquitto = await startMosquitto();
    server = await startLaneServer({ brokerUrl: mosquitto.url });
  });
  afterAll(async () => {
    await server?.close();
    await mosquitto?.stop();
  });

  describeLane(
    "mosquitto",
    0,
    (running, thing) => externalLane(mosquitto.port)(running, thing),
    () => server,
  );
});
