/** Whatever the encoders write, the decoders read back, in either format; and what they write stays as it was written. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { type Decoded, decodeDescribe, decodeGet } from "../../shared/protocol/decode.ts";
import { decodeData, decodeDescription, decodeRejected } from "../../shared/protocol/decode-response.ts";
import { encodeDescribe, encodeDescription, encodeGet, encodeRejected } from "../../shared/protocol/encode.ts";
import type { Checked } from "../../shared/protocol/rejection.ts";
import {
  dataMessages,
  describeRequests,
  descriptions,
  formats,
  getRequests,
  rejections,
} from "../support/arbitraries.ts";

function requestOf<T>(result: Checked<Decoded<T>>): T {
  if (!result.ok) throw new Error(`${result.rejection.code}: ${result.rejection.message}`);
  expect(result.value.forgiven).toEqual([]);
  return result.value.request;
}

/** A byte string as a plain Uint8Array, which is what the arbitraries make. */
const plainBytes = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);

describe("decode(encode(message)) = message", () => {
  it("for describe requests, under both profiles", () => {
    fc.assert(
      fc.property(formats, describeRequests, (format, request) => {
        const bytes = encodeDescribe(format, request);
        expect(requestOf(decodeDescribe(format, bytes, "strict"))).toEqual(request);
        expect(requestOf(decodeDescribe(format, bytes, "lenient"))).toEqual(request);
      }),
    );
  });

  it("for GetStream requests, under both profiles", () => {
    fc.assert(
      fc.property(formats, getRequests, (format, request) => {
        const bytes = encodeGet(format, request);
        for (const profile of ["strict", "lenient"] as const) {
          const { blockBitmap, ...rest } = requestOf(decodeGet(format, bytes, profile));
          expect({ ...rest, ...(blockBitmap && { blockBitmap: plainBytes(blockBitmap) }) }).toEqual(request);
        }
      }),
    );
  });

  it("for descriptions", () => {
    fc.assert(
      fc.property(formats, descriptions, (format, description) => {
        expect(decodeDescription(format, encodeDescription(format, description))).toEqual(description);
      }),
    );
  });

  it("for data messages", () => {
    fc.assert(
      fc.property(formats, dataMessages, (format, { blockId, payload, ...shared }) => {
        const bytes = new DataFrame({ format, ...shared }).encode(blockId, payload);
        const decoded = decodeData(format, bytes);
        expect(decoded && { ...decoded, payload: plainBytes(decoded.payload) }).toEqual({
          ...shared,
          blockId,
          payload,
        });
      }),
    );
  });

  it("for rejections", () => {
    fc.assert(
      fc.property(formats, rejections, (format, rejection) => {
        expect(decodeRejected(format, encodeRejected(format, rejection))).toEqual(rejection);
      }),
    );
  });
});

it("leaves encoded bytes alone, however much is encoded and decoded after them", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(formats, getRequests, rejections, descriptions), { maxLength: 60 }), (messages) => {
      const encoded = messages.flatMap(([format, request, rejection, description]) => [
        encodeGet(format, request),
        encodeRejected(format, rejection),
        encodeDescription(format, description),
      ]);
      const copies = encoded.map((bytes) => Buffer.from(bytes).toString("hex"));
      for (const bytes of encoded) decodeDescription("cbor", bytes);
      for (const [format, request] of messages) encodeGet(format, request);
      expect(encoded.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual(copies);
    }),
    { numRuns: 30 },
  );
});
