/** What a client cannot do to the broker: fill its memory, stop it for others, or bring it down. */
import fc from "fast-check";
import { generate } from "mqtt-packet";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  makeFile,
  makeRun,
  payloadsOf,
  RawClient,
  startTestBroker,
  type TestBroker,
  TestPublisher,
} from "../support/broker.ts";
import { createControlClock } from "../support/control-clock.ts";

const LIMIT = 262_144;
const clock = createControlClock(0);
let broker: TestBroker;
let publisher: TestPublisher;

beforeEach(async () => {
  broker = await startTestBroker({ observers: ["watcher"], clock, stallTimeoutMs: 60_000 });
  publisher = await TestPublisher.start(broker.transport);
});
afterEach(() => broker.close());

const connect = (clientId: string): Promise<RawClient> => RawClient.connect(broker.mqttPort, clientId);
const topicOf = (thing: string): string => `$aws/things/${thing}/streams/s/get/cbor`;

/** Connects a client that is subscribed to all of its topics and reads nothing from now on. */
async function connectFrozen(thing: string, filter = `$aws/things/${thing}/streams/#`): Promise<RawClient> {
  const client = await connect(thing);
  await client.subscribe(filter);
  client.socket.pause();
  return client;
}

describe("packet size", () => {
  it("takes a packet of exactly 262144 bytes", async () => {
    const client = await connect("t1");
    const topic = topicOf("t1");
    const payload = Buffer.alloc(LIMIT - 4 - 2 - topic.length, 1);
    client.publish(topic, payload);
    await client.ping();
    expect(publisher.requests[0]?.payload.equals(payload)).toBe(true);
  });

  it("closes the connection at 262145 bytes, with one line", async () => {
    const client = await connect("t1");
    client.publish(topicOf("t1"), Buffer.alloc(LIMIT + 1 - 4 - 2 - topicOf("t1").length));
    await client.closed();
    expect(broker.log.lines).toEqual([
      {
        level: "warn",
        message: "packet too large, connection closed",
        fields: { clientId: "t1", sizeBytes: 262_145, limitBytes: LIMIT },
      },
    ]);
    expect(publisher.requests).toEqual([]);
  });

  it.each(["before CONNECT", "after CONNECT"])("closes at the header of a packet of 256 MiB %s", async (when) => {
    const client = when === "after CONNECT" ? await connect("t1") : await RawClient.open(broker.mqttPort);
    client.socket.write(Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f));
    await client.closed();
    expect(broker.log.lines[0]?.fields.sizeBytes).toBe(268_435_460);
  });

  it("closes at a length that does not end", async () => {
    const client = await connect("t1");
    client.socket.write(Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff));
    await client.closed();
    await broker.log.waitFor("malformed length");
  });
});

describe("bytes that are not MQTT", () => {
  it("end their connection at worst, whether it said CONNECT or not", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 600 }), fc.boolean(), async (bytes, isConnected) => {
        const client = isConnected ? await connect("fuzz") : await RawClient.open(broker.mqttPort);
        client.socket.end(bytes);
        await client.closed();
      }),
      { numRuns: 150 },
    );
    const client = await connect("t1");
    await client.ping();
  });
});

describe("a device that reads nothing", () => {
  it("keeps one chunk waiting, and does not slow another", async () => {
    const frozen = await connectFrozen("frozen");
    const run = makeRun("frozen", { fileBytes: makeFile(16_000_000) });
    publisher.send("frozen", run);
    await publisher.until(() => publisher.taken.at(-1) === 0 || publisher.taken.length > 5);

    const other = await connect("other");
    await other.subscribe("$aws/things/other/streams/#");
    const otherRun = makeRun("other", { fileBytes: makeFile(1_000_000) });
    publisher.send("other", otherRun);
    for (const payload of payloadsOf(otherRun)) expect((await other.next("publish")).payload).toEqual(payload);
    frozen.destroy();
    await publisher.settled("frozen");
  });

  it("has its bytes right when it reads at last, however much others were sent meanwhile", async () => {
    const frozen = await connectFrozen("frozen");
    const run = makeRun("frozen", { fileBytes: makeFile(12_000_000) });
    publisher.send("frozen", run);
    const other = await connect("other");
    await other.subscribe("$aws/things/other/streams/#");
    const otherRun = makeRun("other", { fileBytes: makeFile(3_000_000) });
    publisher.send("other", otherRun);
    for (const payload of payloadsOf(otherRun)) expect((await other.next("publish")).payload).toEqual(payload);
    expect(publisher.isSettled("frozen")).toBe(false);
    frozen.socket.resume();
    for (const payload of payloadsOf(run)) {
      expect(payload.equals((await frozen.next("publish")).payload as Buffer)).toBe(true);
    }
  });

  it("is evicted after the stall timeout, with one line, and its run is let go", async () => {
    await connectFrozen("frozen");
    await stuffed("frozen");
    for (let look = 0; look < 5; look++) clock.advance(15_000);
    const { fields } = await broker.log.waitFor("client evicted");
    expect(fields).toMatchObject({ clientId: "frozen", stalledMs: 60_000 });
    await publisher.settled("frozen");
    expect(broker.log.lines).toHaveLength(1);
  });

  it("is not evicted when it goes on reading in time", async () => {
    const client = await connectFrozen("slow");
    await stuffed("slow");
    for (let look = 0; look < 4; look++) clock.advance(15_000);
    client.socket.resume();
    await publisher.settled("slow");
    await client.ping();
    clock.advance(15_000);
    await client.ping();
    expect(broker.log.lines).toEqual([]);
  });

  it("has its requests left unread while answers pile up, and answered once it reads", async () => {
    const client = await connectFrozen("flooder", "$aws/things/flooder/streams/s/rejected/cbor");
    const answer = Buffer.alloc(20_000, 1);
    publisher.onRequest = ({ topic }) => {
      broker.transport.sendMessage("flooder", topic.replace("get", "rejected"), answer);
    };
    const requestCount = 2_000;
    const packet = requestPacket("flooder");
    client.socket.write(Buffer.concat(Array.from({ length: requestCount }, () => packet)));
    // The kernel takes some megabytes; well before the 40 that all answers have, requests must stop being taken.
    const other = await connect("other");
    let before = -1;
    while (before !== publisher.requests.length) {
      before = publisher.requests.length;
      for (let round = 0; round < 20; round++) await other.ping();
    }
    expect(before).toBeGreaterThan(10);
    expect(before).toBeLessThan(requestCount);
    client.socket.resume();
    await publisher.until(() => publisher.requests.length === requestCount);
    for (let index = 0; index < requestCount; index++) {
      const { payload } = await client.next("publish");
      expect(payload.length).toBe(answer.length);
    }
    expect(broker.log.lines).toEqual([]);
  });

  it("is let go of when it is killed while its requests are held", async () => {
    const client = await connectFrozen("killed", "$aws/things/killed/streams/s/rejected/cbor");
    publisher.onRequest = ({ topic }) => {
      broker.transport.sendMessage("killed", topic.replace("get", "rejected"), Buffer.alloc(200_000));
    };
    const packet = requestPacket("killed", 100_000);
    client.socket.write(Buffer.concat(Array.from({ length: 500 }, () => packet)));
    const other = await connect("other");
    let before = -1;
    while (before !== publisher.requests.length) {
      before = publisher.requests.length;
      for (let round = 0; round < 20; round++) await other.ping();
    }
    expect(before).toBeLessThan(500);
    // 50 MB are more than the kernel holds: the broker does not read what it cannot answer.
    expect(client.socket.writableLength).toBeGreaterThan(0);
    client.socket.resetAndDestroy();
    await client.closed();
    const again = await connect("killed");
    await again.ping();
    const run = makeRun("killed", { fileBytes: makeFile(10_000) });
    expect(broker.transport.sendBlocks("killed", run, 0)).toBeUndefined();
  });
});

