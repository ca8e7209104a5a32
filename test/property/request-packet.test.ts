/** What is read as a thing's request without Aedes is what the MQTT parser and the policy would have made of it. */
import fc from "fast-check";
import { generate, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { describe, expect, it } from "vitest";
import { publishRefusal } from "../../broker/protocol/policy.ts";
import { RequestPacketReader } from "../../broker/protocol/request-packet.ts";
import { mutated } from "../support/arbitraries.ts";

const THING = "t:1";
const topics = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(THING, THING, THING, "t:2", ""),
      fc.constantFrom("s", "stream-2", "a b", "\u00e9", ""),
      fc.constantFrom("get", "describe", "manifest", "data", "rejected", "other"),
      fc.constantFrom("cbor", "json", "xml"),
    )
    .map(([thing, streamId, operation, format]) => `$aws/things/${thing}/streams/${streamId}/${operation}/${format}`),
  fc.string({ unit: "binary", maxLength: 40 }).filter((topic) => topic.isWellFormed()),
);
const publishes = fc
  .record({
    topic: topics,
    payload: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(17_000))),
    qos: fc.constantFrom(0, 0, 0, 1, 2),
    retain: fc.boolean(),
    dup: fc.boolean(),
  })
  .map(({ qos, dup, payload, ...rest }) =>
    generate({
      cmd: "publish",
      ...rest,
      payload: Buffer.from(payload),
      qos: qos as 0 | 1 | 2,
      dup: dup && qos > 0,
      ...(qos > 0 && { messageId: 7 }),
    }),
  );
const others = fc.constantFrom<Packet[]>({ cmd: "pingreq" }, { cmd: "disconnect" }).map((packet) => generate(packet));

/** What the parser of Aedes makes of one packet's bytes. */
function parsed(bytes: Uint8Array): IPublishPacket {
  const found: Packet[] = [];
  const packets = parser({ protocolVersion: 4 });
  packets.on("packet", (packet) => found.push(packet));
  packets.parse(Buffer.from(bytes));
  expect(found).toHaveLength(1);
  return found[0] as IPublishPacket;
}

describe("RequestPacketReader", () => {
  it("reads nothing but what the parser reads as a plain publish that the policy allows", () => {
    const stream = fc.array(fc.oneof(publishes, others, mutated(publishes)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(stream, (packets) => {
        const bytes = Buffer.concat(packets);
        const reader = new RequestPacketReader(THING);
        let at = 0;
        for (let request = reader.read(bytes, at); request !== undefined; request = reader.read(bytes, at)) {
          const packet = parsed(bytes.subarray(at, request.end));
          expect(packet).toMatchObject({ cmd: "publish", qos: 0, retain: false, dup: false, topic: request.topic });
          expect(Buffer.from(request.payload).equals(packet.payload as Buffer)).toBe(true);
          expect(publishRefusal({ kind: "thing", thing: THING }, request.topic)).toBeUndefined();
          at = request.end;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("reads every valid request of its thing, whole and below 16 KiB, and none that is cut off", () => {
    const own = fc.tuple(
      fc.constantFrom("s", "stream-2"),
      fc.constantFrom("get", "describe", "manifest"),
      fc.constantFrom("cbor", "json"),
      fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(16_000))),
    );
    const reader = new RequestPacketReader(THING);
    fc.assert(
      fc.property(own, fc.nat(), ([streamId, operation, format, payload], cut) => {
        const topic = `$aws/things/${THING}/streams/${streamId}/${operation}/${format}`;
        const bytes = generate({
          cmd: "publish",
          topic,
          payload: Buffer.from(payload),
          qos: 0,
          dup: false,
          retain: false,
        });
        const request = reader.read(bytes, 0);
        expect(request).toMatchObject({ topic, end: bytes.length });
        expect(Buffer.from(request?.payload ?? "").equals(Buffer.from(payload))).toBe(true);
        expect(reader.read(bytes.subarray(0, cut % bytes.length), 0)).toBeUndefined();
      }),
    );
  });
});
