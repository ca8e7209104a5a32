/** What a defect costs: the answer it happened in, one error in the log, and nothing else. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import type { StreamEntry, StreamFile } from "../../publisher/protocol/stream.ts";
import { decodeRejected } from "../../shared/protocol/decode-response.ts";
import { encodeGet } from "../../shared/protocol/encode.ts";
import { formatTopic, parseTopic } from "../../shared/protocol/topics.ts";
import { type PublisherRig, type Sent, startRig } from "../support/publisher-rig.ts";

const IMAGE = new Uint8Array(256 * 40);

let rig: PublisherRig;

beforeEach(async () => {
  rig = await startRig();
  await rig.putStream([IMAGE]);
});

function get(clientToken: string, blockOffset = 0, thing = "thing-1"): Promise<Sent[]> {
  const request = { clientToken, fileId: 0, blockSizeBytes: 256, blockOffset, blockCount: 2 };
  return rig.request(formatTopic(thing, "stream-1", "get", "cbor"), encodeGet("cbor", request));
}

/** What was sent, in short: thing and blocks, or thing, operation, token and code. */
function shown(sent: readonly Sent[]): unknown[] {
  return sent.map((entry) => {
    if (entry.kind === "blocks") return [entry.thing, ...entry.blockIds];
    const topic = parseTopic(entry.topic);
    const rejected = decodeRejected("cbor", entry.payload);
    return [entry.thing, topic?.kind === "stream" && topic.operation, rejected?.clientToken, rejected?.code];
  });
}

function errors(): unknown[] {
  return rig.logLines.filter(({ level }) => level === "error").map(({ fields }) => fields.error);
}

describe("a transport that throws", () => {
  const defect = new Error("no such chunk");

  it("at a run loses that run, tells its device, and goes on with the next", async () => {
    rig.transport.take = (_thing, offered, run) => {
      if (run.clientToken === "bad") throw defect;
      return offered;
    };
    expect(shown(await get("bad"))).toEqual([["thing-1", "rejected", "bad", "InternalError"]]);
    expect(errors()).toEqual([defect]);
    expect(shown(await get("good"))).toEqual([["thing-1", 0, 1]]);
    rig.transport.deviceReady("thing-1");
    expect(rig.transport.drain()).toEqual([]);
    expect(errors()).toHaveLength(1);
  });

  it("at a run in the middle of a queue holds up neither the device's other runs nor other devices", async () => {
    rig.transport.take = () => 0;
    await get("bad");
    await get("good", 10);
    await get("other", 0, "thing-2");
    rig.transport.take = (_thing, offered, run) => {
      if (run.clientToken === "bad") throw defect;
      return offered;
    };
    rig.transport.deviceReady("thing-1");
    rig.transport.deviceReady("thing-2");
    expect(shown(rig.transport.drain())).toEqual([
      ["thing-1", "rejected", "bad", "InternalError"],
      ["thing-1", 10, 11],
      ["thing-2", 0, 1],
    ]);
    expect(errors()).toEqual([defect]);
  });

  it("at a message is in the log once, for descriptions as for rejections", async () => {
    rig.transport.sendMessage = () => {
      throw defect;
    };
    await rig.request(formatTopic("thing-1", "stream-1", "describe", "json"), {});
    expect(errors()).toEqual([defect]);
    await rig.request(formatTopic("thing-1", "none", "describe", "json"), {});
    await rig.request(formatTopic("thing-1", "stream-1", "describe", "json"), Uint8Array.of(0));
    await rig.request("$aws/things/thing-1/streams/stream-1/fetch/json", {});
    expect(errors()).toEqual([defect, defect, defect, defect]);
  });
});

describe("a record that breaks the plan", () => {
  /** A file whose size cannot be read. */
  const poison = (): { files: StreamFile[] } => {
    const file = { fileId: 0, s3Location: { bucket: "b", key: "k" }, etag: '"e"', crc32: 0, sha256: "" } as StreamFile;
    Object.defineProperty(file, "sizeBytes", {
      enumerable: true,
      get: () => {
        throw new TypeError("a defect");
      },
    });
    return { files: [file] };
  };

  it("is InternalError without details, with the token, when the stream is at hand", async () => {
    await get("first");
    const find = rig.registry.find.bind(rig.registry);
    rig.registry.find = async (streamId) => {
      const entry = await find(streamId);
      return entry?.state === "live" ? { ...entry, record: { ...entry.record, ...poison() } } : entry;
    };
    await rig.putStream([IMAGE]);
    // The first request waits for the registry, the second one finds the record at hand.
    for (const token of ["waited", "at hand"]) {
      const sent = await get(token);
      expect(shown(sent)).toEqual([["thing-1", "rejected", token, "InternalError"]]);
      expect(
        JSON.stringify(decodeRejected("cbor", (sent[0] as Extract<Sent, { kind: "message" }>).payload)),
      ).not.toMatch(/defect/);
    }
    expect(errors()).toMatchObject([{ message: "a defect" }, { message: "a defect" }]);
  });

  it("leaves room for as many requests to wait as before", async () => {
    for (let round = 0; round < 3; round++) {
      const { promise, resolve } = Promise.withResolvers<StreamEntry>();
      rig.registry.find = () => promise;
      const record = await rig.putStream([IMAGE]);
      for (let number = 0; number < 64; number++) expect(await get(`t${number}`)).toEqual([]);
      resolve({ state: "live", record: { ...record, ...poison() } });
      await eventLoopTurn();
      expect(shown(rig.transport.drain())).toEqual(
        Array.from({ length: 64 }, (_, number) => ["thing-1", "rejected", `t${number}`, "InternalError"]),
      );
    }
  });
});
