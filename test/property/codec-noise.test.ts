/** Whatever bytes come in, the decoders answer: with a message within its limits, or with a rejection. They never throw. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findCborEnd } from "../../shared/protocol/cbor-scan.ts";
import { decodeDescribe, decodeGet } from "../../shared/protocol/decode.ts";
import { decodeData, decodeDescription, decodeRejected } from "../../shared/protocol/decode-response.ts";
import { encodeDescription, encodeGet } from "../../shared/protocol/encode.ts";
import { REJECTION_CODES } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { cborNoise, descriptions, formats, getRequests, jsonNoise, mutated } from "../support/arbitraries.ts";
import { walkCbor } from "../support/cbor-walk.ts";

const inFormat: fc.Arbitrary<readonly [Format, Uint8Array]> = fc.oneof(
  fc.tuple(formats, fc.uint8Array({ maxLength: 200 })),
  fc.tuple(fc.constant("cbor" as const), cborNoise),
  fc.tuple(fc.constant("json" as const), jsonNoise),
  fc
    .tuple(formats, getRequests)
    .chain(([format, request]) => fc.tuple(fc.constant(format), mutated(fc.constant(encodeGet(format, request))))),
);
const descriptionNoise: fc.Arbitrary<readonly [Format, Uint8Array]> = fc
  .tuple(formats, descriptions)
  .chain(([format, message]) =>
    fc.tuple(fc.constant(format), mutated(fc.constant(encodeDescription(format, message)))),
  );

/** The codes a decoder can give: the others need a stream. */
const CODES_OF_DECODING: ReadonlySet<string> = new Set([
  "InvalidJson",
  "InvalidCbor",
  "InvalidRequest",
  "BlockSizeOutOfBounds",
  "OffsetOutOfBounds",
  "BlockCountLimitExceeded",
  "BlockBitmapLimitExceeded",
]);

function expectWithin(value: number | undefined, low: number, high: number): void {
  if (value === undefined) return;
  expect(Number.isSafeInteger(value)).toBe(true);
  expect(value).toBeGreaterThanOrEqual(low);
  expect(value).toBeLessThanOrEqual(high);
}

describe("decodeGet of any bytes", () => {
  it("accepts what is within the limits, or rejects with a code of decoding and a sentence", () => {
    fc.assert(
      fc.property(inFormat, ([format, bytes]) => {
        const result = decodeGet(format, bytes, "lenient");
        if (result.ok) {
          const { request } = result.value;
          expect(Number.isInteger(request.fileId)).toBe(true);
          expectWithin(request.blockSizeBytes, 256, 131_072);
          expectWithin(request.blockOffset, 0, 98_304);
          expectWithin(request.blockCount, 0, 98_304);
          expectWithin(request.blockBitmap?.length, 0, 12_288);
          expectWithin(Buffer.byteLength(request.clientToken ?? ""), 0, 64);
          return;
        }
        const { code, message, clientToken } = result.rejection;
        expect(REJECTION_CODES).toContain(code);
        expect(CODES_OF_DECODING).toContain(code);
        expect(code).not.toBe(format === "json" ? "InvalidCbor" : "InvalidJson");
        expect(message.length).toBeGreaterThan(10);
        expect(message.length).toBeLessThan(300);
        expectWithin(Buffer.byteLength(clientToken ?? ""), 0, 64);
        if (code === "InvalidJson" || code === "InvalidCbor") expect(clientToken).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  it("is the same under both profiles where nothing had to be forgiven", () => {
    fc.assert(
      fc.property(inFormat, ([format, bytes]) => {
        const lenient = decodeGet(format, bytes, "lenient");
        const strict = decodeGet(format, bytes, "strict");
        if (lenient.ok && lenient.value.forgiven.length === 0) expect(strict).toEqual(lenient);
        else expect(strict.ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it("leaves the bytes as they came", () => {
    fc.assert(
      fc.property(inFormat, ([format, bytes]) => {
        const before = Buffer.from(bytes).toString("hex");
        decodeGet(format, bytes, "lenient");
        expect(Buffer.from(bytes).toString("hex")).toBe(before);
      }),
    );
  });
});

describe("other decoders of any bytes", () => {
  it("never throw", () => {
    fc.assert(
      fc.property(fc.oneof(inFormat, descriptionNoise), ([format, bytes]) => {
        const described = decodeDescribe(format, bytes, "strict");
        if (!described.ok) expect(CODES_OF_DECODING).toContain(described.rejection.code);
        decodeDescription(format, bytes);
        decodeRejected(format, bytes);
        const data = decodeData(format, bytes);
        if (data !== undefined) expect(data.payload.length).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("findCborEnd of any bytes", () => {
  /** What findCborEnd promises, said with the second reader: an item without tags, nested at most 16 deep. */
  function expectedEnd(bytes: Uint8Array): number | undefined {
    const walk = walkCbor(bytes);
    return walk === undefined || walk.tags > 0 || walk.depth > 16 ? undefined : walk.end;
  }

  it("agrees with a second reader, and never goes beyond the input", () => {
    fc.assert(
      fc.property(fc.oneof(cborNoise, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        const end = findCborEnd(bytes);
        expect(end).toBe(expectedEnd(bytes));
        if (end !== undefined) expectWithin(end, 1, bytes.length);
      }),
      { numRuns: 3000 },
    );
  });

  it("says the same of an item whatever follows it, and nothing of an item that is cut", () => {
    fc.assert(
      fc.property(cborNoise, fc.uint8Array({ maxLength: 8 }), fc.nat(), (bytes, rest, cut) => {
        const end = findCborEnd(bytes);
        if (end === undefined) return;
        expect(findCborEnd(Buffer.concat([bytes.subarray(0, end), rest]))).toBe(end);
        expect(findCborEnd(bytes.subarray(0, cut % end))).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});
