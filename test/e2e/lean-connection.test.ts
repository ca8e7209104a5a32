/** Lean connections against the broker, and against brokers that misbehave; time is the test's own where it matters. */
import { EventEmitter, once } from "node:events";
import type { Socket } from "node:net";
import { generate } from "mqtt-packet";
import { afterEach, describe, expect, it } from "vitest";
import type { FleetConnectionOptions } from "../../device/fleet/fleet-connection.ts";
import type { LeanEndpointOptions } from "../../device/fleet/lean-endpoint.ts";
import { LeanNetwork } from "../../device/fleet/lean-network.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { makeRun, startTestBroker, type TestBroker, TestPublisher } from "../support/broker.ts";
import { CONNACK, greet, LeanTestDevice, startScriptedBroker } from "../support/lean-device.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
});

async function startBroker(): Promise<TestBroker> {
  const broker = await startTestBroker();
  closers.push(() => broker.close());
  return broker;
}

async function startScript(answer: Parameters<typeof startScriptedBroker>[0]): Promise<string> {
  const broker = await startScriptedBroker(answer);
  closers.push(() => broker.close());
  return broker.url;
}

function connect(network: LeanNetwork, options: FleetConnectionOptions): LeanTestDevice {
  const device = new LeanTestDevice(network, options);
  closers.push(() => device.connection.drop());
  return device;
}

const topicsOf = (thing: string): readonly string[] =>
  ["description", "data"].map((operation) => `$aws/things/${thing}/streams/s/${operation}/cbor`);

function connectDevice(
  options: LeanEndpointOptions,
  clientId = "t",
  topicFilters = topicsOf(clientId),
): LeanTestDevice {
  const dataTopic = `$aws/things/${clientId}/streams/s/data/cbor`;
  return connect(new LeanNetwork(options), { clientId, topicFilters, dataTopic });
}

describe("on the broker", () => {
  it("a device connects, publishes and receives blocks byte for byte, and two share one receive buffer", async () => {
    const broker = await startBroker();
    const publisher = await TestPublisher.start(broker.transport);
    const network = new LeanNetwork({ url: broker.mqttUrl });
    const things = ["t-1", "t-2"];
    const devices = things.map((clientId) => {
      const topicFilters = topicsOf(clientId);
      return connect(network, { clientId, topicFilters, ...(topicFilters[1] && { dataTopic: topicFilters[1] }) });
    });
    const runs = things.map((thing) => makeRun(thing, { clientToken: "rdy" }));
    publisher.onRequest = ({ topic }) => {
      const index = things.findIndex((thing) => topic.includes(`/${thing}/`));
      publisher.send(things[index] as string, runs[index] as (typeof runs)[number]);
    };
    for (const [index, device] of devices.entries()) {
      await device.heard("connected");
      const topic = `$aws/things/${things[index]}/streams/s/get/cbor`;
      expect(device.connection.publish(topic, Buffer.from("please"))).toBe(true);
    }
    for (const [index, device] of devices.entries()) {
      const run = runs[index] as (typeof runs)[number];
      await device.until(() => device.blocks.length === run.blockIds.length);
      expect(device.blocks.map(({ blockId }) => blockId)).toEqual([...run.blockIds]);
      const { fileBytes } = run;
      expect(Buffer.compare(Buffer.concat(device.blocks.map(({ payload }) => payload)), fileBytes)).toBe(0);
    }
    expect(publisher.requests.map(({ payload }) => payload.toString())).toEqual(["please", "please"]);
  });

  it("a further subscription is granted or refused without an end of the connection", async () => {
    const broker = await startBroker();
    const device = connectDevice({ url: broker.mqttUrl });
    await device.heard("connected");
    device.connection.subscribe("$aws/things/t/streams/s/checksums/cbor");
    await device.heard("subscribed true");
    device.connection.subscribe("$aws/things/other/streams/s/checksums/cbor");
    await device.heard("subscribed false");
    expect(device.connection.isOpen).toBe(true);
  });

  it("a device that pauses gets nothing until it resumes", async () => {
    const sockets = new Map<string, Socket>();
    const url = await startScript((packet, socket) => {
      if (packet.cmd === "connect") sockets.set(packet.clientId, socket);
      greet(packet, socket);
    });
    const [paused, other] = ["paused", "other"].map((clientId) => connectDevice({ url }, clientId));
    for (const device of [paused, other]) await device?.heard("connected");
    paused?.connection.pause();
    for (const socket of sockets.values()) {
      socket.write(generate({ cmd: "publish", topic: "t", payload: "x", qos: 0, dup: false, retain: false }));
    }
    await other?.heard("t x");
    expect(paused?.lines).toEqual(["connected"]);
    paused?.connection.resume();
    await paused?.heard("t x");
  });

  it("topics of another thing are SubscriptionRefused", async () => {
    const broker = await startBroker();
    const device = connectDevice({ url: broker.mqttUrl }, "t", topicsOf("other"));
    await device.heard("lost SubscriptionRefused");
    expect(device.error?.message).toContain("refused the subscription to $aws/things/other/streams/s/description/cbor");
    expect(device.error?.retryable).toBe(false);
  });

  it("a publish that is not allowed loses the connection", async () => {
    const broker = await startBroker();
    const device = connectDevice({ url: broker.mqttUrl });
    await device.heard("connected");
    device.connection.publish("$aws/things/other/streams/s/get/cbor", Buffer.alloc(1));
    await device.heard("lost ConnectionLost");
    expect(device.error?.message).toMatch(/^lost the connection to the broker mqtt:\/\/127\.0\.0\.1:\d+: /);
    expect(device.connection.publish("$aws/things/t/streams/s/get/cbor", Buffer.alloc(1))).toBe(false);
  });

  it("a device that says goodbye is told nothing more, and the broker closes the connection", async () => {
    const broker = await startBroker();
    const device = connectDevice({ url: broker.mqttUrl });
    await device.heard("connected");
    device.connection.close();
    // Only once the first is gone is the client id taken over without a line in the log.
    const next = connectDevice({ url: broker.mqttUrl });
    await next.heard("connected");
    expect(device.lines).toEqual(["connected"]);
    expect(broker.log.lines.filter(({ level }) => level === "warn")).toEqual([]);
  });

  it("connects from the source addresses in turn", async () => {
    const sources: (string | undefined)[] = [];
    const url = await startScript((packet, socket) => {
      if (packet.cmd === "connect") sources.push(socket.remoteAddress);
      greet(packet, socket);
    });
    const network = new LeanNetwork({ url, sourceAddresses: ["127.0.0.2", "127.0.0.3"] });
    for (const clientId of ["a", "b", "c"]) {
      await connect(network, { clientId, topicFilters: topicsOf(clientId) }).heard("connected");
    }
    expect(sources).toEqual(["127.0.0.2", "127.0.0.3", "127.0.0.2"]);
  });
});

