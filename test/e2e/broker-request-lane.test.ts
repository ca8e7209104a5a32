/** Requests that pass Aedes by are met as those that do not: retained ones, which take the long way. */
import { once } from "node:events";
import fc from "fast-check";
import { generate, type Packet, parser } from "mqtt-packet";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createWebSocketStream, WebSocket } from "ws";
import { makeFile, makeRun, RawClient, startTestBroker, type TestBroker, TestPublisher } from "../support/broker.ts";

let broker: TestBroker | undefined;
afterEach(async () => {
  vi.useRealTimers();
  await broker?.close();
});

async function start(): Promise<{ broker: TestBroker; publisher: TestPublisher }> {
  const started = await startTestBroker({ observers: ["watcher"] });
  broker = started;
  return { broker: started, publisher: await TestPublisher.start(started.transport) };
}

const topicOf = (thing: string, rest: string): string => `$aws/things/${thing}/streams/${rest}`;
/** What a client sends, by name; `retain` decides which way its requests go. */
const STEPS = {
  get: (thing) => publish(topicOf(thing, "s/get/cbor"), "ask"),
  otherGet: (thing) => publish(topicOf(thing, "s2/get/json"), "{}"),
  describe: (thing) => publish(topicOf(thing, "s/describe/cbor"), ""),
  large: (thing) => publish(topicOf(thing, "s/get/cbor"), "x".repeat(20_000)),
  malformed: (thing) => publish(topicOf(thing, "s/get/xml"), "ask"),
  twice: (thing) => ({ ...publish(topicOf(thing, "s/get/cbor"), "at least once"), qos: 1, messageId: 9 }),
  ping: () => ({ cmd: "pingreq" }),
  foreign: () => publish(topicOf("somebody", "s/get/cbor"), "ask"),
  answer: (thing) => publish(topicOf(thing, "s/data/cbor"), "ask"),
} satisfies Record<string, (thing: string) => Packet>;
type Step = keyof typeof STEPS;

function publish(topic: string, payload: string): Extract<Packet, { cmd: "publish" }> {
  return { cmd: "publish", topic, payload: Buffer.from(payload), qos: 0, dup: false, retain: false };
}

function encode(thing: string, steps: readonly Step[], isLong: boolean): Buffer {
  const packets = steps.map((step) => STEPS[step](thing));
  return Buffer.concat(
    packets.map((packet) => generate(packet.cmd === "publish" ? { ...packet, retain: isLong } : packet)),
  );
}

/** Sends the bytes in pieces, and says what came of them, the thing's name left out. */
async function outcomeOf(bytes: Buffer, cuts: readonly number[], thing: string, parts: Parts): Promise<object> {
  const { publisher, watcher, port } = parts;
  const lines = parts.broker.log.lines.length;
  const requests = publisher.requests.length;
  const client = await RawClient.connect(port, thing);
  await client.subscribe(topicOf(thing, "#"));
  client.packets.length = 0;
  watcher.packets.length = 0;
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const end = at + (cuts[index % cuts.length] as number);
    client.socket.write(bytes.subarray(at, end));
    at = end;
    // Several turns of the event loop, so that most pieces arrive by themselves; the outcome is the same if not.
    await new Promise((resolve) => setImmediate(resolve));
  }
  // Answered after all that was sent before, unless the broker closed the connection.
  await client.subscribe(topicOf(thing, "#")).catch(() => undefined);
  const { isClosed } = client;
  client.destroy();
  await watcher.ping();
  const text = JSON.stringify({
    isClosed,
    requests: publisher.requests.slice(requests).map(({ topic, payload }) => [topic, payload.toString()]),
    // What a connection still carried when it was closed may be lost.
    received: isClosed ? [] : client.packets.map(shown),
    observed: watcher.packets.map(shown),
    lines: parts.broker.log.lines.slice(lines),
  });
  return JSON.parse(text.replaceAll(thing, "THING"));
}

interface Parts {
  readonly broker: TestBroker;
  readonly publisher: TestPublisher;
  readonly watcher: RawClient;
  readonly port: number;
}

const shown = (packet: Packet): unknown =>
  packet.cmd === "publish" ? [packet.topic, packet.payload.toString("latin1").slice(0, 40)] : packet.cmd;

