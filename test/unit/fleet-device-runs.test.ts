/** What a simulated device makes of blocks that come at once. */
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { FleetConnection, FleetEvents, FleetNetwork } from "../../device/fleet/fleet-connection.ts";
import { FleetDevice } from "../../device/fleet/fleet-device.ts";
import { FleetJob } from "../../device/fleet/fleet-job.ts";
import { TimerWheel } from "../../device/fleet/lean-timers.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";
import { encodeDescription } from "../../shared/protocol/encode.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import { seededRandom } from "../../shared/random.ts";

const BLOCK_BYTES = 4096;
const BLOCKS = 30;
/** The file, and something behind it. */
const MEMORY = Uint8Array.from({ length: 2 * BLOCKS * BLOCK_BYTES }, (_, index) => index * 31 + (index >> 8));
const FILE = MEMORY.subarray(0, BLOCKS * BLOCK_BYTES - 7);
const LAST_BYTES = BLOCK_BYTES - 7;
/** The first answer opens the window, block by block. */
const OPENING_BLOCKS = 16;

/** A device that has its first answer and has asked for the rest, 14 blocks, at once; the test is its broker. */
function open(keepBlockCrcs = false) {
  const clock = new VirtualClock();
  const sent: GetRequest[] = [];
  const connection: FleetConnection = {
    isOpen: true,
    publish: (topic, payload) => {
      const request = topic.includes("/get/") ? decodeGet("cbor", payload, "strict") : undefined;
      if (request?.ok) sent.push(request.value.request);
      return true;
    },
    subscribe: () => {},
    pause: () => {},
    resume: () => {},
    close: () => {},
    drop: () => {},
  };
  let events: FleetEvents | undefined;
  const network: FleetNetwork = {
    timers: new TimerWheel(clock),
    nowMs: 0,
    touch: () => clock.monotonicMs(),
    connect: (_, its) => {
      events = its;
      return connection;
    },
  };
  const shared = { network, streamId: "s", format: "cbor", random: seededRandom(1), ended: () => {} } as const;
  const device = new FleetDevice(new FleetJob({ ...shared, blockSizeBytes: BLOCK_BYTES, keepBlockCrcs }), "t");
  device.start();
  events?.connected();
  const files = [{ fileId: 0, sizeBytes: FILE.length, crc32: crc32(FILE) }];
  events?.messageArrived(
    formatTopic("t", "s", "description", "cbor"),
    encodeDescription("cbor", { streamVersion: 1, files }),
  );
  const arrive = (blockId: number, blockCount: number, sizeBytes = BLOCK_BYTES, bytes = MEMORY): void => {
    const clientToken = sent.at(-1)?.clientToken;
    events?.runArrived({ fileId: 0, blockId, blockCount, sizeBytes, clientToken, bytes, start: blockId * BLOCK_BYTES });
  };
  network.nowMs = 5;
  arrive(0, OPENING_BLOCKS);
  expect(sent.map(({ blockCount }) => blockCount)).toEqual([OPENING_BLOCKS, BLOCKS - OPENING_BLOCKS]);
  return { device, sent, arrive };
}

describe("blocks that come at once", () => {
  it("are kept and counted, and the file is verified behind the last one", () => {
    const { device, arrive } = open();
    arrive(16, 4);
    arrive(20, 9);
    expect(device.stats).toMatchObject({ blocks: 29, bytes: 29 * BLOCK_BYTES, messages: 29, files: 0 });
    arrive(29, 1, LAST_BYTES);
    expect(device.stats).toMatchObject({ blocks: 30, bytes: FILE.length, receivedBytes: FILE.length, files: 1 });
    expect(device.stats).toMatchObject({ failure: undefined, requests: 2, duplicates: 0, malformedMessages: 0 });
  });

  it("are taken one by one when some of them are there already, or do not fit", () => {
    const { device, arrive } = open();
    arrive(18, 3);
    arrive(16, 13);
    expect(device.stats).toMatchObject({ blocks: 29, messages: 32, receivedBytes: 32 * BLOCK_BYTES });
    arrive(28, 4);
    arrive(29, 1, LAST_BYTES);
    expect(device.stats).toMatchObject({ files: 1, blocks: 30, messages: 37, duplicates: 4, impossible: 3 });
    expect(device.isEnded).toBe(true);
  });

  it("change nothing after the device has ended", () => {
    const { device, arrive } = open();
    device.stop();
    arrive(16, 4);
    expect(device.stats).toMatchObject({ blocks: 16, messages: 16, failure: { code: "Interrupted" } });
  });

  it("count up to the one that ended the download", () => {
    const { device, arrive } = open();
    arrive(29, 1, LAST_BYTES);
    arrive(17, 12);
    arrive(16, 13);
    expect(device.stats).toMatchObject({ files: 1, messages: 30, receivedBytes: FILE.length, duplicates: 0 });
  });

  it.each([true, false])("make a wrong file when one of them is wrong, keepBlockCrcs %s", (keepBlockCrcs) => {
    const { device, sent, arrive } = open(keepBlockCrcs);
    const wrong = MEMORY.slice();
    wrong[21 * BLOCK_BYTES] = 1 + (wrong[21 * BLOCK_BYTES] as number);
    arrive(16, 13, BLOCK_BYTES, wrong);
    arrive(29, 1, LAST_BYTES);
    expect(device.stats).toMatchObject({ files: 0, failedVerifications: 1 });
    // Without a manifest nobody can tell which.
    expect(sent.at(-1)?.blockCount).toBe(BLOCKS);
  });
});