describe("a broker that cannot be reached", () => {
  it("refuses the connection: BrokerUnreachable with the system's reason", async () => {
    const broker = await startTestBroker();
    await broker.close();
    const device = connectDevice({ url: broker.mqttUrl });
    await device.heard("lost BrokerUnreachable");
    expect(device.error).toMatchObject({
      message: expect.stringMatching(/^cannot reach the broker mqtt:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED/),
      retryable: true,
      cause: { code: "ECONNREFUSED" },
    });
  });

  it("closes at once, or answers CONNECT with a return code: BrokerUnreachable", async () => {
    const silent = await startScript((_, socket) => socket.end());
    const closed = connectDevice({ url: silent });
    await closed.heard("lost BrokerUnreachable");
    expect(closed.error?.message).toContain("the broker closed the connection");
    const strict = await startScript((_, socket) =>
      socket.write(generate({ cmd: "connack", returnCode: 5, sessionPresent: false })),
    );
    const refused = connectDevice({ url: strict });
    await refused.heard("lost BrokerUnreachable");
    expect(refused.error?.message).toContain("return code 5");
  });

  it("never answers: BrokerUnreachable when the time is over", async () => {
    const asked = Promise.withResolvers<void>();
    const url = await startScript(() => asked.resolve());
    const clock = new VirtualClock();
    const device = connectDevice({ url, clock, connectTimeoutMs: 3000 });
    await asked.promise;
    expect(await clock.runUntil(() => device.error !== undefined, 2900)).toBe(false);
    expect(await clock.runUntil(() => device.error !== undefined, 3100)).toBe(true);
    expect(device.error).toMatchObject({
      code: "BrokerUnreachable",
      message: expect.stringContaining("within 3000 ms"),
    });
  });

  it("is dropped before it is there: it says nothing when it could", async () => {
    const met: string[] = [];
    const url = await startScript((packet, socket) => {
      met.push(packet.cmd);
      greet(packet, socket);
    });
    connectDevice({ url }).connection.drop();
    await connectDevice({ url }).heard("connected");
    expect(met.filter((cmd) => cmd === "connect")).toHaveLength(1);
  });

  it.each(["ws://127.0.0.1:1", "mqtts://127.0.0.1:1", "mqtt://user:secret@127.0.0.1:1", "nonsense"])(
    "has an address lean connections are not made for: %s",
    (url) => {
      expect(() => new LeanNetwork({ url })).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
      expect(() => new LeanNetwork({ url })).not.toThrow(/secret/);
    },
  );
});

