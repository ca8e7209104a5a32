/** The packets of a lean connection are those of mqtt-packet, written and read. */
import fc from "fast-check";
import { generate, type Packet, parser } from "mqtt-packet";
import { describe, expect, it } from "vitest";
import { decodePacket, encodeConnect, encodePublish, encodeSubscribe } from "../../device/fleet/lean-packets.ts";

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 });
const uint16 = fc.integer({ min: 0, max: 0xffff });

describe("what is written", () => {
  it("is the CONNECT, the SUBSCRIBE and the PUBLISH of mqtt-packet", () => {
    fc.assert(
      fc.property(
        text,
        uint16,
        uint16,
        fc.array(text, { minLength: 1, maxLength: 4 }),
        (name, keepalive, id, filters) => {
          const protocol = { protocolId: "MQTT", protocolVersion: 4 } as const;
          const connect = generate({ cmd: "connect", ...protocol, clientId: name, clean: true, keepalive });
          expect(Buffer.compare(encodeConnect(name, keepalive), connect)).toBe(0);
          const subscriptions = filters.map((topic) => ({ topic, qos: 0 as const }));
          const subscribe = generate({ cmd: "subscribe", messageId: id, subscriptions });
          expect(Buffer.compare(encodeSubscribe(id, filters), subscribe)).toBe(0);
          const payload = Buffer.alloc(id, 7);
          const publish = generate({ cmd: "publish", topic: name, payload, qos: 0, dup: false, retain: false });
          expect(Buffer.compare(encodePublish(name, payload), publish)).toBe(0);
        },
      ),
    );
  });
});

const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({
    cmd: fc.constant("connack" as const),
    returnCode: fc.integer({ min: 0, max: 5 }),
    sessionPresent: fc.boolean(),
  }),
  fc.record({
    cmd: fc.constant("suback" as const),
    messageId: fc.integer({ min: 1, max: 0xffff }),
    granted: fc.array(fc.constantFrom(0, 1, 2, 0x80), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    cmd: fc.constant("publish" as const),
    qos: fc.constant(0 as const),
    dup: fc.constant(false),
    retain: fc.boolean(),
    topic: text,
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.constant({ cmd: "pingresp" as const }),
);

describe("what is read", () => {
  it("is what mqtt-packet reads, whole, changed and cut", () => {
    const change = fc.tuple(fc.nat({ max: 20 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(packet, fc.option(change), (written, changed) => {
        const bytes = generate(written);
        // The fixed header's length is the reader's before it: it hands over whole packets only.
        if (changed !== null) bytes[changed[0] === 1 ? 0 : changed[0] % bytes.length] = changed[1];
        const expected = withMqttPacket(bytes);
        if (!isWhole(bytes)) return;
        expect(essence(decodePacket(bytes))).toEqual(essence(expected));
      }),
      { numRuns: 1_000 },
    );
  });
});

/** What a lean connection looks at. */
function essence(found: Packet | undefined): unknown {
  if (found?.cmd === "connack") return { cmd: found.cmd, returnCode: found.returnCode };
  if (found?.cmd === "suback") return { cmd: found.cmd, granted: found.granted };
  if (found?.cmd !== "publish") return found?.cmd;
  const { cmd, qos, retain, topic, payload } = found;
  return { cmd, qos, retain, topic, payload: Buffer.from(payload).toString("hex") };
}

/** Whether the fixed header's length is that of the packet. */
function isWhole(bytes: Uint8Array): boolean {
  let remaining = 0;
  for (let at = 1, scale = 1; at < bytes.length && at <= 4; at++, scale *= 128) {
    const byte = bytes[at] as number;
    remaining += (byte & 0x7f) * scale;
    if (byte < 0x80) return at + 1 + remaining === bytes.length;
  }
  return false;
}

function withMqttPacket(bytes: Buffer): Packet | undefined {
  const packets = parser({ protocolVersion: 4 });
  let found: Packet | undefined;
  packets.on("packet", (read) => {
    found = read;
  });
  packets.on("error", () => {});
  packets.parse(bytes);
  return found;
}
