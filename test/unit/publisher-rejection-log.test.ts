/** How many lines rejected requests have in the log, and what a request that waits is kept as. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { encodeGet } from "../../shared/protocol/encode.ts";
import { encodeHex } from "../../shared/protocol/json.ts";
import { type Format, formatTopic } from "../../shared/protocol/topics.ts";
import { collectGarbage } from "../support/publisher-garbage.ts";
import { HeldStore } from "../support/publisher-held-store.ts";
import { type PublisherRig, type RigLogLine, type Sent, startRig } from "../support/publisher-rig.ts";

const IMAGE = new Uint8Array(256 * 40);
const LEFT_OUT = "rejected requests left out of the log";

let rig: PublisherRig;

beforeEach(async () => {
  rig = await startRig();
});

/** Hands over requests for a stream that is not there; each is rejected. */
async function storm(count: number, thing = "thing-1"): Promise<void> {
  for (let number = 0; number < count; number++) {
    const sent = await rig.request(formatTopic(thing, "none", "describe", "json"), {});
    expect(sent).toMatchObject([{ thing, topic: formatTopic(thing, "none", "rejected", "json") }]);
  }
}

function linesOf(thing: string): RigLogLine[] {
  return rig.logLines.filter(({ fields }) => fields.thing === thing);
}

describe("the rejections of one thing", () => {
  it("have a line each, 100 in 5 seconds, and every one is answered", async () => {
    await storm(100);
    expect(linesOf("thing-1").map(({ message }) => message)).toEqual(Array(100).fill("request rejected"));
    await storm(5);
    expect(linesOf("thing-1")).toHaveLength(100);
  });

  it("have one line that counts the others when the time is over, without a further one", async () => {
    await storm(101);
    rig.clock.advance(4999);
    await storm(6);
    expect(linesOf("thing-1")).toHaveLength(100);
    rig.clock.advance(1);
    expect(linesOf("thing-1").slice(100)).toEqual([
      { level: "warn", message: LEFT_OUT, fields: { thing: "thing-1", leftOut: 7 } },
    ]);
    rig.clock.advance(60_000);
    expect(linesOf("thing-1")).toHaveLength(101);
  });

  it("have lines again after that", async () => {
    for (let window = 0; window < 3; window++) {
      await storm(105);
      rig.clock.advance(5000);
    }
    const messages = linesOf("thing-1").map(({ message }) => message);
    expect(messages).toHaveLength(303);
    expect(messages.filter((message) => message === LEFT_OUT)).toHaveLength(3);
  });

  it("take nothing from those of another", async () => {
    await storm(110);
    rig.clock.advance(2500);
    await storm(102, "thing-2");
    rig.clock.advance(2500);
    expect(linesOf("thing-1").at(-1)?.fields).toMatchObject({ leftOut: 10 });
    expect(linesOf("thing-2")).toHaveLength(100);
    rig.clock.advance(2500);
    expect(linesOf("thing-2").at(-1)).toMatchObject({ message: LEFT_OUT, fields: { leftOut: 2 } });
  });

  it("are bounded on malformed topics and for defects, too, whose errors they count", async () => {
    for (let number = 0; number < 140; number++) await rig.request("$aws/things/a b/streams/s/get/cbor", {});
    expect(rig.logLines).toHaveLength(100);
    rig.logLines.length = 0;
    rig.registry.find = () => Promise.reject(new Error("the disk is on fire"));
    await storm(140);
    expect(rig.logLines.map(({ level }) => level)).toEqual(Array(100).fill(["error", "warn"]).flat());
  });

  it("are counted at the end when the publisher stops", async () => {
    await storm(103);
    await rig.publisher.stop();
    expect(linesOf("thing-1").at(-1)).toMatchObject({ message: LEFT_OUT, fields: { leftOut: 3 } });
    rig.clock.advance(5000);
    expect(linesOf("thing-1")).toHaveLength(101);
  });
});

describe.each<Format>(["cbor", "json"])("a request in %s that waits", (format) => {
  /** A request of 20000 bytes or more: the bitmap, and then a key that nobody knows. */
  function makeRequest(): Uint8Array {
    const blockBitmap = new Uint8Array(10_000);
    blockBitmap[1] = 0x06;
    const request = { clientToken: "rdy", fileId: 0, blockSizeBytes: 256, blockBitmap };
    return Uint8Array.from(encodeGet(format, request));
  }

  /** Hands over a request; returns what sees whether its memory is still held. */
  async function hand(): Promise<WeakRef<Uint8Array>> {
    const payload = makeRequest();
    expect(await rig.request(formatTopic("thing-1", "stream-1", "get", format), payload)).toEqual([]);
    return new WeakRef(payload);
  }

  async function answered(act: () => void): Promise<Sent[]> {
    act();
    await eventLoopTurn();
    return rig.transport.drain();
  }

  it("for the store holds nothing of its memory, and is shown in the log by its beginning", async () => {
    const store = new HeldStore();
    rig = await startRig({ objectStore: store });
    await rig.putStream([IMAGE]);
    const payload = await hand();
    await collectGarbage();
    expect(payload.deref()).toBeUndefined();
    expect(await answered(() => store.take().fail("NotFound"))).toHaveLength(1);
    const shown = makeRequest();
    const request = `${encodeHex(shown.subarray(0, 512))}... (${shown.length} bytes)`;
    expect(rig.logLines.at(-1)?.fields).toMatchObject({ code: "ResourceNotFound", request });
  });

  it("for the registry holds nothing of its memory, and gets the blocks of its bitmap", async () => {
    await rig.putStream([IMAGE]);
    const find = rig.registry.find.bind(rig.registry);
    const { promise, resolve } = Promise.withResolvers<void>();
    rig.registry.find = (streamId) => promise.then(() => find(streamId));
    const payload = await hand();
    await collectGarbage();
    expect(payload.deref()).toBeUndefined();
    expect(await answered(resolve)).toMatchObject([{ kind: "blocks", blockIds: [9, 10] }]);
  });
});
