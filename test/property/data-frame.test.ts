/** Data messages and PUBLISH packets against decoders and encoders that others wrote. */
import { Decoder } from "cbor-x";
import fc from "fast-check";
import { generate } from "mqtt-packet";
import { describe, expect, it } from "vitest";
import { DataFrame, publishLength, writePublishHead } from "../../shared/protocol/data-frame.ts";
import { blockIds, clientTokens, dataMessages, fileIds, formats } from "../support/arbitraries.ts";

const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });
const FILLER = 0xa7;

describe("DataFrame", () => {
  it("writes what JSON.parse and cbor-x read as the message", () => {
    fc.assert(
      fc.property(formats, dataMessages, (format, { blockId, payload, ...shared }) => {
        const bytes = new DataFrame({ format, ...shared }).encode(blockId, payload);
        const token = shared.clientToken === undefined ? {} : { c: shared.clientToken };
        const expected = { ...token, f: shared.fileId, i: blockId, l: payload.length };
        if (format === "json") {
          const text = Buffer.from(bytes).toString();
          const decoded = { ...expected, p: Buffer.from(payload).toString("base64") };
          expect(JSON.parse(text)).toEqual(decoded);
          expect(text).toBe(JSON.stringify(decoded));
        } else {
          const { p, ...rest } = decoder.decode(bytes);
          expect(rest).toEqual(expected);
          expect(Buffer.compare(p, payload)).toBe(0);
        }
      }),
    );
  });

  it("writes as many bytes as it says, and none outside them", () => {
    fc.assert(
      fc.property(formats, dataMessages, fc.nat({ max: 70 }), fc.nat({ max: 70 }), (format, message, before, after) => {
        const { blockId, payload, ...shared } = message;
        const frame = new DataFrame({ format, ...shared });
        const length = frame.payloadLength(blockId, payload.length);
        const target = new Uint8Array(before + length + after).fill(FILLER);
        expect(frame.writePayload(target, before, blockId, payload)).toBe(before + length);
        expect(Buffer.compare(target.subarray(before, before + length), frame.encode(blockId, payload))).toBe(0);
        expect(target.subarray(0, before).every((byte) => byte === FILLER)).toBe(true);
        expect(target.subarray(before + length).every((byte) => byte === FILLER)).toBe(true);
      }),
    );
  });

  it("frames many blocks with one frame as with a frame for each", () => {
    fc.assert(
      fc.property(
        fc.record({ format: formats, fileId: fileIds, clientToken: fc.option(clientTokens, { nil: undefined }) }),
        fc.array(fc.tuple(blockIds, fc.uint8Array({ maxLength: 40 })), { maxLength: 12 }),
        (options, blocks) => {
          const shared = new DataFrame(options);
          for (const [blockId, block] of blocks) {
            expect(shared.encode(blockId, block)).toEqual(new DataFrame(options).encode(blockId, block));
          }
        },
      ),
    );
  });

  it("knows the size of the largest block in JSON: about 175 KB", () => {
    const frame = new DataFrame({ format: "json", fileId: 0 });
    // {"f":0,"i":0,"l":131072,"p":""} is 31 bytes, and base64 of 131072 bytes is 4 x 43691.
    expect(frame.encode(0, new Uint8Array(131_072))).toHaveLength(31 + 174_764);
  });
});

describe("PUBLISH at QoS 0", () => {
  const topics = fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }).filter((topic) => !/[+#\0]/.test(topic));
  const sizes = fc.oneof(
    fc.nat({ max: 400 }),
    fc.integer({ min: 16_000, max: 16_500 }),
    fc.constantFrom(131_072, 174_795, 2_097_149, 2_097_152),
  );

  it("has the length and the head that mqtt-packet gives it", () => {
    fc.assert(
      fc.property(topics, sizes, fc.nat({ max: 20 }), (topic, size, offset) => {
        const topicBytes = Buffer.from(topic);
        const payload = Buffer.alloc(size);
        const packet = generate({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false });
        const length = publishLength(topicBytes.length, size);
        expect(length).toBe(packet.length);
        const target = new Uint8Array(offset + length + 3).fill(FILLER);
        const payloadAt = writePublishHead(target, offset, topicBytes, size);
        expect(payloadAt).toBe(offset + length - size);
        expect(Buffer.compare(target.subarray(offset, payloadAt), packet.subarray(0, length - size))).toBe(0);
        expect(target.subarray(0, offset).every((byte) => byte === FILLER)).toBe(true);
        expect(target.subarray(payloadAt).every((byte) => byte === FILLER)).toBe(true);
      }),
    );
  });

  it.each([127, 128, 16_383, 16_384, 2_097_151, 2_097_152])("turns at a remaining length of %i", (remaining) => {
    const packet = generate({
      cmd: "publish",
      topic: "t",
      payload: Buffer.alloc(remaining - 3),
      qos: 0,
      dup: false,
      retain: false,
    });
    const target = new Uint8Array(packet.length);
    const payloadAt = writePublishHead(target, 0, Buffer.from("t"), remaining - 3);
    expect(publishLength(1, remaining - 3)).toBe(packet.length);
    expect(Buffer.compare(target.subarray(0, payloadAt), packet.subarray(0, payloadAt))).toBe(0);
  });
});
