/** Which packets the lean parser streams, which it hands over whole, and which end a connection. */
import { describe, expect, it } from "vitest";
import { LeanParser } from "../../device/fleet/lean-parser.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { hex } from "../golden/vector.ts";
import { blockIn, LeanRecorder, publishPacket, readInPieces } from "../support/lean-recorder.ts";
import { range } from "../support/session-driver.ts";

const TOPIC = "$aws/things/t/streams/s/data/cbor";
/** Block 43 of file 0 for the token rdy, as docs/PROTOCOL.md section 2 spells it. */
const LAST = "bf 6163 63726479 6166 00 6169 182b 616c 04 6170 446c617374 ff";

function find(payload: string): LeanRecorder {
  return readInPieces(TOPIC, publishPacket(TOPIC, hex(payload)), []).recorder;
}

describe("a data message", () => {
  it("is streamed in the publisher's form", () => {
    const { found, streamedBlocks } = find(LAST);
    expect(streamedBlocks).toBe(1);
    expect(found).toEqual([{ fileId: 0, blockId: 43, clientToken: "rdy", payload: "6c617374" }]);
  });

  it("is streamed without a token, after one with a token", () => {
    const bare = "bf 6166 00 6169 182b 616c 04 6170 446c617374 ff";
    const sent = Buffer.concat([LAST, bare].map((payload) => publishPacket(TOPIC, hex(payload))));
    const { found, streamedBlocks } = readInPieces(TOPIC, sent, []).recorder;
    expect(streamedBlocks).toBe(2);
    expect(found[1]).toEqual({ fileId: 0, blockId: 43, clientToken: undefined, payload: "6c617374" });
  });

  it.each([
    ["a definite map", "a5 6163 63726479 6166 00 6169 182b 616c 04 6170 446c617374"],
    ["another order of keys", "bf 6166 00 6163 63726479 6169 182b 616c 04 6170 446c617374 ff"],
    ["a token that is not ASCII", "bf 6163 62c3bc 6166 00 6169 182b 616c 04 6170 446c617374 ff"],
    ["a head of eight bytes", "bf 6163 63726479 6166 00 6169 1b000000000000002b 616c 04 6170 446c617374 ff"],
  ])("in the form of %s comes whole, and is the same block", (_, payload) => {
    const { found, streamedBlocks } = find(payload);
    expect(streamedBlocks).toBe(0);
    expect(found).toEqual([expect.objectContaining({ fileId: 0, blockId: 43, payload: "6c617374" })]);
  });

  it.each([
    ["a length that is not the payload's", "bf 6166 00 6169 182b 616c 05 6170 446c617374 ff"],
    ["a file id of 256", "bf 6166 190100 6169 182b 616c 04 6170 446c617374 ff"],
    ["no end", "bf 6166 00 6169 182b 616c 04 6170 446c617374 00"],
    ["a payload that is longer than the packet", "bf 6166 00 6169 182b 616c 19ffff 6170 59ffff 00 ff"],
    ["nothing", ""],
  ])("with %s is no block", (_, payload) => {
    expect(find(payload).found).toEqual([expect.any(String)]);
  });
});

/** The packet of a block of file 3. */
function block(blockId: number, sizeBytes: number, other: { clientToken?: string; fileId?: number } = {}): Uint8Array {
  const payload = Uint8Array.from({ length: sizeBytes }, (_, index) => blockId + index);
  const frame = new DataFrame({ format: "cbor", fileId: 3, clientToken: "t-1", ...other });
  return publishPacket(TOPIC, frame.encode(blockId, payload));
}

