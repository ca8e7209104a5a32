/** The MQTT 3.1.1 packets of a lean connection that are not blocks: what it sends, and what it reads of the others. */
import { generate, type Packet, parser } from "mqtt-packet";
import { publishLength, writePublishHead } from "../../shared/protocol/data-frame.ts";

/** PINGREQ; it has no body. */
export const PINGREQ: Uint8Array = generate({ cmd: "pingreq" });
/** DISCONNECT; it has no body. */
export const DISCONNECT: Uint8Array = generate({ cmd: "disconnect" });

/** Makes a CONNECT packet for a clean session without a will. */
export function encodeConnect(clientId: string, keepAliveSeconds: number): Uint8Array {
  const version = { protocolId: "MQTT", protocolVersion: 4 } as const;
  return generate({ cmd: "connect", ...version, clientId, clean: true, keepalive: keepAliveSeconds });
}

/** Makes a SUBSCRIBE packet at QoS 0. */
export function encodeSubscribe(messageId: number, topicFilters: readonly string[]): Uint8Array {
  const subscriptions = topicFilters.map((topic) => ({ topic, qos: 0 as const }));
  return generate({ cmd: "subscribe", messageId, subscriptions });
}

/** Makes a PUBLISH packet at QoS 0, not retained. */
export function encodePublish(topic: string, payload: Uint8Array): Uint8Array {
  const topicBytes = Buffer.from(topic);
  const packet = Buffer.allocUnsafe(publishLength(topicBytes.length, payload.length));
  packet.set(payload, writePublishHead(packet, 0, topicBytes, payload.length));
  return packet;
}

/** Reads one whole packet; undefined when it is malformed. Its payload is a part of `bytes`. */
export function decodePacket(bytes: Uint8Array): Packet | undefined {
  const packets = parser({ protocolVersion: 4 });
  let found: Packet | undefined;
  packets.on("packet", (packet) => {
    found = packet;
  });
  packets.on("error", () => {});
  packets.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return found;
}
