/** The ways that data messages take from the publisher to a device, each with the device connected at its end. */
import type { Duplex } from "node:stream";
import type { IPublishPacket } from "mqtt-packet";
import { encodeCbor } from "../../shared/protocol/cbor.ts";
import { formatTopic, parseTopic, streamsPrefix } from "../../shared/protocol/topics.ts";
import { RawClient } from "./broker.ts";
import type { RunningServer } from "./running-server.ts";

/** The client id that a lane's server must know as an observer. */
export const LANE_OBSERVER = "lane-observer";
/** A stream of one file that a server behind a lane must have; a block of it says that everything before it has come. */
export const LANE_END_STREAM = "lane-end";

/** One packet, as far as it can differ. */
export type DataPacket = Pick<IPublishPacket, "topic" | "qos" | "dup" | "retain"> & { readonly payload: Buffer };

/** A device at the end of a lane. */
export interface Lane {
  readonly thing: string;
  /** Sends requests in one write; resolves with what each receiver of the lane got for them, in order. */
  exchange(requests: readonly { readonly topic: string; readonly payload: Buffer }[]): Promise<DataPacket[][]>;
  /** Lets no receiver read on, or lets them again. */
  hold(isHeld: boolean): void;
  close(): void;
}

/** Connects a device, and what else belongs to its lane. */
export type OpenLane = (server: RunningServer, thing: string) => Promise<Lane>;

/** The lanes inside the server's own broker. */
export const OWN_LANES: Readonly<Record<string, OpenLane>> = {
  TCP: async (server, thing) => {
    const device = await RawClient.connect(portOf(server), thing);
    await subscribe(device, 0, topicsOf(thing));
    return makeLane(thing, [device]);
  },
  WebSocket: async (server, thing) => {
    const device = await RawClient.connectWebSocket(server.urls.ws ?? "", thing);
    await subscribe(device, 0, topicsOf(thing));
    return makeLane(thing, [device]);
  },
  "a device and an observer": async (server, thing) => {
    const device = await RawClient.connect(portOf(server), thing);
    await subscribe(device, 0, topicsOf(thing));
    const observer = await RawClient.connect(portOf(server), LANE_OBSERVER);
    await subscribe(observer, 0, ["$aws/things/+/streams/+/data/+"]);
    return makeLane(thing, [device, observer]);
  },
  /** The broker may grant QoS 1; what it sends stays at the QoS it was published with, which is 0. */
  "a subscription that asks for QoS 1": async (server, thing) => {
    const device = await RawClient.connect(portOf(server), thing);
    await subscribe(device, 1, topicsOf(thing));
    return makeLane(thing, [device]);
  },
  "a wildcard over all of the thing's own topics": async (server, thing) => {
    const device = await RawClient.connect(portOf(server), thing);
    await subscribe(device, 0, [`${streamsPrefix(thing)}#`]);
    return makeLane(thing, [device]);
  },
};

/** The lane through a broker elsewhere, at its port. */
export function externalLane(port: number): OpenLane {
  return async (_server, thing) => {
    const device = await RawClient.connect(port, thing);
    await subscribe(device, 0, topicsOf(thing));
    return makeLane(thing, [device]);
  };
}

function portOf(server: RunningServer): number {
  return Number(new URL(server.urls.mqtt).port);
}

/** Rejections, too: one that comes is a packet that was not expected. */
function topicsOf(thing: string): string[] {
  return ["data", "rejected"].map((answer) => `${streamsPrefix(thing)}+/${answer}/+`);
}

async function subscribe(client: RawClient<Duplex>, qos: 0 | 1, topicFilters: readonly string[]): Promise<void> {
  const granted = await client.subscribeAt(qos, ...topicFilters);
  if (granted.some((code) => code !== 0 && code !== qos)) throw new Error(`granted ${granted}, asked for ${qos}`);
}

function makeLane(thing: string, receivers: readonly RawClient<Duplex>[]): Lane {
  const [device] = receivers as [RawClient<Duplex>];
  const endTopic = formatTopic(thing, LANE_END_STREAM, "get", "cbor");
  const end = Buffer.from(encodeCbor({ f: 0, l: 256, n: 1 }));
  return {
    thing,
    async exchange(requests) {
      device.socket.cork();
      for (const { topic, payload } of [...requests, { topic: endTopic, payload: end }]) device.publish(topic, payload);
      device.socket.uncork();
      return Promise.all(receivers.map((receiver) => takeToEnd(receiver, thing)));
    },
    hold: (isHeld) => {
      for (const { socket } of receivers) isHeld ? socket.pause() : socket.resume();
    },
    close: () => {
      for (const receiver of receivers) receiver.destroy();
    },
  };
}

/** Takes all messages up to the block that ends an exchange; a thing's own requests, which a wildcard brings back, are left out. */
async function takeToEnd(receiver: RawClient<Duplex>, thing: string): Promise<DataPacket[]> {
  const endTopic = formatTopic(thing, LANE_END_STREAM, "data", "cbor");
  const packets: DataPacket[] = [];
  for (;;) {
    const { topic, payload, qos, dup, retain } = await receiver.next("publish");
    if (topic === endTopic) return packets;
    if (!isRequest(topic)) packets.push({ topic, payload: Buffer.from(payload), qos, dup, retain });
  }
}

function isRequest(topic: string): boolean {
  const parsed = parseTopic(topic);
  return parsed?.kind === "stream" && parsed.operation === "get";
}
