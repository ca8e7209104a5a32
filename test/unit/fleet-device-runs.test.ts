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

const BLOCK_BYTES = 256;
/** The file, and something behind it. */
const MEMORY = Uint8Array.from({ length: 20 * BLOCK_BYTES }, (_, index) => index * 31);
const FILE = MEMORY.subarray(0, 10 * BLOCK_BYTES - 7);

/** A device that was told of a file and has asked for all of it; the test is its broker. */
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
    const clientToken = sent[0]?.clientToken;
    events?.runArrived({ fileId: 0, blockId, blockCount, sizeBytes, clientToken, bytes, start: blockId * BLOCK_BYTES });
  };
  return { device, sent, arrive };
}

describe("blocks that come at once", () => {
  it("are kept and counted, and the file is verified behind the last one", () => {
    const { device, arrive } = open();
    arrive(0, 4);
    arrive(4, 5);
    expect(device.stats).toMatchObject({ blocks: 9, bytes: 9 * BLOCK_BYTES, messages: 9, files: 0 });
    arrive(9, 1, BLOCK_BYTES - 7);
    expect(device.stats).toMatchObject({ blocks: 10, bytes: FILE.length, receivedBytes: FILE.length, files: 1 });
    expect(device.stats).toMatchObject({ failure: undefined, requests: 1, duplicates: 0, malformedMessages: 0 });
  });

  it("are taken one by one when some of them are there already, or do not fit", () => {
    const { device, arrive } = open();
    arrive(2, 3);
    arrive(0, 9);
    expect(device.stats).toMatchObject({ blocks: 9, messages: 12, receivedBytes: 12 * BLOCK_BYTES });
    arrive(8, 4);
    arrive(9, 1, BLOCK_BYTES - 7);
    expect(device.stats).toMatchObject({ files: 1, blocks: 10, messages: 17, duplicates: 4, impossible: 3 });
    expect(device.isEnded).toBe(true);
  });

  it("change nothing after the device has ended", () => {
    const { device, arrive } = open();
    device.stop();
    arrive(0, 4);
    expect(device.stats).toMatchObject({ blocks: 0, messages: 0, failure: { code: "Interrupted" } });
  });

  it("count up to the one that ended the download", () => {
    const { device, arrive } = open();
    arrive(9, 1, BLOCK_BYTES - 7);
    arrive(1, 8);
    arrive(0, 9);
    expect(device.stats).toMatchObject({ files: 1, messages: 10, receivedBytes: FILE.length, duplicates: 0 });
  });

  it.each([true, false])("make a wrong file when one of them is wrong, keepBlockCrcs %s", (keepBlockCrcs) => {
    const { device, sent, arrive } = open(keepBlockCrcs);
    const wrong = MEMORY.slice();
    wrong[5 * BLOCK_BYTES] = 1 + (wrong[5 * BLOCK_BYTES] as number);
    arrive(0, 9, BLOCK_BYTES, wrong);
    arrive(9, 1, BLOCK_BYTES - 7);
    expect(device.stats).toMatchObject({ files: 0, failedVerifications: 1 });
    // Without a manifest nobody can tell which.
    expect(sent.at(-1)?.blockCount).toBe(10);
  });
});
