/** Bytes made to hurt a decoder: lengths beyond the input, nesting without end, the slowest input a packet can hold. */
import { describe, expect, it } from "vitest";
import { decodeCbor } from "../../shared/protocol/cbor.ts";
import { findCborEnd } from "../../shared/protocol/cbor-scan.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";
import { decodeData, decodeDescription, decodeRejected } from "../../shared/protocol/decode-response.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { concat, head, integer, MAJOR, map, text } from "../support/cbor-writer.ts";

/** As much as one packet can carry. */
const PACKET_BYTES = 262_144;
const CLAIMS = [10n, 2n ** 16n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n];

function codeOf(format: Format, bytes: Uint8Array): string {
  const result = decodeGet(format, bytes, "lenient");
  return result.ok ? "accepted" : result.rejection.code;
}

describe("lengths and counts beyond the input", () => {
  const claims = [MAJOR.bytes, MAJOR.text, MAJOR.array, MAJOR.map].flatMap((major) =>
    CLAIMS.map((claim) => [major, claim] as const),
  );

  it.each(claims)("major type %i that claims %d is refused at once", (major, claim) => {
    const claiming = concat(head(major, claim), integer(0), integer(0));
    expect(findCborEnd(claiming)).toBeUndefined();
    expect(codeOf("cbor", claiming)).toBe("InvalidCbor");
    expect(codeOf("cbor", map({ f: integer(0), l: integer(4096), b: claiming }))).toBe("InvalidCbor");
  });

  it("allocates nothing that grows with what is claimed", () => {
    const claims64k = CLAIMS.map((claim) => concat(head(MAJOR.array, claim), new Uint8Array(8)));
    const before = process.memoryUsage();
    for (let round = 0; round < 1000; round++) for (const bytes of claims64k) findCborEnd(bytes);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16 * 2 ** 20);
    expect(after.rss - before.rss).toBeLessThan(256 * 2 ** 20);
  });

  it("counts two items for each member of a map", () => {
    expect(findCborEnd(concat(head(MAJOR.map, 1), integer(0), integer(0)))).toBe(3);
    expect(findCborEnd(concat(head(MAJOR.map, 1), integer(0)))).toBeUndefined();
    expect(findCborEnd(concat(head(MAJOR.map, 2 ** 52), integer(0), integer(0)))).toBeUndefined();
  });
});

describe("nesting", () => {
  const arrays = (depth: number): Uint8Array => concat(new Uint8Array(depth).fill(0x81), integer(0));

  it("is followed 16 deep and no deeper", () => {
    expect(findCborEnd(arrays(16))).toBe(17);
    expect(findCborEnd(arrays(17))).toBeUndefined();
    const open = (depth: number): Uint8Array =>
      concat(new Uint8Array(depth).fill(0x9f), integer(0), new Uint8Array(depth).fill(0xff));
    expect(findCborEnd(open(16))).toBe(33);
    expect(findCborEnd(open(17))).toBeUndefined();
  });

  it.each([
    ["arrays", 0x81],
    ["open arrays", 0x9f],
    ["open maps", 0xbf],
    ["tags", 0xc0],
    ["open byte strings", 0x5f],
  ])("a packet of nothing but %s is InvalidCbor", (_name, byte) => {
    expect(codeOf("cbor", new Uint8Array(PACKET_BYTES).fill(byte))).toBe("InvalidCbor");
  });

  it.each(["[", '{"f":', '[{"l":'])("a packet of nothing but %s is InvalidJson", (opening) => {
    const bytes = Buffer.from(opening.repeat(Math.floor(PACKET_BYTES / opening.length)));
    expect(codeOf("json", bytes)).toBe("InvalidJson");
  });

  it("in JSON that is closed again is only an unknown key, or not JSON, but never an exception", () => {
    const depth = 100_000;
    const bytes = Buffer.from(`{"f":0,"l":4096,"x":${"[".repeat(depth)}${"]".repeat(depth)}}`);
    expect(["accepted", "InvalidJson"]).toContain(codeOf("json", bytes));
  });
});

describe("strings in chunks (RFC 8949 section 3.2.3)", () => {
  it.each([
    ["7f ff", 2],
    ["7f 61 61 60 62 c3 a9 ff", 8],
    ["5f 41 c3 40 41 a9 ff", 7],
    ["7f 61 c3 61 a9 ff", undefined],
    ["7f 41 61 ff", undefined],
    ["5f 5f 41 00 ff ff", undefined],
    ["7f 61 61", undefined],
  ])("%s ends at %s", (digits, end) => {
    expect(findCborEnd(Buffer.from(digits.replaceAll(" ", ""), "hex"))).toBe(end);
  });
});

