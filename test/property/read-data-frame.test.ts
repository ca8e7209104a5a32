/** The short way to read a data message, against the decoder that reads any of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { decodeData } from "../../shared/protocol/decode-response.ts";
import { readDataFrame } from "../../shared/protocol/read-data-frame.ts";
import { CBOR_DATA } from "../golden/data-messages.ts";
import { dataMessages } from "../support/arbitraries.ts";

const ASCII = /^[ -~]{0,64}$/;

const frames = dataMessages.map(({ blockId, payload, ...shared }) => ({
  clientToken: shared.clientToken,
  bytes: new DataFrame({ format: "cbor", ...shared }).encode(blockId, payload),
}));

/** What is read must be what the decoder reads; reading nothing is always right. */
function expectNothingElse(bytes: Uint8Array): void {
  const read = readDataFrame(bytes);
  if (read !== undefined) expect(read).toEqual(plain(decodeData("cbor", bytes)));
}

function plain(message: ReturnType<typeof decodeData>) {
  return message && { ...message, payload: new Uint8Array(message.payload) };
}

describe("readDataFrame", () => {
  it("reads what DataFrame writes, as the decoder does", () => {
    fc.assert(
      fc.property(frames, ({ clientToken, bytes }) => {
        expectNothingElse(bytes);
        if (ASCII.test(clientToken ?? "")) expect(readDataFrame(bytes)).toEqual(plain(decodeData("cbor", bytes)));
      }),
    );
  });

  it("reads the golden messages as the decoder does, and none that is cut or has bytes after it", () => {
    for (const { bytes } of CBOR_DATA) {
      expectNothingElse(bytes);
      for (let length = 0; length < Math.min(bytes.length, 40); length++) {
        expect(readDataFrame(bytes.subarray(0, length))).toBeUndefined();
      }
      expect(readDataFrame(Uint8Array.of(...bytes.subarray(0, 5000), 0))).toBeUndefined();
    }
  });

  it("reads nothing in damaged bytes that the decoder does not", () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.nat(0xff), ({ bytes }, position, byte) => {
        const damaged = bytes.slice();
        damaged[position % bytes.length] = byte;
        expectNothingElse(damaged);
      }),
      { numRuns: 2000 },
    );
  });

  it("answers any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => expectNothingElse(Uint8Array.of(0xbf, ...bytes))),
    );
  });
});