describe("a broker that breaks the rules", () => {
  it.each([
    ["a packet of 262145 bytes", Buffer.from("30fdff0f", "hex"), "more than 262144 bytes"],
    ["a malformed length", Buffer.from("30ffffffff01", "hex"), "malformed length"],
    ["a packet type that does not exist", Buffer.from("0000", "hex"), "malformed packet"],
    ["a CONNACK in the middle", CONNACK, "makes no sense here: connack"],
    ["a QoS 1 message", Buffer.from("320700016100017878", "hex"), "makes no sense here: publish"],
  ])("sends %s: the connection is lost", async (_, bytes, reason) => {
    const url = await startScript((packet, socket) => {
      if (!greet(packet, socket)) socket.write(bytes);
    });
    const device = connectDevice({ url });
    await device.heard("connected");
    device.connection.publish("x", Buffer.alloc(1));
    await device.heard("lost ConnectionLost");
    expect(device.error?.message).toContain(reason);
  });

  it("sends a retained message: it is older than any request and dropped", async () => {
    const topic = "$aws/things/t/streams/s/description/cbor";
    const publish = (retain: boolean, payload: string): Buffer =>
      generate({ cmd: "publish", topic, payload, qos: 0, retain, dup: false });
    const url = await startScript((packet, socket) => {
      if (!greet(packet, socket)) socket.write(Buffer.concat([publish(true, "old"), publish(false, "new")]));
    });
    const device = connectDevice({ url });
    await device.heard("connected");
    device.connection.publish("x", Buffer.alloc(1));
    await device.heard(`${topic} new`);
    expect(device.lines).toEqual(["connected", `${topic} new`]);
  });
});

describe("keep-alive", () => {
  it("asks for a sign of life after half the time without a word, and loses a broker that gives none", async () => {
    const topic = "$aws/things/t/streams/s/description/cbor";
    const pinged = new EventEmitter();
    let pings = 0;
    const url = await startScript((packet, socket) => {
      if (greet(packet, socket) || packet.cmd !== "pingreq") return;
      const heard = generate({ cmd: "publish", topic, payload: "heard", qos: 0, retain: false, dup: false });
      if (++pings === 1) socket.write(Buffer.concat([generate({ cmd: "pingresp" }), heard]));
      pinged.emit("ping");
    });
    const clock = new VirtualClock();
    const device = connectDevice({ url, clock, keepAliveSeconds: 60 });
    await device.heard("connected");
    await clock.runUntil(() => false, 29_900);
    expect(pings).toBe(0);
    await clock.runUntil(() => false, 30_100);
    await device.heard(`${topic} heard`);
    const second = once(pinged, "ping");
    await clock.runUntil(() => false, 60_100);
    await second;
    expect(await clock.runUntil(() => device.error !== undefined, 89_900)).toBe(false);
    expect(await clock.runUntil(() => device.error !== undefined, 90_200)).toBe(true);
    expect(device.error).toMatchObject({
      code: "ConnectionLost",
      message: expect.stringContaining("no sign of life from the broker within 30 s"),
    });
  });

  it("is no reason to lose a broker that is not read", async () => {
    const pinged = new EventEmitter();
    const url = await startScript((packet, socket) => {
      if (greet(packet, socket) || packet.cmd !== "pingreq") return;
      socket.write(generate({ cmd: "pingresp" }));
      pinged.emit("ping");
    });
    const clock = new VirtualClock();
    const device = connectDevice({ url, clock, keepAliveSeconds: 60 });
    await device.heard("connected");
    device.connection.pause();
    const first = once(pinged, "ping");
    await clock.runUntil(() => false, 30_100);
    await first;
    expect(await clock.runUntil(() => device.error !== undefined, 200_000)).toBe(false);
    expect(device.connection.isOpen).toBe(true);
  });
});
