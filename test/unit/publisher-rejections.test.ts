/** Every rejection the publisher gives: its topic, its two forms, its token, and its line in the log. */
import { beforeEach, describe, expect, it } from "vitest";
import { decodeCbor, encodeCbor } from "../../shared/protocol/cbor.ts";
import { encodeJson } from "../../shared/protocol/json.ts";
import { REJECTION_CODES, type RejectionCode } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { type PublisherRig, RIG_CHECK_INTERVAL_MS, type Sent, startRig } from "../support/publisher-rig.ts";

const FORMATS: readonly Format[] = ["cbor", "json"];
const IMAGE = new Uint8Array(256 * 10);
const STREAMS = "$aws/things/thing-1/streams/";
const KEYS = ["clientToken", "c", "code", "o", "message", "m"];

let rig: PublisherRig;

beforeEach(async () => {
  rig = await startRig();
  await rig.putStream([IMAGE]);
});

/** The one answer, with its members in the order they have on the wire. */
function readRejection(sent: readonly Sent[], format: Format): { topic: string; members: Record<string, unknown> } {
  expect(sent).toMatchObject([{ kind: "message", thing: "thing-1" }]);
  const [{ topic, payload }] = sent as [Extract<Sent, { kind: "message" }>];
  if (format === "json") return { topic, members: JSON.parse(Buffer.from(payload).toString()) };
  expect([payload[0], payload.at(-1)]).toEqual([0xbf, 0xff]);
  const decoded = decodeCbor(payload);
  expect(decoded?.trailingBytes).toBe(0);
  return { topic, members: decoded?.value as Record<string, unknown> };
}

interface Case {
  readonly name: string;
  readonly code: RejectionCode;
  /** Beside f = 0, l = 256, n = 1 and the token. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly breakIt?: () => void;
  readonly streamId?: string;
  /** What the message must name. */
  readonly says: readonly (string | number)[];
}

const cases: readonly Case[] = [
  { name: "a missing block size", code: "InvalidRequest", fields: { l: undefined }, says: ["(l)"] },
  { name: "a block size of 255", code: "BlockSizeOutOfBounds", fields: { l: 255 }, says: ["(l)", 256, 131072, 255] },
  { name: "an offset of 98305", code: "OffsetOutOfBounds", fields: { o: 98_305 }, says: ["(o)", 98304, 98305] },
  { name: "a count of 98305", code: "BlockCountLimitExceeded", fields: { n: 98_305 }, says: ["(n)", 98304, 98305] },
  {
    name: "a bitmap of 12289 bytes",
    code: "BlockBitmapLimitExceeded",
    fields: { b: new Uint8Array(12_289) },
    says: ["(b)", 12288, 12289],
  },
  { name: "a stream that is not there", code: "ResourceNotFound", streamId: "none", says: ["stream none"] },
  { name: "a file that is not there", code: "ResourceNotFound", fields: { f: 3 }, says: ["(f)", 3, "stream-1"] },
  { name: "an offset past the end", code: "ResourceNotFound", fields: { o: 10 }, says: ["(o)", 10, "10 blocks"] },
  { name: "an old version", code: "VersionMismatch", fields: { s: 1 }, says: ["(s)", 0, "not 1"] },
  {
    name: "an object that is gone",
    code: "ResourceNotFound",
    breakIt: () => rig.store.remove("firmware", "image-0"),
    says: ["firmware/image-0"],
  },
  {
    name: "an object that was replaced",
    code: "ETagMismatch",
    breakIt: () => rig.store.put("firmware", "image-0", new Uint8Array(9)),
    says: ["firmware/image-0", "ETag"],
  },
  {
    name: "an object that grew",
    code: "ETagMismatch",
    breakIt: () => rig.store.failWith("TooLarge"),
    says: ["firmware/image-0"],
  },
  {
    name: "a version that the store does not keep",
    code: "ResourceNotFound",
    breakIt: () => rig.store.failWith("VersionNotKept"),
    says: ["firmware/image-0"],
  },
  {
    name: "an object that may not be read",
    code: "Unauthorized",
    breakIt: () => rig.store.failWith("AccessDenied"),
    says: ["firmware/image-0"],
  },
  {
    name: "a store that is down",
    code: "InternalError",
    breakIt: () => rig.store.failWith("Unavailable"),
    says: ["firmware/image-0"],
  },
  {
    name: "a registry that fails",
    code: "InternalError",
    breakIt: () => {
      rig.registry.find = () => Promise.reject(new Error("the disk is on fire"));
    },
    says: ["ask again later"],
  },
];