describe("blocks that follow one another", () => {
  it("are handed over at once, with their payloads", () => {
    const blockIds = [22, 23, 24, 25, 254, 255, 256, 257];
    const sent = Buffer.concat(blockIds.map((blockId) => block(blockId, 700)));
    const { recorder } = readInPieces(TOPIC, sent, []);
    expect(recorder.runs).toEqual([4, 4]);
    expect(recorder.found).toEqual(blockIds.map((blockId) => blockIn(block(blockId, 700), TOPIC)));
  });

  it.each([
    ["of another request", block(2, 700, { clientToken: "t-2" })],
    [
      "of no request",
      publishPacket(TOPIC, new DataFrame({ format: "cbor", fileId: 3 }).encode(2, new Uint8Array(700))),
    ],
    ["of another file", block(2, 700, { fileId: 4 })],
    ["of another length", block(2, 699)],
    ["that does not follow", block(3, 700)],
    ["that came before", block(1, 700)],
  ])("are handed over before a block %s", (_, other) => {
    const { recorder } = readInPieces(TOPIC, Buffer.concat([block(0, 700), block(1, 700), other]), []);
    expect(recorder.runs).toEqual([2, 1]);
    expect(recorder.found.at(-1)).toEqual(blockIn(other, TOPIC));
  });

  it("are handed over before any other packet, so that everything keeps its order", () => {
    const rejected = publishPacket(TOPIC.replace("data", "rejected"), hex("a0"));
    const { recorder } = readInPieces(
      TOPIC,
      Buffer.concat([block(0, 700), block(1, 700), rejected, block(2, 700)]),
      [],
    );
    expect(recorder.runs).toEqual([2, 1]);
    expect(recorder.found.map((each) => typeof each)).toEqual(["object", "object", "string", "object"]);
  });

  it("are handed over when what was read ends, and a block that is cut comes by itself", () => {
    const packets = range(0, 4).map((blockId) => block(blockId, 700));
    const sent = Buffer.concat(packets);
    const { recorder } = readInPieces(TOPIC, sent, [sent.length / 2 + 100]);
    expect(recorder.runs).toEqual([2, 1]);
    expect(recorder.found).toEqual(packets.map((packet) => blockIn(packet, TOPIC)));
  });

  it("are not moved when they are longer than 16 KiB", () => {
    const runsOf = (sizeBytes: number): number[] =>
      readInPieces(TOPIC, Buffer.concat([block(0, sizeBytes), block(1, sizeBytes)]), []).recorder.runs;
    expect(runsOf(16_384)).toEqual([2]);
    expect(runsOf(16_385)).toEqual([1, 1]);
  });

  it("end before one that is malformed at its end", () => {
    const spoiled = block(1, 700);
    spoiled[spoiled.length - 1] = 0;
    const { recorder } = readInPieces(TOPIC, Buffer.concat([block(0, 700), spoiled, block(2, 700)]), []);
    expect(recorder.found).toEqual([blockIn(block(0, 700), TOPIC), "spoiled", blockIn(block(2, 700), TOPIC)]);
  });
});

describe("the packet size", () => {
  it("may be 262144 bytes and not one more", () => {
    const rest = 262_144 - 4;
    const largest = Buffer.concat([
      Uint8Array.of(0x32, (rest & 127) | 128, ((rest >> 7) & 127) | 128, rest >> 14),
      Buffer.alloc(rest),
    ]);
    expect(largest).toHaveLength(262_144);
    const { recorder, fault } = readInPieces(TOPIC, largest, [100, 200_000]);
    expect(fault).toBeUndefined();
    expect(recorder.found).toEqual([largest.toString("hex")]);
    const next = Uint8Array.of(0x32, ((rest + 1) & 127) | 128, (((rest + 1) >> 7) & 127) | 128, (rest + 1) >> 14);
    expect(readInPieces(TOPIC, next, []).fault).toBe("packetTooLarge");
  });

  it("has at most four bytes, and every read after a fault repeats it", () => {
    const recorder = new LeanRecorder(TOPIC);
    const parser = new LeanParser(recorder, Buffer.from(TOPIC));
    const bytes = hex("30 ff ff ff ff 01");
    expect(parser.push(bytes, bytes.length)).toBe("malformedLength");
    expect(parser.push(publishPacket(TOPIC, hex(LAST)), 60)).toBe("malformedLength");
    expect(recorder.found).toEqual([]);
  });
});

describe("without a data topic", () => {
  it("every packet comes whole", () => {
    const recorder = new LeanRecorder(TOPIC);
    const packet = publishPacket(TOPIC, hex(LAST));
    expect(new LeanParser(recorder, undefined).push(packet, packet.length)).toBeUndefined();
    expect(recorder.streamedBlocks).toBe(0);
    expect(recorder.found).toHaveLength(1);
  });
});
