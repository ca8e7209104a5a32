/** The MQTT 3.1.1 packets of a lean connection that are not blocks: what it sends, and what it reads of the others. */
import { generate, type Packet, parser } from "mqtt-packet";

/** PINGREQ; it has no body. */
export const PINGREQ: Uint8Array = generate({ cmd: "pingreq" });
/** DISCONNECT; it has no body. */
export const DISCONNECT: Uint8Array = generate({ cmd: "disconnect" });

const CONNECT = 0x10;
const CONNACK = 0x20;
const PUBLISH_QOS_0 = 0x30;
const RETAINED = 0x01;
const SUBSCRIBE = 0x82;
const SUBACK = 0x90;
/** What a SUBACK may answer to a filter (MQTT 3.1.1 section 3.9.3). */
const GRANTS: ReadonlySet<number> = new Set([0, 1, 2, 0x80]);
/** "MQTT" with its length, level 4, and the flags of a clean session without a will. */
const CONNECT_HEAD = Uint8Array.of(0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2);

/** Makes a CONNECT packet for a clean session without a will. */
export function encodeConnect(clientId: string, keepAliveSeconds: number): Uint8Array {
  const remainingBytes = CONNECT_HEAD.length + 2 + 2 + Buffer.byteLength(clientId);
  const packet = openPacket(CONNECT, remainingBytes);
  const at = packet.length - remainingBytes;
  packet.set(CONNECT_HEAD, at);
  writeText(packet, packet.writeUInt16BE(keepAliveSeconds, at + CONNECT_HEAD.length), clientId);
  return packet;
}

/** Makes a SUBSCRIBE packet at QoS 0. */
export function encodeSubscribe(messageId: number, topicFilters: readonly string[]): Uint8Array {
  let remainingBytes = 2;
  for (const topicFilter of topicFilters) remainingBytes += 2 + Buffer.byteLength(topicFilter) + 1;
  const packet = openPacket(SUBSCRIBE, remainingBytes);
  let at = packet.writeUInt16BE(messageId, packet.length - remainingBytes);
  for (const topicFilter of topicFilters) at = packet.writeUInt8(0, writeText(packet, at, topicFilter));
  return packet;
}

/** Makes a PUBLISH packet at QoS 0, not retained. */
export function encodePublish(topic: string, payload: Uint8Array): Uint8Array {
  const remainingBytes = 2 + Buffer.byteLength(topic) + payload.length;
  const packet = openPacket(PUBLISH_QOS_0, remainingBytes);
  packet.set(payload, writeText(packet, packet.length - remainingBytes, topic));
  return packet;
}

/**
 * Reads one whole packet; undefined when it is malformed. Its payload is a part of `bytes`. What each connection begins
 * with is read here, because a parser for every packet is most of what a connection costs.
 */
export function decodePacket(bytes: Uint8Array): Packet | undefined {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 1;
  while ((body[at++] ?? 0) >= 0x80);
  const first = body[0] as number;
  if (first === CONNACK && body.length === at + 2 && body[at] === 0) {
    return { cmd: "connack", sessionPresent: false, returnCode: body[at + 1] as number };
  }
  if (first === SUBACK && body.length >= at + 2) {
    const granted = [...body.subarray(at + 2)];
    if (granted.every((code) => GRANTS.has(code))) return { cmd: "suback", messageId: body.readUInt16BE(at), granted };
  }
  if ((first & ~RETAINED) === PUBLISH_QOS_0 && body.length >= at + 2) {
    const payloadAt = at + 2 + body.readUInt16BE(at);
    if (payloadAt <= body.length) {
      const topic = body.toString("utf8", at + 2, payloadAt);
      const retain = (first & RETAINED) !== 0;
      return { cmd: "publish", qos: 0, dup: false, retain, topic, payload: body.subarray(payloadAt) };
    }
  }
  return decodeOther(body);
}

function decodeOther(bytes: Buffer): Packet | undefined {
  const packets = parser({ protocolVersion: 4 });
  let found: Packet | undefined;
  packets.on("packet", (packet) => {
    found = packet;
  });
  packets.on("error", () => {});
  packets.parse(bytes);
  return found;
}

/** A buffer for a whole packet with its fixed header; the rest of it is its last `remainingBytes`. */
function openPacket(first: number, remainingBytes: number): Buffer {
  let headBytes = 2;
  for (let rest = remainingBytes; rest > 0x7f; rest >>>= 7) headBytes++;
  const packet = Buffer.allocUnsafe(headBytes + remainingBytes);
  packet[0] = first;
  let rest = remainingBytes;
  for (let at = 1; at < headBytes; at++) {
    packet[at] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
    rest >>>= 7;
  }
  return packet;
}

/** Writes a text with its length; returns where the next byte goes. */
function writeText(packet: Buffer, at: number, text: string): number {
  const textBytes = packet.write(text, at + 2);
  packet.writeUInt16BE(textBytes, at);
  return at + 2 + textBytes;
}
