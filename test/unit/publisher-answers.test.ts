/** What the publisher answers to requests that it accepts, in both formats. */
import { beforeEach, describe, expect, it } from "vitest";
import { decodeDescription } from "../../shared/protocol/decode-response.ts";
import { encodeDescribe, encodeGet } from "../../shared/protocol/encode.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import { type Format, formatTopic } from "../../shared/protocol/topics.ts";
import { type PublisherRig, RIG_CHECK_INTERVAL_MS, type Sent, startRig } from "../support/publisher-rig.ts";

const FORMATS: readonly Format[] = ["cbor", "json"];
const IMAGE = Uint8Array.from({ length: 256 * 40 + 7 }, (_, index) => index % 251);
const OTHER_IMAGE = Uint8Array.from({ length: 300 }, (_, index) => index % 241);

let rig: PublisherRig;

beforeEach(async () => {
  rig = await startRig();
});

function get(
  format: Format,
  request: Partial<GetRequest> = {},
  thing = "thing-1",
  streamId = "stream-1",
): Promise<Sent[]> {
  const payload = encodeGet(format, { fileId: 0, blockSizeBytes: 256, blockCount: 2, ...request });
  return rig.request(formatTopic(thing, streamId, "get", format), payload);
}

function blocksOf(sent: readonly Sent[]): unknown[] {
  return sent.map((entry) => (entry.kind === "blocks" ? [entry.thing, entry.blockIds] : entry.topic));
}

describe.each(FORMATS)("in %s", (format) => {
  const describeTopic = formatTopic("thing-1", "stream-1", "describe", format);

  it.each([["rdy"], [""], [undefined]])(
    "a description names version, text and files, and echoes the token %j",
    async (clientToken) => {
      const { files } = await rig.putStream([IMAGE, OTHER_IMAGE], { streamVersion: 7, description: "Größe" });
      const sent = await rig.request(
        describeTopic,
        encodeDescribe(format, clientToken === undefined ? {} : { clientToken }),
      );
      expect(sent).toHaveLength(1);
      const [message] = sent as [Extract<Sent, { kind: "message" }>];
      expect(message).toMatchObject({
        thing: "thing-1",
        topic: formatTopic("thing-1", "stream-1", "description", format),
      });
      expect(decodeDescription(format, message.payload)).toEqual({
        ...(clientToken !== undefined && { clientToken }),
        streamVersion: 7,
        description: "Größe",
        files: files.map(({ fileId, sizeBytes, crc32, sha256 }) => ({ fileId, sizeBytes, crc32, sha256 })),
        hasManifest: true,
      });
    },
  );

  it.each([["rdy"], [""], [undefined]])(
    "a run names what was asked for and echoes the token %j",
    async (clientToken) => {
      const { files } = await rig.putStream([IMAGE, OTHER_IMAGE]);
      const asked = { fileId: 1, blockOffset: 1, ...(clientToken !== undefined && { clientToken }) };
      const sent = await get(format, asked);
      expect(sent).toEqual([
        {
          kind: "blocks",
          thing: "thing-1",
          blockIds: [1],
          run: {
            topic: formatTopic("thing-1", "stream-1", "data", format),
            format,
            ...(clientToken !== undefined && { clientToken }),
            fileId: 1,
            blockSizeBytes: 256,
            fileBytes: OTHER_IMAGE,
            blockIds: Uint32Array.of(1),
          },
        },
      ]);
      expect(files[1]?.sizeBytes).toBe(300);
      expect(rig.logLines).toEqual([]);
    },
  );
});

describe("reading", () => {
  it("asks the registry and the store once, and then answers within the call", async () => {
    await rig.putStream([IMAGE]);
    await get("cbor");
    const topic = formatTopic("thing-2", "stream-1", "get", "cbor");
    rig.transport.requestArrived(topic, encodeGet("cbor", { fileId: 0, blockSizeBytes: 256, blockCount: 1 }));
    expect(blocksOf(rig.transport.drain())).toEqual([["thing-2", [0]]]);
    rig.transport.requestArrived(formatTopic("thing-2", "stream-1", "describe", "json"), Buffer.from("{}"));
    expect(rig.transport.drain()).toHaveLength(1);
    expect(rig.store.calls).toEqual(["read firmware/image-0"]);
  });

  it("begins with a description: the check of the first file, if its bytes are here and the last one is too old", async () => {
    await rig.putStream([IMAGE, OTHER_IMAGE]);
    const describeIt = () =>
      rig.request(formatTopic("thing-1", "stream-1", "describe", "cbor"), encodeDescribe("cbor", {}));
    await describeIt();
    expect(rig.store.calls).toEqual([]);
    await get("cbor");
    rig.clock.advance(RIG_CHECK_INTERVAL_MS + 1);
    await describeIt();
    expect(rig.store.calls).toEqual(["read firmware/image-0", "head firmware/image-0"]);
    const topic = formatTopic("thing-1", "stream-1", "get", "cbor");
    rig.transport.requestArrived(topic, encodeGet("cbor", { fileId: 0, blockSizeBytes: 256, blockCount: 1 }));
    expect(blocksOf(rig.transport.drain())).toEqual([["thing-1", [0]]]);
    expect(rig.store.calls).toHaveLength(2);
  });

  it("shares the bytes of a file between all devices", async () => {
    await rig.putStream([IMAGE]);
    const sent = [...(await get("cbor")), ...(await get("json", {}, "thing-2"))];
    const [one, two] = sent.map((entry) => (entry.kind === "blocks" ? entry.run.fileBytes : undefined));
    expect(one).toBe(two);
  });

  it("sees an update and a deletion at once", async () => {
    const record = await rig.putStream([IMAGE]);
    await get("cbor");
    await rig.putStream([OTHER_IMAGE], { streamVersion: 1 });
    const [updated] = await get("cbor", { streamVersion: 1 });
    expect(updated).toMatchObject({ kind: "blocks", run: { fileBytes: OTHER_IMAGE } });
    const tombstone = { streamId: record.streamId, streamVersion: 1, deletedAtMs: 0 };
    await rig.registry.change(record.streamId, () => ({ state: "deleted", tombstone }));
    expect(await get("cbor")).toMatchObject([{ topic: formatTopic("thing-1", "stream-1", "rejected", "cbor") }]);
  });
});

