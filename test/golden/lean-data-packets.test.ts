/** The golden data messages as packets through the lean parser: whole, cut at every byte, and with another packet behind. */
import { describe, expect, it } from "vitest";
import { publishPacket, readInPieces } from "../support/lean-recorder.ts";
import { CBOR_DATA } from "./data-messages.ts";

const TOPIC = "$aws/things/t/streams/s/data/cbor";
const PINGRESP = "d000";
/** Beyond this many bytes only both ends are cut byte by byte. */
const CUT_WHOLLY_BYTES = 600;

describe.each(CBOR_DATA)("$name", ({ bytes, message }) => {
  const packet = publishPacket(TOPIC, bytes);
  const sent = Buffer.concat([packet, Buffer.from(PINGRESP, "hex"), packet]);
  const { fileId, blockId, clientToken, payload } = message;
  const block = { fileId, blockId, clientToken, payload: Buffer.from(payload).toString("hex") };

  it("comes out of any two pieces, with what follows it", () => {
    for (let cut = 0; cut <= packet.length + 2; cut++) {
      if (cut > CUT_WHOLLY_BYTES / 2 && cut < packet.length - CUT_WHOLLY_BYTES / 2) continue;
      expect(readInPieces(TOPIC, sent, [cut]).recorder.found, `cut at ${cut}`).toEqual([block, PINGRESP, block]);
    }
  });

  it("is nothing while a byte is missing", () => {
    for (const length of [1, packet.length >> 1, packet.length - 1]) {
      expect(readInPieces(TOPIC, packet.subarray(0, length), []).recorder.found).toEqual([]);
    }
  });
});
