/** The broker's rules over real sockets: what is refused, how, and what the log says. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RawClient, startTestBroker, type TestBroker, TestPublisher } from "../support/broker.ts";

const own = "$aws/things/t1/streams";
let broker: TestBroker;
let publisher: TestPublisher;

beforeEach(async () => {
  broker = await startTestBroker({ observers: ["watcher"] });
  publisher = await TestPublisher.start(broker.transport);
});
afterEach(() => broker.close());

const connect = (clientId: string, options = {}): Promise<RawClient> =>
  RawClient.connect(broker.mqttPort, clientId, options);
const linesAbout = (text: string): unknown[] => broker.log.lines.filter(({ message }) => message.includes(text));

describe("subscriptions", () => {
  it("answers a refused one with 0x80, beside granted ones, and keeps the connection", async () => {
    const client = await connect("t1");
    expect(await client.subscribe("#", `${own}/#`, "$aws/things/t2/streams/#", `$share/g/${own}/#`)).toEqual([
      0x80, 0, 0x80, 0x80,
    ]);
    await client.ping();
    expect(linesAbout("subscription refused")).toHaveLength(3);
    expect(broker.log.lines[0]?.fields).toEqual({
      clientId: "t1",
      topicFilter: "#",
      reason: "thing t1 subscribes under $aws/things/t1/streams/ only",
    });
  });

  it("refuses the hundred and first", async () => {
    const client = await connect("t1");
    const filters = Array.from({ length: 101 }, (_, index) => `${own}/s${index}/data/cbor`);
    const granted = await client.subscribe(...filters);
    expect(granted.slice(0, 100).every((code) => code === 0)).toBe(true);
    expect(granted[100]).toBe(0x80);
  });

  it("keeps those of a persistent session, and of a refused one nothing", async () => {
    const first = await connect("t1", { clean: false });
    expect(await first.subscribe(`${own}/#`, "#")).toEqual([0, 0x80]);
    first.destroy();
    const second = await RawClient.open(broker.mqttPort);
    second.send({ cmd: "connect", clientId: "t1", protocolVersion: 4, protocolId: "MQTT", clean: false });
    expect((await second.next("connack")).sessionPresent).toBe(true);
    await second.ping();
    expect(linesAbout("subscription refused")).toHaveLength(1);
    broker.transport.sendMessage("t1", `${own}/s/rejected/json`, Buffer.from("{}"));
    expect((await second.next("publish")).topic).toBe(`${own}/s/rejected/json`);
  });

  it("end with UNSUBSCRIBE", async () => {
    const client = await connect("t1");
    await client.subscribe(`${own}/#`);
    broker.transport.sendMessage("t1", `${own}/s/rejected/json`, Buffer.from("1"));
    await client.next("publish");
    client.send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: [`${own}/#`] });
    await client.next("unsuback");
    broker.transport.sendMessage("t1", `${own}/s/rejected/json`, Buffer.from("2"));
    await client.ping();
    expect(client.packets).toEqual([]);
  });

  it("carry the answer to a request that came in the same segment", async () => {
    const client = await connect("t1");
    publisher.onRequest = () => broker.transport.sendMessage("t1", `${own}/s/description/json`, Buffer.from("{}"));
    client.socket.cork();
    client.send({ cmd: "subscribe", messageId: 3, subscriptions: [{ topic: `${own}/#`, qos: 0 }] });
    client.publish(`${own}/s/describe/json`, "{}");
    client.socket.uncork();
    await client.next("suback");
    await client.ping();
    const topics = client.packets.map((packet) => (packet.cmd === "publish" ? packet.topic : packet.cmd));
    expect(topics).toContain(`${own}/s/description/json`);
  });

  it.each([true, false])("begin after something went unseen, and end again (clean session: %s)", async (clean) => {
    const client = await connect("t1", { clean });
    const topic = `${own}/s/get/cbor`;
    for (let round = 0; round < 3; round++) {
      client.publish(topic, "unseen");
      await client.ping();
      expect(client.packets).toEqual([]);
      await client.subscribe(topic);
      client.publish(topic, "seen");
      expect((await client.next("publish")).payload.toString()).toBe("seen");
      client.send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: [topic] });
      await client.next("unsuback");
    }
    expect(publisher.requests).toHaveLength(6);
  });
});

describe("publishes", () => {
  it.each([
    ["t1", `${own}/s/data/cbor`],
    ["t1", "$aws/things/t2/streams/s/get/cbor"],
    ["t1", "$SYS/x"],
    ["watcher", `${own}/s/get/cbor`],
    ["+", "$aws/things/+/streams/s/get/cbor".replace("+", "x")],
    ["a/b", "anything"],
  ])("of %s to %s close the connection with one line", async (clientId, topic) => {
    const client = await connect(clientId);
    client.publish(topic, "x");
    client.publish(`${own}/s/get/cbor`, "x");
    await client.closed();
    const { fields } = await broker.log.waitFor("publish refused");
    expect(fields).toMatchObject({ clientId, topic });
    expect(broker.log.lines).toHaveLength(1);
    expect(publisher.requests).toEqual([]);
  });

  it("of an empty client id close the connection, though Aedes gives it a name", async () => {
    const client = await connect("");
    expect(await client.subscribe("#")).toEqual([0x80]);
    client.publish("$aws/things/x/streams/s/get/cbor");
    await client.closed();
    expect((await broker.log.waitFor("publish refused")).fields).toMatchObject({
      reason: "the client id is not a thing name",
    });
  });

  it("of a malformed topic reach the publisher, which answers them", async () => {
    const client = await connect("t1");
    client.publish(`${own}/s/fetch/cbor`, "x");
    await client.ping();
    expect(publisher.requests).toEqual([{ topic: `${own}/s/fetch/cbor`, payload: Buffer.from("x") }]);
  });

  it("are acknowledged at QoS 1 and 2, and taken once", async () => {
    const client = await connect("t1");
    client.publish(`${own}/s/get/cbor`, "one", 1, 11);
    expect((await client.next("puback")).messageId).toBe(11);
    client.publish(`${own}/s/get/cbor`, "two", 2, 12);
    expect((await client.next("pubrec")).messageId).toBe(12);
    client.send({ cmd: "pubrel", messageId: 12 });
    expect((await client.next("pubcomp")).messageId).toBe(12);
    expect(publisher.requests.map(({ payload }) => payload.toString())).toEqual(["one", "two"]);
  });

  it("are never retained, and a will is never published", async () => {
    const will = { topic: `${own}/s/get/cbor`, payload: Buffer.from("last"), retain: true };
    const client = await connect("t1", { will });
    const topic = `${own}/s/get/json`;
    client.send({ cmd: "publish", topic, payload: "x", qos: 0, dup: false, retain: true });
    await client.ping();
    client.destroy();
    const next = await connect("t1");
    expect(await next.subscribe(`${own}/#`)).toEqual([0]);
    await next.ping();
    expect(next.packets).toEqual([]);
    expect(publisher.requests).toHaveLength(1);
  });
});

describe("observers", () => {
  it("see a request and then its answer, at QoS 0, and the device sees its answer", async () => {
    const watcher = await connect("watcher");
    expect(await watcher.subscribe("$aws/#", "#", "$SYS/#")).toEqual([0, 0, 0]);
    const client = await connect("t1");
    await client.subscribe(`${own}/s/rejected/json`);
    publisher.onRequest = () => broker.transport.sendMessage("t1", `${own}/s/rejected/json`, Buffer.from("no"));
    client.publish(`${own}/s/get/json`, "{}", 1, 4);
    expect((await client.next("publish")).payload.toString()).toBe("no");
    const seen: string[] = [];
    while (!seen.includes(`${own}/s/rejected/json`)) {
      const { topic, qos, retain } = await watcher.next("publish");
      expect({ qos, retain }).toEqual({ qos: 0, retain: false });
      seen.push(topic);
    }
    expect(seen.filter((topic) => topic.startsWith("$aws/"))).toEqual([`${own}/s/get/json`, `${own}/s/rejected/json`]);
    expect(seen.some((topic) => topic.endsWith("/new/clients"))).toBe(true);
  });
});

describe("one client id used twice", () => {
  it("goes to the newer connection, with one line", async () => {
    const first = await connect("t1");
    await first.subscribe(`${own}/#`);
    const second = await connect("t1");
    await first.closed();
    await second.subscribe(`${own}/#`);
    broker.transport.sendMessage("t1", `${own}/s/rejected/json`, Buffer.from("here"));
    expect((await second.next("publish")).payload.toString()).toBe("here");
    expect(broker.log.lines).toEqual([
      { level: "warn", message: "client id taken over by a new connection", fields: { clientId: "t1" } },
    ]);
  });

  it("leaves one connection when many fight over it", async () => {
    const rivals = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = await RawClient.open(broker.mqttPort);
        client.send({ cmd: "connect", clientId: "t1", protocolVersion: 4, protocolId: "MQTT", clean: true });
        return client;
      }),
    );
    const outcomes = await Promise.all(
      rivals.map((client) =>
        client
          .next("connack")
          .then(() => client.ping())
          .then(
            () => client,
            () => undefined,
          ),
      ),
    );
    const last = await connect("t1");
    await Promise.all(outcomes.filter((client) => client !== undefined).map((client) => client.closed()));
    await last.subscribe(`${own}/#`);
    broker.transport.sendMessage("t1", `${own}/s/rejected/json`, Buffer.from("here"));
    expect((await last.next("publish")).payload.toString()).toBe("here");
  });
});
