/** Topics and names of docs/PROTOCOL.md sections 1 and 2: what is valid, what is malformed and why, what is not ours. */
import { describe, expect, it } from "vitest";
import { isFileId, isStreamId, isStreamVersion, isThingName } from "../../shared/protocol/ids.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";

describe("names", () => {
  const long = "x".repeat(128);

  it.each(["a", "0", "_", "-", "AFR_OTA-6f1c", long])("a stream may be called %s", (name) => {
    expect(isStreamId(name)).toBe(true);
    expect(isThingName(name)).toBe(true);
  });

  it.each(["", `${long}x`, "a b", "a/b", "+", "#", "a.b", "é", "a\n", "\na", "a\0", "a$"])(
    "nothing may be called %j",
    (name) => {
      expect(isStreamId(name)).toBe(false);
      expect(isThingName(name)).toBe(false);
    },
  );

  it("a thing may have colons, a stream may not", () => {
    expect(isThingName("a:b")).toBe(true);
    expect(isStreamId("a:b")).toBe(false);
  });

  it("file ids are 0-255, stream versions 0-65535, both of them integers", () => {
    for (const value of [0, 255]) expect(isFileId(value)).toBe(true);
    for (const value of [-1, 256, 0.5, Number.NaN, "0", null, undefined, 0n]) expect(isFileId(value)).toBe(false);
    for (const value of [0, 65_535]) expect(isStreamVersion(value)).toBe(true);
    for (const value of [-1, 65_536, 0.5, "0", undefined]) expect(isStreamVersion(value)).toBe(false);
  });
});

describe("malformed topics", () => {
  const thing = "dev:1";
  const streamId = "fw";
  const long = "x".repeat(129);

  it.each([
    ["$aws/things/dev:1/streams/fw/put/cbor", { thing, streamId }, "operation", '"put"'],
    ["$aws/things/dev:1/streams/fw/GET/cbor", { thing, streamId }, "operation", '"GET"'],
    ["$aws/things/dev:1/streams/fw//cbor", { thing, streamId }, "operation", '""'],
    ["$aws/things/dev:1/streams/fw/get/xml", { thing, streamId }, "format", '"xml"'],
    ["$aws/things/dev:1/streams/fw/get/", { thing, streamId }, "format", '""'],
    ["$aws/things/dev:1/streams/fw/get", { thing, streamId }, "levels", "3", "2"],
    ["$aws/things/dev:1/streams/fw", { thing, streamId }, "levels", "3", "1"],
    ["$aws/things/dev:1/streams/fw/get/cbor/x", { thing, streamId }, "levels", "3", "4"],
    ["$aws/things/dev:1/streams/f w/get/cbor", { thing }, "stream id", "1-128", '"f w"'],
    ["$aws/things/dev:1/streams//get/cbor", { thing }, "stream id", "1-128", '""'],
    ["$aws/things/dev:1/streams/", { thing }, "stream id", "1-128", '""'],
    [`$aws/things/dev:1/streams/${long}/get/cbor`, { thing }, "stream id", "1-128"],
    ["$aws/things//streams/fw/get/cbor", {}, "thing name", "1-128", '""'],
    [`$aws/things/${long}/streams/fw/get/cbor`, {}, "thing name", "1-128"],
    ["$aws/things/d.1/streams/fw/get/cbor", {}, "thing name", '"d.1"'],
  ] as const)("%s says what is wrong and whom to tell", (topic, where, ...says) => {
    const parsed = parseTopic(topic);
    expect(parsed).toEqual({ kind: "malformed", ...where, reason: expect.any(String) });
    for (const part of says) expect(parsed?.kind === "malformed" && parsed.reason).toContain(part);
  });

  it.each([
    "",
    "$aws",
    "$aws/things/dev/streams",
    "$aws/things/dev/jobs/get",
    "$aws/things/a/b/streams/fw/get/cbor",
    "$AWS/things/dev/streams/fw/get/cbor",
    "/$aws/things/dev/streams/fw/get/cbor",
    "things/dev/streams/fw/get/cbor",
    "$aws/things/streams/fw/get/cbor",
  ])("%j is not ours", (topic) => {
    expect(parseTopic(topic)).toBeUndefined();
  });
});
