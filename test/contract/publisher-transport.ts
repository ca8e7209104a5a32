/** What every transport of a publisher must do, told by devices that are connected to its broker. */
import { EventEmitter, once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import type { DeviceTransport, PublisherTransport } from "../../shared/transport.ts";
import { makeFile, makeRun, payloadsOf, TestPublisher } from "../support/broker.ts";

/** A transport that is not started, and where its devices connect. */
export interface TransportUnderTest {
  readonly transport: PublisherTransport;
  readonly deviceUrl: string;
  /** Says that nobody receives a topic. */
  readonly knowsReceivers: boolean;
  close(): Promise<void>;
}

/** A device that keeps what arrives. */
class Listener {
  readonly messages: { readonly topic: string; readonly payload: Buffer }[] = [];
  readonly transport: DeviceTransport;
  private readonly events = new EventEmitter();

  private constructor(transport: DeviceTransport) {
    this.transport = transport;
  }

  static async connect(url: string, thing: string, streamId = "s"): Promise<Listener> {
    const transport = createDeviceTransport({ url, clientId: thing, log: silentLog });
    const listener = new Listener(transport);
    await transport.connect(
      [`$aws/things/${thing}/streams/${streamId}/+/cbor`, formatTopic(thing, streamId, "data", "json")],
      {
        connected: () => {},
        disconnected: () => {},
        messageArrived: (topic, payload) => {
          listener.messages.push({ topic, payload: Buffer.from(payload) });
          listener.events.emit("message");
        },
      },
    );
    return listener;
  }

  async received(count: number): Promise<void> {
    while (this.messages.length < count) await once(this.events, "message");
  }
}

/** Runs the suite against one transport. */
export function describePublisherTransport(name: string, setUp: () => Promise<TransportUnderTest>): void {
  describe(`publisher transport: ${name}`, () => {
    let parts: TransportUnderTest;
    let publisher: TestPublisher;
    const devices: DeviceTransport[] = [];
    const connect = async (thing: string, streamId?: string): Promise<Listener> => {
      const listener = await Listener.connect(parts.deviceUrl, thing, streamId);
      devices.push(listener.transport);
      return listener;
    };

    beforeAll(async () => {
      parts = await setUp();
      publisher = await TestPublisher.start(parts.transport);
    });
    afterAll(async () => {
      for (const device of devices) await device.close();
      await parts?.transport.stop();
      await parts?.close();
    });

    it("hands over requests with their topic and their bytes", async () => {
      const device = await connect("asker");
      const topic = formatTopic("asker", "s", "get", "cbor");
      device.transport.publish(topic, Uint8Array.of(0xa0, 0, 255));
      device.transport.publish(formatTopic("asker", "s", "describe", "json"), Buffer.from("{}"));
      await publisher.until(() => publisher.requests.length >= 2);
      expect(publisher.requests.splice(0)).toEqual([
        { topic, payload: Buffer.of(0xa0, 0, 255) },
        { topic: formatTopic("asker", "s", "describe", "json"), payload: Buffer.from("{}") },
      ]);
    });

    it.each([
      ["cbor", 256],
      ["cbor", 1000],
      ["cbor", 4096],
      ["cbor", 131_072],
      ["json", 4096],
      ["json", 131_072],
    ] as const)(
      "delivers the blocks of a %s run with blocks of %d bytes, in order, byte for byte",
      async (format, blockSizeBytes) => {
        const thing = `taker-${format}-${blockSizeBytes}`;
        const device = await connect(thing);
        const fileBytes = makeFile(300_001);
        const run = makeRun(thing, { format, blockSizeBytes, fileBytes, clientToken: "rdy" });
        publisher.send(thing, run);
        await publisher.settled(thing);
        await device.received(run.blockIds.length);
        expect(device.messages.every(({ topic }) => topic === run.topic)).toBe(true);
        expect(
          Buffer.concat(device.messages.map(({ payload }) => payload)).equals(Buffer.concat(payloadsOf(run))),
        ).toBe(true);
      },
    );

    it("delivers only the blocks that a run names", async () => {
      const device = await connect("picker");
      const run = makeRun("picker", { blockIds: Uint32Array.of(0, 7, 200, 244) });
      publisher.send("picker", run);
      await device.received(4);
      expect(device.messages.map(({ payload }) => payload)).toEqual(payloadsOf(run));
    });

    it("keeps messages and blocks of a thing in order", async () => {
      const device = await connect("orderly");
      const rejected = formatTopic("orderly", "s", "rejected", "cbor");
      const run = makeRun("orderly", { blockIds: Uint32Array.of(0, 1) });
      parts.transport.sendMessage("orderly", rejected, Buffer.from("before"));
      publisher.send("orderly", run);
      parts.transport.sendMessage("orderly", rejected, Buffer.from("after"));
      await device.received(4);
      expect(device.messages.map(({ topic }) => topic)).toEqual([rejected, run.topic, run.topic, rejected]);
      expect(device.messages[3]?.payload.toString()).toBe("after");
    });

    it("gives each thing its own blocks", async () => {
      const left = await connect("left");
      const right = await connect("right");
      const leftRun = makeRun("left", { fileBytes: makeFile(500_000) });
      const rightRun = makeRun("right", { fileBytes: makeFile(600_000) });
      publisher.send("left", leftRun);
      publisher.send("right", rightRun);
      await left.received(leftRun.blockIds.length);
      await right.received(rightRun.blockIds.length);
      expect(left.messages.map(({ payload }) => payload)).toEqual(payloadsOf(leftRun));
      expect(right.messages.map(({ payload }) => payload)).toEqual(payloadsOf(rightRun));
    });

    it("takes at most two chunks of 76 KiB at a time, and a larger block alone", () => {
      const small = parts.transport.sendBlocks("left", makeRun("left"), 3) as number;
      const large = parts.transport.sendBlocks("right", makeRun("right", { blockSizeBytes: 131_072 }), 1) as number;
      expect(small).toBeGreaterThan(0);
      expect(small).toBeLessThanOrEqual(36);
      expect(large).toBe(1);
    });

    it("lets go of a run when its device leaves in the middle of it", async () => {
      const device = await connect("leaver");
      publisher.send("leaver", makeRun("leaver", { fileBytes: makeFile(20_000_000) }));
      await device.received(1);
      await device.transport.close();
      await publisher.settled("leaver");
    });

    it("says so when nobody receives a topic, if it can know", () => {
      const taken = parts.transport.sendBlocks("nobody", makeRun("nobody", { blockIds: Uint32Array.of(0) }), 0);
      expect(taken).toBe(parts.knowsReceivers ? undefined : 1);
      parts.transport.sendMessage("nobody", formatTopic("nobody", "s", "rejected", "json"), Buffer.from("{}"));
    });

    it("hands over nothing after it was stopped", async () => {
      const device = await connect("late");
      await parts.transport.stop();
      const before = publisher.requests.length;
      device.transport.publish(formatTopic("late", "s", "get", "cbor"), Buffer.of(0xa0));
      await device.transport.close();
      expect(publisher.requests.length).toBe(before);
    });
  });
}
