/** The short way to read a request in CBOR gives what the general decoder gives, or nothing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeAnyDescribe, decodeAnyGet } from "../../shared/protocol/decode.ts";
import { encodeDescribe, encodeGet } from "../../shared/protocol/encode.ts";
import { readUsualDescribe, readUsualGet } from "../../shared/protocol/usual-get.ts";
import { cborNoise, clientTokens, getRequests, mutated } from "../support/arbitraries.ts";
import { byteString, concat, head, integer, MAJOR, map, text } from "../support/cbor-writer.ts";

const encoded = getRequests.map((request) => encodeGet("cbor", request));
/** Near a map of the seven keys: any width of any integer, keys twice or unknown, values of the wrong kind. */
const members = fc.array(
  fc.tuple(
    fc.constantFrom("c", "s", "f", "l", "o", "n", "b", "f", "l", "x", "cc", ""),
    fc.oneof(
      fc
        .tuple(
          fc.constantFrom(0, 1, 255, 256, 4096, 98_304, 98_305, 131_072, 131_073, 0xffff_ffff),
          fc.constantFrom(4, 8),
        )
        .map(([value, width]) => integer(value, width as 4 | 8)),
      fc.integer({ min: -70_000, max: 140_000 }).map((value) => integer(value)),
      fc.uint8Array({ maxLength: 30 }).map((value) => byteString(value)),
      clientTokens.map((value) => text(value)),
      fc.constantFrom("f".repeat(64), "f".repeat(65), "\u00e9").map((value) => text(value)),
    ),
  ),
  { maxLength: 8 },
);
const nearMaps = members.map((each) =>
  concat(head(MAJOR.map, each.length), ...each.flatMap(([key, value]) => [text(key), value])),
);

const plain = ({ blockBitmap, ...rest }: { readonly blockBitmap?: Uint8Array }): object => ({
  ...rest,
  ...(blockBitmap !== undefined && { blockBitmap: Uint8Array.from(blockBitmap) }),
});

describe("readUsualGet", () => {
  it("gives what the general decoder gives under both profiles, or nothing", () => {
    fc.assert(
      fc.property(fc.oneof(encoded, mutated(encoded), nearMaps, cborNoise, fc.uint8Array()), (bytes) => {
        const request = readUsualGet(bytes);
        if (request === undefined) return;
        for (const profile of ["strict", "lenient"] as const) {
          const decoded = decodeAnyGet("cbor", bytes, profile);
          if (!decoded.ok) throw new Error(`the general decoder refuses it: ${decoded.rejection.message}`);
          expect(decoded.value.forgiven).toEqual([]);
          expect(plain(request)).toEqual(plain(decoded.value.request));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("reads every valid request whose token is ASCII", () => {
    fc.assert(
      fc.property(getRequests, (request) => {
        const token = request.clientToken ?? "";
        const isAscii = Buffer.byteLength(token) === token.length;
        const read = readUsualGet(encodeGet("cbor", request));
        expect(read && plain(read)).toEqual(isAscii ? request : undefined);
      }),
    );
  });

  it("reads a request cut off at any byte as nothing", () => {
    const bytes = map({
      c: text("token"),
      s: integer(1),
      f: integer(3),
      l: integer(4096),
      o: integer(70_000),
      n: integer(300),
      b: byteString(Buffer.alloc(300, 1)),
    });
    expect(readUsualGet(bytes)).toBeDefined();
    for (let end = 0; end < bytes.length; end++) expect(readUsualGet(bytes.subarray(0, end))).toBeUndefined();
    expect(readUsualGet(concat(bytes, Uint8Array.of(0)))).toBeUndefined();
  });
});

describe("readUsualDescribe", () => {
  const described = clientTokens.map((clientToken) => encodeDescribe("cbor", { clientToken }));
  const empty = fc.constant(encodeDescribe("cbor", {}));

  it("gives what the general decoder gives under both profiles, or nothing", () => {
    fc.assert(
      fc.property(fc.oneof(described, empty, mutated(described), nearMaps, cborNoise, fc.uint8Array()), (bytes) => {
        const request = readUsualDescribe(bytes);
        if (request === undefined) return;
        for (const profile of ["strict", "lenient"] as const) {
          expect(decodeAnyDescribe("cbor", bytes, profile)).toEqual({ ok: true, value: { request, forgiven: [] } });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([{}, { clientToken: "" }, { clientToken: "rdy" }, { clientToken: "x".repeat(64) }])("reads %j", (request) => {
    const bytes = encodeDescribe("cbor", request);
    expect(readUsualDescribe(bytes)).toEqual(request);
    for (let end = 0; end < bytes.length; end++) expect(readUsualDescribe(bytes.subarray(0, end))).toBeUndefined();
    expect(readUsualDescribe(concat(bytes, Uint8Array.of(0)))).toBeUndefined();
  });
});
