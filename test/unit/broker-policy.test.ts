/** Who may publish and subscribe where: each rule of docs/PROTOCOL.md section 2, "Broker refusals". */
import { describe, expect, it } from "vitest";
import { publishRefusal, roleOf, subscribeRefusal } from "../../broker/protocol/policy.ts";

const observers = new Set(["watcher", "a/b"]);
const thing = roleOf("t1", observers);
const observer = roleOf("watcher", observers);
const nobody = roleOf("+", observers);
const own = "$aws/things/t1/streams";

describe("roleOf", () => {
  it.each([
    ["t1", "thing"],
    ["A-b_c:9", "thing"],
    ["x".repeat(128), "thing"],
    ["x".repeat(129), "nobody"],
    ["", "nobody"],
    ["+", "nobody"],
    ["#", "nobody"],
    ["a/c", "nobody"],
    ["a b", "nobody"],
    ["watcher", "observer"],
    ["a/b", "observer"],
  ])("%j is %s", (clientId, kind) => {
    expect(roleOf(clientId, observers).kind).toBe(kind);
  });
});

describe("a thing publishes", () => {
  it.each([
    `${own}/s/get/cbor`,
    `${own}/s/get/json`,
    `${own}/s/describe/cbor`,
    `${own}/s/describe/json`,
    `${own}/s/fetch/cbor`,
    `${own}/s/get/xml`,
    `${own}/s/data/xml`,
    `${own}/s/get`,
    `${own}/s/get/cbor/more`,
    `${own}/`,
    `${own}/bad id/get/cbor`,
  ])("to %s", (topic) => {
    expect(publishRefusal(thing, topic)).toBeUndefined();
  });

  it.each([
    [`${own}/s/data/cbor`, "only the service publishes data"],
    [`${own}/s/description/json`, "only the service publishes description"],
    [`${own}/s/rejected/json`, "only the service publishes rejected"],
    ["$aws/things/t2/streams/s/get/cbor", "under $aws/things/t1/streams/ only"],
    ["$aws/things/t11/streams/s/get/cbor", "under $aws/things/t1/streams/ only"],
    [own, "under $aws/things/t1/streams/ only"],
    ["$aws/things/t1/jobs/get", "under $aws/things/t1/streams/ only"],
    ["$AWS/things/t1/streams/s/get/cbor", "under $aws/things/t1/streams/ only"],
    ["/$aws/things/t1/streams/s/get/cbor", "under $aws/things/t1/streams/ only"],
    ["$SYS/x", "under $aws/things/t1/streams/ only"],
    ["plain", "under $aws/things/t1/streams/ only"],
  ])("not to %s", (topic, reason) => {
    expect(publishRefusal(thing, topic)).toContain(reason);
  });
});

describe("a thing subscribes", () => {
  it.each([`${own}/#`, `${own}/+/data/cbor`, `${own}/s/+/+`, `${own}/s/data/cbor`, `${own}/+`])("to %s", (filter) => {
    expect(subscribeRefusal(thing, filter)).toBeUndefined();
  });

  it.each([
    ["#", "under $aws/things/t1/streams/ only"],
    ["+/#", "under $aws/things/t1/streams/ only"],
    ["$aws/#", "under $aws/things/t1/streams/ only"],
    ["$aws/things/+/streams/#", "under $aws/things/t1/streams/ only"],
    ["$aws/things/t1/#", "under $aws/things/t1/streams/ only"],
    ["$aws/things/t1/+/s/data/cbor", "under $aws/things/t1/streams/ only"],
    ["$aws/+/t1/streams/#", "under $aws/things/t1/streams/ only"],
    ["$aws/things/t2/streams/#", "under $aws/things/t1/streams/ only"],
    ["$SYS/#", "under $aws/things/t1/streams/ only"],
    [`$share/g/${own}/#`, "shared subscriptions are not supported"],
    [`${own}/a#`, "malformed"],
    [`${own}/+b`, "malformed"],
    [`${own}/${"x".repeat(600)}`, "at most 512 characters, not 623"],
  ])("not to %s", (filter, reason) => {
    expect(subscribeRefusal(thing, filter)).toContain(reason);
  });
});

describe("an observer", () => {
  it.each(["#", "$aws/#", "$SYS/#", "$aws/things/+/streams/#", "plain"])("subscribes to %s", (filter) => {
    expect(subscribeRefusal(observer, filter)).toBeUndefined();
  });

  it("does not share a subscription, which would deliver nothing", () => {
    expect(subscribeRefusal(observer, "$share/g/$aws/#")).toContain("not supported");
  });

  it("publishes nothing", () => {
    expect(publishRefusal(observer, "$aws/things/watcher/streams/s/get/cbor")).toBe("an observer publishes nothing");
  });
});

describe("a client id that is not a thing name", () => {
  it("neither publishes nor subscribes", () => {
    expect(publishRefusal(nobody, "$aws/things/+/streams/s/get/cbor")).toBe("the client id is not a thing name");
    expect(subscribeRefusal(nobody, "$aws/things/+/streams/#")).toBe("the client id is not a thing name");
  });
});