describe("delivery", () => {
  beforeEach(async () => {
    await rig.putStream([IMAGE]);
  });

  it("goes on when the device is ready, where it stopped", async () => {
    rig.transport.take = (_thing, offered) => Math.min(2, offered);
    expect(blocksOf(await get("cbor", { blockCount: 5 }))).toEqual([["thing-1", [0, 1]]]);
    rig.transport.deviceReady("thing-1");
    expect(blocksOf(rig.transport.drain())).toEqual([["thing-1", [2, 3]]]);
    rig.transport.deviceReady("thing-1");
    rig.transport.deviceReady("thing-1");
    expect(blocksOf(rig.transport.drain())).toEqual([["thing-1", [4]]]);
  });

  it("sends each block once that a repeated request asks for while it still waits", async () => {
    rig.transport.take = () => 0;
    await get("cbor", { clientToken: "rdy", blockCount: 3 });
    await get("cbor", { clientToken: "rdy", blockOffset: 2, blockCount: 3 });
    rig.transport.take = (_thing, offered) => offered;
    rig.transport.deviceReady("thing-1");
    expect(blocksOf(rig.transport.drain())).toEqual([
      ["thing-1", [0, 1, 2]],
      ["thing-1", [3, 4]],
    ]);
  });

  it("gives up the oldest of 33 requests that wait, and says so at level debug", async () => {
    rig.transport.take = () => 0;
    for (let number = 0; number < 33; number++) await get("cbor", { clientToken: `t${number}`, blockOffset: number });
    const lines = rig.logLines.filter(({ level }) => level === "debug");
    expect(lines).toMatchObject([{ fields: { thing: "thing-1", blocks: 1 } }]);
  });

  it("keeps the formats and streams of one device apart", async () => {
    await rig.putStream([IMAGE], { streamId: "stream-2" });
    rig.transport.take = () => 0;
    await get("cbor");
    await get("json");
    await get("cbor", {}, "thing-1", "stream-2");
    rig.transport.take = (_thing, offered) => offered;
    rig.transport.deviceReady("thing-1");
    expect(rig.transport.drain().map((sent) => sent.kind === "blocks" && sent.run.topic)).toEqual([
      formatTopic("thing-1", "stream-1", "data", "cbor"),
      formatTopic("thing-1", "stream-1", "data", "json"),
      formatTopic("thing-1", "stream-2", "data", "cbor"),
    ]);
  });

  it("forgets a run that nobody receives", async () => {
    rig.transport.take = () => undefined;
    expect(await get("cbor")).toEqual([]);
    rig.transport.take = (_thing, offered) => offered;
    rig.transport.deviceReady("thing-1");
    expect(rig.transport.drain()).toEqual([]);
    expect(blocksOf(await get("cbor"))).toEqual([["thing-1", [0, 1]]]);
  });

  it("is not held up by a device that takes nothing", async () => {
    rig.transport.take = (thing, offered) => (thing === "stalled" ? 0 : offered);
    await get("cbor", {}, "stalled");
    expect(blocksOf(await get("cbor"))).toEqual([["thing-1", [0, 1]]]);
  });
});

describe("the profiles", () => {
  it("differ in the digests of a description and in whether it offers a manifest", async () => {
    rig = await startRig({ profile: "strict" });
    await rig.putStream([IMAGE]);
    const [message] = await rig.request(formatTopic("thing-1", "stream-1", "describe", "json"), {});
    const { payload } = message as Extract<Sent, { kind: "message" }>;
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({ s: 0, r: [{ f: 0, z: IMAGE.length }] });
  });

  it("let the lenient one say in the log what it forgave", async () => {
    await rig.putStream([IMAGE]);
    const topic = formatTopic("thing-1", "stream-1", "get", "json");
    expect(blocksOf(await rig.request(topic, { f: 0, l: 256, b: [5], n: 9 }))).toEqual([["thing-1", [0, 2]]]);
    expect(rig.logLines).toEqual([
      {
        level: "info",
        message: "request forgiven",
        fields: { thing: "thing-1", streamId: "stream-1", forgiven: ["block bitmap (b) as an array"] },
      },
    ]);
  });

  it("let the lenient one say in the log that a bitmap came without n", async () => {
    await rig.putStream([IMAGE]);
    await get("json", { blockBitmap: Uint8Array.of(5), blockCount: 0 });
    const forgiven = ["block count (n) missing beside a block bitmap (b)"];
    expect(rig.logLines).toMatchObject([{ level: "info", message: "request forgiven", fields: { forgiven } }]);
  });
});
