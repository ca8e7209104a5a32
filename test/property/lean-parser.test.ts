/** The lean parser against the ordinary decoders: any packets, cut anywhere, and bytes that are none. */
import fc from "fast-check";
import { generate } from "mqtt-packet";
import { describe, expect, it } from "vitest";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { encodeDescription, encodeRejected } from "../../shared/protocol/encode.ts";
import { cborNoise, dataMessages, descriptions, mutated, rejections } from "../support/arbitraries.ts";
import { blockIn, LeanRecorder, publishPacket, readInPieces } from "../support/lean-recorder.ts";

const TOPIC = "$aws/things/t-1/streams/s/data/cbor";

const dataPayloads = dataMessages.map(({ blockId, payload, ...shared }) =>
  new DataFrame({ format: "cbor", ...shared }).encode(blockId, payload),
);
const packets: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 6, arbitrary: dataPayloads.map((payload) => publishPacket(TOPIC, payload)) },
  { weight: 2, arbitrary: mutated(dataPayloads).map((payload) => publishPacket(TOPIC, payload)) },
  { weight: 1, arbitrary: cborNoise.map((payload) => publishPacket(TOPIC, payload)) },
  { weight: 1, arbitrary: dataPayloads.map((payload) => publishPacket(TOPIC.replace("data", "dats"), payload)) },
  {
    weight: 1,
    arbitrary: descriptions.map((message) =>
      publishPacket(TOPIC.replace("data", "description"), encodeDescription("cbor", message)),
    ),
  },
  { weight: 1, arbitrary: rejections.map((message) => publishPacket(TOPIC, encodeRejected("json", message))) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Uint8Array>(
      generate({ cmd: "pingresp" }),
      generate({ cmd: "connack", returnCode: 0, sessionPresent: false }),
      generate({ cmd: "suback", messageId: 1, granted: [0, 0, 128] }),
      generate({ cmd: "publish", topic: TOPIC, payload: "x", qos: 0, retain: true, dup: false }),
      generate({ cmd: "publish", topic: TOPIC, payload: "x", qos: 1, retain: false, dup: false, messageId: 3 }),
    ),
  },
);

function expected(sent: readonly Uint8Array[]): unknown[] {
  return sent.map((packet) => blockIn(packet, TOPIC) ?? Buffer.from(packet).toString("hex"));
}

/** A message that is malformed at its very end is streamed before that shows; no block comes of it either way. */
function comparable(found: readonly unknown[], sent: readonly Uint8Array[]): unknown[] {
  return found.map((each, index) =>
    each === "spoiled" ? Buffer.from(sent[index] as Uint8Array).toString("hex") : each,
  );
}

/** What a request is answered with: blocks that follow one another. */
const answers: fc.Arbitrary<Uint8Array[]> = fc
  .tuple(fc.nat(300), fc.integer({ min: 1, max: 8 }), fc.nat(300), fc.constantFrom("t-1", "t-2", undefined))
  .map(([first, count, sizeBytes, clientToken]) => {
    const frame = new DataFrame({ format: "cbor", fileId: 1, ...(clientToken !== undefined && { clientToken }) });
    return Array.from({ length: count }, (_, index) => {
      const payload = new Uint8Array(sizeBytes).fill(first + index);
      return publishPacket(TOPIC, frame.encode(first + index, payload));
    });
  });

describe("LeanParser", () => {
  it("finds the blocks of whole answers, other packets among them, in any pieces", () => {
    let gathered = 0;
    const sequences = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: answers },
        packets.map((packet) => [packet]),
      ),
      {
        maxLength: 6,
      },
    );
    fc.assert(
      fc.property(sequences, fc.array(fc.nat(), { maxLength: 6 }), (parts, where) => {
        const sent = parts.flat();
        const bytes = Buffer.concat(sent);
        const cuts = where.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
        const { recorder } = readInPieces(TOPIC, bytes, cuts);
        expect(comparable(recorder.found, sent)).toEqual(expected(sent));
        gathered += recorder.runs.filter((count) => count > 1).length;
      }),
      { numRuns: 300 },
    );
    expect(gathered).toBeGreaterThan(100);
  });

  it("finds in any pieces what the ordinary decoders find in whole packets", () => {
    fc.assert(
      fc.property(fc.array(packets, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (sent, where) => {
        const bytes = Buffer.concat(sent);
        const cuts = where.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
        const { recorder, fault } = readInPieces(TOPIC, bytes, cuts);
        expect(fault).toBeUndefined();
        expect(comparable(recorder.found, sent)).toEqual(expected(sent));
      }),
      { numRuns: 300 },
    );
  });

  it("finds the same when every packet is cut at every byte", () => {
    fc.assert(
      fc.property(packets, packets, (first, second) => {
        const sent = [first, second];
        const bytes = Buffer.concat(sent);
        for (let cut = 0; cut <= Math.min(bytes.length, 700); cut++) {
          const { recorder } = readInPieces(TOPIC, bytes, [cut]);
          expect(comparable(recorder.found, sent)).toEqual(expected(sent));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("finds the same byte by byte", () => {
    fc.assert(
      fc.property(fc.array(packets, { maxLength: 4 }), (sent) => {
        const bytes = Buffer.concat(sent);
        const { recorder } = readInPieces(TOPIC, bytes, [...bytes.keys()]);
        expect(comparable(recorder.found, sent)).toEqual(expected(sent));
      }),
      { numRuns: 30 },
    );
  });

  it("streams every data message in the publisher's form whose token is ASCII", () => {
    const tokens = fc.option(fc.string({ unit: "grapheme-ascii", maxLength: 64 }), { nil: undefined });
    fc.assert(
      fc.property(dataMessages, tokens, ({ fileId, blockId, payload }, clientToken) => {
        const message = new DataFrame({ format: "cbor", fileId, clientToken }).encode(blockId, payload);
        const { recorder } = readInPieces(TOPIC, publishPacket(TOPIC, message), []);
        expect(recorder.streamedBlocks).toBe(1);
      }),
    );
  });

  it("survives any bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }), (pieces) => {
        const bytes = Buffer.concat(pieces);
        const cuts = pieces.map((_, index) => Buffer.concat(pieces.slice(0, index)).length);
        const { recorder } = readInPieces(TOPIC, bytes, cuts);
        expect(recorder).toBeInstanceOf(LeanRecorder);
      }),
      { numRuns: 500 },
    );
  });
});