describe("a device that is killed in the middle of a run", () => {
  it("is reported ready once, and then nobody receives the run", async () => {
    const client = await connectFrozen("killed");
    await stuffed("killed");
    expect(broker.transport.sendBlocks("killed", makeRun("killed"), 0)).toBe(0);
    const readyBefore = publisher.readyCalls.length;
    client.socket.resetAndDestroy();
    await publisher.settled("killed");
    expect(publisher.readyCalls.length).toBe(readyBefore + 1);
    expect(publisher.taken.at(-1)).toBeUndefined();
  });
});

describe("a device with messages waiting", () => {
  it("takes no blocks beside them, and is reported ready when it is killed", async () => {
    const client = await connectFrozen("crowded");
    const topic = "$aws/things/crowded/streams/s/rejected/cbor";
    for (let index = 0; index < 400; index++) broker.transport.sendMessage("crowded", topic, Buffer.alloc(60_000));
    await (await connect("other")).ping();
    publisher.send("crowded", makeRun("crowded"));
    expect(publisher.taken).toEqual([0]);
    expect(publisher.readyCalls).toEqual([]);
    client.socket.resetAndDestroy();
    await publisher.settled("crowded");
    expect(publisher.readyCalls).toEqual(["crowded"]);
    expect(publisher.taken).toEqual([0, undefined]);
  });
});

describe("an observer that reads nothing", () => {
  it("loses messages, is reported at intervals, and delays neither devices nor the broker", async () => {
    await connectFrozen("watcher", "$aws/#");
    const device = await connect("busy");
    await device.subscribe("$aws/things/busy/streams/s/data/cbor");
    const run = makeRun("busy", { fileBytes: makeFile(12_000_000), blockSizeBytes: 16_384 });
    publisher.send("busy", run);
    for (let index = 0; index < run.blockIds.length; index++) await device.next("publish");
    const { fields } = await broker.log.waitFor("does not keep up");
    expect(fields.clientId).toBe("watcher");
    for (let index = 0; index < 300; index++) device.publish(topicOf("busy"), "x");
    await device.ping();
    await publisher.until(() => publisher.requests.length === 300);
    expect(broker.log.lines).toHaveLength(1);
  });

  it("is not the reason that a run without its device stops", async () => {
    await connectFrozen("watcher", "$aws/#");
    publisher.send("absent", makeRun("absent", { fileBytes: makeFile(8_000_000) }));
    await publisher.settled("absent");
    expect(publisher.taken.every((count) => (count ?? 0) > 0)).toBe(true);
  });
});

/** Sends a thing more than the kernel holds for it, until nothing more is taken. */
async function stuffed(thing: string): Promise<void> {
  publisher.send(thing, makeRun(thing, { fileBytes: makeFile(24_000_000), blockSizeBytes: 16_384 }));
  const other = await connect("patience");
  let before = -1;
  while (before !== publisher.taken.length) {
    before = publisher.taken.length;
    for (let round = 0; round < 20; round++) await other.ping();
  }
  other.destroy();
}

function requestPacket(thing: string, payloadBytes = 0): Buffer {
  const packet = { cmd: "publish", topic: topicOf(thing), payload: Buffer.alloc(payloadBytes) } as const;
  return generate({ ...packet, qos: 0, dup: false, retain: false });
}