describe.each(FORMATS)("a get request in %s for", (format) => {
  const encode = (fields: Readonly<Record<string, unknown>>): Uint8Array => {
    const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
    if (format === "cbor") return encodeCbor(Object.fromEntries(entries)).slice();
    const hexed = entries.map(([key, value]) => [
      key,
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ]);
    return encodeJson(Object.fromEntries(hexed));
  };
  const ask = async (payload: Uint8Array, streamId = "stream-1"): Promise<ReturnType<typeof readRejection>> =>
    readRejection(await rig.request(`${STREAMS}${streamId}/get/${format}`, payload), format);

  it.each(cases)("$name is $code, in both forms, with the token", async ({ code, fields, breakIt, streamId, says }) => {
    breakIt?.();
    const payload = encode({ c: "rdy", f: 0, l: 256, n: 1, ...fields });
    const { topic, members } = await ask(payload, streamId);
    expect(topic).toBe(`${STREAMS}${streamId ?? "stream-1"}/rejected/${format}`);
    expect(Object.keys(members)).toEqual(KEYS);
    const { message } = members;
    expect(members).toEqual({ clientToken: "rdy", c: "rdy", code, o: code, message, m: message });
    for (const part of says) expect(message).toContain(String(part));

    const line = rig.logLines.find((entry) => entry.message === "request rejected");
    const hex = Buffer.from(payload.subarray(0, 512)).toString("hex");
    const request = payload.length > 512 ? `${hex}... (${payload.length} bytes)` : hex;
    expect(line).toMatchObject({ level: "warn" });
    expect(line?.fields).toEqual({ thing: "thing-1", streamId: streamId ?? "stream-1", code, message, request });
    expect(rig.logLines.filter((entry) => entry.message === "request rejected")).toHaveLength(1);
  });

  it.each(cases)(
    "$name is $code without token keys when none was sent",
    async ({ code, fields, breakIt, streamId }) => {
      breakIt?.();
      const { members } = await ask(encode({ f: 0, l: 256, n: 1, ...fields }), streamId);
      expect(Object.keys(members)).toEqual(KEYS.slice(2));
      expect(members).toMatchObject({ code, o: code });
    },
  );

  it("a token of 65 bytes is InvalidRequest and does not echo it", async () => {
    const { members } = await ask(encode({ c: "x".repeat(65), f: 0, l: 256 }));
    expect(Object.keys(members)).toEqual(KEYS.slice(2));
    expect(members).toMatchObject({ code: "InvalidRequest" });
  });

  it("what cannot be decoded is InvalidCbor or InvalidJson, without a token", async () => {
    const { members } = await ask(encode({ c: "rdy", f: 0, l: 256 }).subarray(0, -1));
    expect(members).toMatchObject({ code: format === "cbor" ? "InvalidCbor" : "InvalidJson" });
    expect(Object.keys(members)).toEqual(KEYS.slice(2));
  });

  it("an empty payload is InvalidCbor or InvalidJson", async () => {
    const { members } = await ask(new Uint8Array(0));
    expect(members).toMatchObject({ code: format === "cbor" ? "InvalidCbor" : "InvalidJson" });
  });
});

describe.each(FORMATS)("a describe request in %s", (format) => {
  it("is rejected in its format when it cannot be decoded or the stream is not there", async () => {
    const garbage = await rig.request(`${STREAMS}stream-1/describe/${format}`, Uint8Array.of(0xff));
    expect(readRejection(garbage, format)).toMatchObject({
      topic: `${STREAMS}stream-1/rejected/${format}`,
      members: { code: format === "cbor" ? "InvalidCbor" : "InvalidJson" },
    });
    const request = format === "cbor" ? encodeCbor({ c: "rdy" }).slice() : encodeJson({ c: "rdy" });
    const unknown = await rig.request(`${STREAMS}none/describe/${format}`, request);
    expect(readRejection(unknown, format)).toMatchObject({
      topic: `${STREAMS}none/rejected/${format}`,
      members: { code: "ResourceNotFound", clientToken: "rdy" },
    });
  });

  it("needs no object store", async () => {
    rig.store.failWith("Unavailable");
    const request = format === "cbor" ? encodeCbor({}).slice() : encodeJson({});
    const sent = await rig.request(`${STREAMS}stream-1/describe/${format}`, request);
    expect(sent).toMatchObject([{ topic: `${STREAMS}stream-1/description/${format}` }]);
  });
});

