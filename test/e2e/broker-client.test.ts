/** A device's connection: how it fails to come up, in bounded time and plain words, and how it comes back. */
import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport, createExternalPublisherTransport } from "../../shared/mqtt-connection.ts";
import type { DeviceHandlers } from "../../shared/transport.ts";
import { makeRun, payloadsOf, RawClient, startTestBroker, type TestBroker, TestPublisher } from "../support/broker.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function broker(options = {}): Promise<TestBroker> {
  const started = await startTestBroker(options);
  cleanUp.push(() => started.close());
  return started;
}

/** Handlers that remember what they were told. */
class Heard extends EventEmitter implements DeviceHandlers {
  readonly log: string[] = [];
  readonly payloads: Buffer[] = [];

  connected(): void {
    this.note("connected");
  }

  disconnected(reason: string): void {
    this.note(`disconnected: ${reason}`);
  }

  messageArrived(_topic: string, payload: Uint8Array): void {
    this.payloads.push(Buffer.from(payload));
    this.note("message");
  }

  async count(kind: string, count: number): Promise<void> {
    while (this.log.filter((line) => line.startsWith(kind)).length < count) await once(this, "heard");
  }

  private note(line: string): void {
    this.log.push(line);
    this.emit("heard");
  }
}

const device = (url: string, options = {}) => {
  const transport = createDeviceTransport({ url, clientId: "t1", log: silentLog, ...options });
  cleanUp.push(() => transport.close());
  return transport;
};
const filters = ["$aws/things/t1/streams/s/+/cbor"];

describe("a broker that cannot be reached", () => {
  it("is named, without the password in its URL, when nothing listens", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    taken.close();
    await once(taken, "close");
    for (const scheme of ["mqtt", "ws"]) {
      await expect(
        device(`${scheme}://user:secret@127.0.0.1:${port}`).connect(filters, new Heard()),
      ).rejects.toMatchObject({
        code: "BrokerUnreachable",
        retryable: true,
        message: `cannot reach the broker ${scheme}://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      });
    }
    const transport = createExternalPublisherTransport({ url: `mqtt://127.0.0.1:${port}`, log: silentLog });
    await expect(transport.start({ requestArrived: () => {}, deviceReady: () => {} })).rejects.toMatchObject({
      code: "BrokerUnreachable",
    });
    await transport.stop();
  });

  it("is given up on after the timeout when it accepts and says nothing", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    cleanUp.push(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const connecting = device(`mqtt://127.0.0.1:${port}`, { connectTimeoutMs: 50 }).connect(filters, new Heard());
    await expect(connecting).rejects.toMatchObject({ code: "BrokerUnreachable" });
    await expect(connecting).rejects.toThrow("no answer within 50 ms");
  });

  it("is given up on at once when the transport is closed", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    cleanUp.push(() => silent.close());
    const transport = device(`mqtt://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    const connecting = transport.connect(filters, new Heard());
    const rejected = expect(connecting).rejects.toThrow("the attempt was given up");
    await transport.close();
    await rejected;
  });

  it("is told by the HTTP status of a WebSocket that was refused", async () => {
    const { wsUrl } = await broker();
    await expect(device(`${wsUrl}/nowhere`).connect(filters, new Heard())).rejects.toThrow(
      "Unexpected server response: 404",
    );
  });

  it.each(["", "127.0.0.1:1883", "http://127.0.0.1", "mqtt:", "mqtt://"])("is no broker at all: %j", (url) => {
    expect(() => device(url)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    expect(() => createExternalPublisherTransport({ url, log: silentLog })).toThrow(/^the broker must be a URL/);
  });
});

describe("a subscription", () => {
  it("that is refused is named", async () => {
    const { mqttUrl } = await broker();
    const transport = device(mqttUrl);
    await expect(transport.connect([...filters, "$aws/#"], new Heard())).rejects.toMatchObject({
      code: "SubscriptionRefused",
      message: "the broker refused the subscription to $aws/#",
    });
    await transport.connect(filters, new Heard());
  });
});

describe.each(["mqttUrl", "wsUrl"] as const)("a device at %s", (door) => {
  it("comes back after its connection is lost, subscribed again", async () => {
    const first = await broker();
    const heard = new Heard();
    const transport = device(first[door]);
    await transport.connect(filters, heard);
    await first.close();
    await heard.count("disconnected", 1);
    transport.publish("$aws/things/t1/streams/s/get/cbor", Buffer.from("lost"));
    const second = await broker({ [door === "mqttUrl" ? "mqttPort" : "wsPort"]: Number(new URL(first[door]).port) });
    const publisher = await TestPublisher.start(second.transport);
    await heard.count("connected", 2);
    const run = makeRun("t1", { blockIds: Uint32Array.of(3) });
    publisher.send("t1", run);
    await heard.count("message", 1);
    expect(heard.payloads).toEqual(payloadsOf(run));
    expect(heard.log.map((line) => line.split(":")[0])).toEqual(["connected", "disconnected", "connected", "message"]);
    expect(publisher.requests).toEqual([]);
  });

  it("says nothing more once it is closed", async () => {
    const { [door]: url, mqttPort } = await broker();
    const heard = new Heard();
    const transport = device(url);
    await transport.connect(filters, heard);
    await transport.close();
    await transport.close();
    await (await RawClient.connect(mqttPort, "t1")).ping();
    expect(heard.log).toEqual(["connected"]);
  });
});