describe("a packet full of", () => {
  const full: ReadonlyArray<readonly [name: string, bytes: Uint8Array]> = [
    ["empty chunks", concat(Uint8Array.of(0x7f), new Uint8Array(PACKET_BYTES - 2).fill(0x60), Uint8Array.of(0xff))],
    ["small integers", concat(head(MAJOR.array, PACKET_BYTES - 5, 4), new Uint8Array(PACKET_BYTES - 5))],
    [
      "open arrays side by side",
      concat(
        Uint8Array.of(0x9f),
        Uint8Array.from({ length: PACKET_BYTES - 2 }, (_, index) => (index % 2 === 0 ? 0x9f : 0xff)),
        Uint8Array.of(0xff),
      ),
    ],
    ["one text", text("x".repeat(PACKET_BYTES - 5))],
  ];

  it.each(full)("%s is walked to its end", (_name, bytes) => {
    expect(bytes).toHaveLength(PACKET_BYTES);
    expect(findCborEnd(bytes)).toBe(PACKET_BYTES);
    expect(["InvalidRequest", "InvalidCbor"]).toContain(codeOf("cbor", bytes));
  });
});

describe("after bytes that could not be decoded", () => {
  it("the next request is decoded as ever", () => {
    const good = map({ c: text("rdy"), f: integer(0), l: integer(4096) });
    for (const bad of [Uint8Array.of(0x5f, 0x41, 0x00, 0xff), map({ x: Uint8Array.of(0xe0) }), new Uint8Array(0)]) {
      expect(codeOf("cbor", bad)).not.toBe("accepted");
      expect(decodeCbor(good)).toEqual({ value: { c: "rdy", f: 0, l: 4096 }, trailingBytes: 0 });
    }
  });
});

describe("what a publisher sends, malformed", () => {
  const data: ReadonlyArray<readonly [name: string, format: Format, bytes: Uint8Array]> = [
    ["an l that is not p's length", "json", Buffer.from('{"f":0,"i":0,"l":2,"p":"Zg=="}')],
    ["no l", "json", Buffer.from('{"f":0,"i":0,"p":"Zg=="}')],
    ["no i", "json", Buffer.from('{"f":0,"l":1,"p":"Zg=="}')],
    ["i below 0", "json", Buffer.from('{"f":0,"i":-1,"l":1,"p":"Zg=="}')],
    ["i with a fraction", "json", Buffer.from('{"f":0,"i":0.5,"l":1,"p":"Zg=="}')],
    ["f past 255", "json", Buffer.from('{"f":256,"i":0,"l":1,"p":"Zg=="}')],
    ["base64 without its padding", "json", Buffer.from('{"f":0,"i":0,"l":1,"p":"Zg"}')],
    ["base64 with a blank", "json", Buffer.from('{"f":0,"i":0,"l":3,"p":"Zm 9v"}')],
    ["p as an array", "json", Buffer.from('{"f":0,"i":0,"l":1,"p":[102]}')],
    ["p as text in CBOR", "cbor", map({ f: integer(0), i: integer(0), l: integer(1), p: text("Zg==") })],
    ["an array", "cbor", Uint8Array.of(0x80)],
  ];

  it.each(data)("data with %s is nothing", (_name, format, bytes) => {
    expect(decodeData(format, bytes)).toBeUndefined();
  });

  const descriptions: ReadonlyArray<readonly [name: string, format: Format, bytes: Uint8Array]> = [
    ["no s", "json", Buffer.from('{"r":[]}')],
    ["no r", "json", Buffer.from('{"s":0}')],
    ["s past 65535", "json", Buffer.from('{"s":65536,"r":[]}')],
    ["a file that is null", "json", Buffer.from('{"s":0,"r":[null]}')],
    ["a size below 0", "json", Buffer.from('{"s":0,"r":[{"f":0,"z":-1}]}')],
    ["a file without its size", "json", Buffer.from('{"s":0,"r":[{"f":0}]}')],
    ["a CRC past 32 bits", "json", Buffer.from('{"s":0,"r":[{"f":0,"z":1,"crc32":4294967296}]}')],
    ["a SHA-256 of 63 digits", "json", Buffer.from(`{"s":0,"r":[{"f":0,"z":1,"sha256":"${"a".repeat(63)}"}]}`)],
    ["a SHA-256 of null", "json", Buffer.from('{"s":0,"r":[{"f":0,"z":1,"sha256":null}]}')],
  ];

  it.each(descriptions)("a description with %s is nothing", (_name, format, bytes) => {
    expect(decodeDescription(format, bytes)).toBeUndefined();
  });

  it.each(["{}", '{"o":"Teapot"}', '{"code":7}', "[]", "null", '"InvalidJson"'])(
    "a rejection %s is nothing",
    (json) => {
      expect(decodeRejected("json", Buffer.from(json))).toBeUndefined();
    },
  );
});