describe("a malformed topic", () => {
  it.each([
    ["another format", "stream-1/get/xml", "stream-1"],
    ["another operation", "stream-1/fetch/cbor", "stream-1"],
    ["an operation of the publisher's own", "stream-1/data/cbor", "stream-1"],
    ["its own answer", "stream-1/rejected/json", "stream-1"],
    ["no format", "stream-1/get", "stream-1"],
    ["one level more", "stream-1/get/cbor/x", "stream-1"],
    ["a stream that is not there", "none/get/xml", "none"],
  ])("with %s is InvalidTopic on rejected/json, without a token", async (_name, rest, streamId) => {
    const { topic, members } = readRejection(await rig.request(STREAMS + rest, { c: "rdy", f: 0, l: 256 }), "json");
    expect(topic).toBe(`${STREAMS}${streamId}/rejected/json`);
    expect(Object.keys(members)).toEqual(KEYS.slice(2));
    expect(members).toMatchObject({ code: "InvalidTopic", o: "InvalidTopic" });
    expect(rig.logLines).toHaveLength(1);
    const request = Buffer.from('{"c":"rdy","f":0,"l":256}').toString("hex");
    expect(rig.logLines[0]).toMatchObject({
      level: "warn",
      message: "request rejected",
      fields: { topic: STREAMS + rest, thing: "thing-1", streamId, code: "InvalidTopic", request },
    });
  });

  it.each([
    ["stream", "$aws/things/thing-1/streams/a b/get/cbor"],
    ["stream, an empty one", "$aws/things/thing-1/streams//get/cbor"],
    ["thing", "$aws/things/a b/streams/stream-1/get/cbor"],
    ["thing, a long one", `$aws/things/${"x".repeat(60_000)}/streams/stream-1/get/cbor`],
  ])("whose %s cannot be read is only logged, in a line of bounded size", async (_name, topic) => {
    expect(await rig.request(topic, new Uint8Array(200_000))).toEqual([]);
    expect(rig.logLines).toMatchObject([{ level: "warn", fields: { code: "InvalidTopic" } }]);
    expect(JSON.stringify(rig.logLines[0]).length).toBeLessThan(2000);
  });

  it("is not taken for one when it is not under a thing's streams", async () => {
    expect(await rig.request("$aws/things/thing-1/jobs/get", {})).toEqual([]);
    expect(await rig.request("firmware/thing-1", {})).toEqual([]);
    expect(rig.logLines).toEqual([]);
  });
});

it("all thirteen codes are provoked here", () => {
  const provoked = new Set<string>(["InvalidTopic", "InvalidCbor", "InvalidJson", ...cases.map(({ code }) => code)]);
  expect([...provoked].sort()).toEqual([...REJECTION_CODES].sort());
});

it("a failing registry is in the log with its error, which the device is not told", async () => {
  rig.registry.find = () => Promise.reject(new Error("the disk is on fire"));
  const sent = await rig.request(`${STREAMS}stream-1/describe/json`, {});
  expect(JSON.stringify(readRejection(sent, "json").members)).not.toContain("fire");
  expect(rig.logLines).toMatchObject([
    { level: "error", fields: { thing: "thing-1", error: { message: "the disk is on fire" } } },
    { level: "warn", message: "request rejected" },
  ]);
});

it("the hint at --first-stream-version reaches a client that always sends 1", async () => {
  const sent = await rig.request(`${STREAMS}stream-1/get/json`, { s: 1, f: 0, l: 256, o: 0, n: 1 });
  expect(readRejection(sent, "json").members.message).toContain("--first-stream-version 1");
});

it("a rejection stays until the interval has passed, then the store is asked again", async () => {
  const get = { f: 0, l: 256, n: 1 };
  rig.store.failWith("Unavailable");
  await rig.request(`${STREAMS}stream-1/get/json`, get);
  rig.store.heal();
  rig.clock.advance(RIG_CHECK_INTERVAL_MS);
  expect(await rig.request(`${STREAMS}stream-1/get/json`, get)).toMatchObject([{ kind: "message" }]);
  rig.clock.advance(1);
  expect(await rig.request(`${STREAMS}stream-1/get/json`, get)).toMatchObject([{ kind: "blocks" }]);
});