describe("a request that passes Aedes by", () => {
  it("has the outcome of one that does not, in any company and any chunking", async () => {
    const { broker, publisher } = await start();
    publisher.onRequest = ({ topic, payload }) => {
      const thing = topic.split("/")[2] as string;
      broker.transport.sendMessage(thing, topicOf(thing, "s/data/cbor"), payload);
    };
    const watcher = await RawClient.connect(broker.mqttPort, "watcher");
    await watcher.subscribe("$aws/things/#");
    const parts = { broker, publisher, watcher, port: broker.mqttPort };
    let tries = 0;
    const steps = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom<Step[]>("get", "otherGet", "describe", "ping") },
        { weight: 1, arbitrary: fc.constantFrom<Step[]>("large", "malformed", "twice", "foreign", "answer") },
      ),
      { minLength: 1, maxLength: 8 },
    );
    const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 90 }), fc.constant(30_000)), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(steps, cuts, async (chosen, pieces) => {
        const name = `t${++tries}`;
        const short = await outcomeOf(encode(`${name}-a`, chosen, false), pieces, `${name}-a`, parts);
        const long = await outcomeOf(encode(`${name}-b`, chosen, true), [30_000], `${name}-b`, parts);
        expect(short).toEqual(long);
      }),
      { numRuns: 60 },
    );
  });

  it("is taken together with CONNECT and SUBSCRIBE in one piece", async () => {
    const { broker, publisher } = await start();
    const client = await RawClient.open(broker.mqttPort);
    const topic = topicOf("t1", "#");
    client.socket.write(
      Buffer.concat([
        generate({ cmd: "connect", clientId: "t1", protocolVersion: 4, protocolId: "MQTT", clean: true, keepalive: 0 }),
        generate({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 0 }] }),
        encode("t1", ["get", "get", "describe"], false),
      ]),
    );
    await publisher.until(() => publisher.requests.length === 3);
    expect(publisher.requests.map(({ payload }) => payload.toString())).toEqual(["ask", "ask", ""]);
  });

  it("waits in order while too much is unsent, over WebSocket, too", async () => {
    const { broker, publisher } = await start();
    const webSocket = new WebSocket(broker.wsUrl, "mqtt");
    await once(webSocket, "open");
    const duplex = createWebSocketStream(webSocket);
    const packets = parser({ protocolVersion: 4 });
    const seen: Packet[] = [];
    packets.on("packet", (packet) => seen.push(packet));
    duplex.write(generate({ cmd: "connect", clientId: "t1", protocolVersion: 4, protocolId: "MQTT", clean: true }));
    duplex.write(generate({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: topicOf("t1", "#"), qos: 0 }] }));
    duplex.on("data", (bytes) => packets.parse(bytes as Buffer));
    while (seen.length < 2) await once(duplex, "data");
    duplex.pause();
    const file = makeFile(131_072);
    publisher.onRequest = () => publisher.send("t1", makeRun("t1", { fileBytes: file }));
    const asked = 40;
    duplex.write(encode("t1", Array<Step>(asked).fill("get"), false));
    await publisher.until(() => publisher.requests.length > 0);
    duplex.resume();
    const blocks = (): number =>
      seen.filter((packet) => packet.cmd === "publish" && packet.topic.includes("/data/")).length;
    while (blocks() < asked * 32) await once(duplex, "data");
    expect(publisher.requests).toHaveLength(asked);
    duplex.destroy();
  });

  it("is a sign of life, and without one the connection ends after one and a half keep-alives", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { broker, publisher } = await start();
    const client = await RawClient.connect(broker.mqttPort, "t1", { keepalive: 10 });
    for (let count = 1; count <= 3; count++) {
      vi.advanceTimersByTime(14_900);
      client.socket.write(encode("t1", ["get"], false));
      await publisher.until(() => publisher.requests.length === count);
    }
    vi.advanceTimersByTime(14_900);
    expect(broker.log.lines).toEqual([]);
    vi.advanceTimersByTime(200);
    await client.closed();
    expect(broker.log.lines[0]?.fields.reason).toBe("keep alive timeout");
  });
});
