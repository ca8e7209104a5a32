/** Every limit of docs/PROTOCOL.md section 2 at its value and one past it, and which of several faults answers. */
import { describe, expect, it } from "vitest";
import { decodeDescribe, decodeGet, type RequestProfile } from "../../shared/protocol/decode.ts";
import type { Rejection } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { byteString, integer, map, text } from "../support/cbor-writer.ts";

type Fields = Readonly<Record<string, number | string | Uint8Array>>;

const FORMATS: readonly Format[] = ["cbor", "json"];
const PROFILES: readonly RequestProfile[] = ["strict", "lenient"];
const BASE: Fields = { f: 0, l: 4096 };

/** Writes a request with the tests' own CBOR, or with JSON and a hex bitmap. */
function write(format: Format, fields: Fields): Uint8Array {
  const entries = Object.entries(fields);
  if (format === "json") {
    return Buffer.from(
      JSON.stringify(
        Object.fromEntries(
          entries.map(([key, value]) => [
            key,
            value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
          ]),
        ),
      ),
    );
  }
  return map(
    Object.fromEntries(
      entries.map(([key, value]) => {
        if (typeof value === "number") return [key, integer(value)];
        return [key, typeof value === "string" ? text(value) : byteString(value)];
      }),
    ),
  );
}

function rejectionOf(format: Format, fields: Fields, profile: RequestProfile = "lenient"): Rejection | undefined {
  const result = decodeGet(format, write(format, fields), profile);
  return result.ok ? undefined : result.rejection;
}

const within: ReadonlyArray<readonly [name: string, fields: Fields]> = [
  ["a token of 64 bytes", { c: "x".repeat(64) }],
  ["a token of 32 two-byte characters", { c: "é".repeat(32) }],
  ["a token of 16 four-byte characters", { c: "😀".repeat(16) }],
  ["f = 0", { f: 0 }],
  ["f = 255", { f: 255 }],
  ["l = 256", { l: 256 }],
  ["l = 131072", { l: 131_072 }],
  ["o = 0", { o: 0 }],
  ["o = 98304", { o: 98_304 }],
  ["n = 0", { n: 0 }],
  ["n = 98304", { n: 98_304 }],
  ["b of 12288 bytes", { b: new Uint8Array(12_288) }],
];

const past: ReadonlyArray<readonly [name: string, fields: Fields, code: string, says: readonly string[]]> = [
  ["a token of 65 bytes", { c: "x".repeat(65) }, "InvalidRequest", ["(c)", "64", "65"]],
  ["a token of 33 two-byte characters", { c: "é".repeat(33) }, "InvalidRequest", ["(c)", "64", "66"]],
  ["a token of 17 four-byte characters", { c: "😀".repeat(17) }, "InvalidRequest", ["(c)", "64", "68"]],
  ["l = 255", { l: 255 }, "BlockSizeOutOfBounds", ["(l)", "256", "255"]],
  ["l = 0", { l: 0 }, "BlockSizeOutOfBounds", ["(l)", "256", "not 0"]],
  ["l = -4096", { l: -4096 }, "BlockSizeOutOfBounds", ["(l)", "256", "-4096"]],
  ["l = 131073", { l: 131_073 }, "BlockSizeOutOfBounds", ["(l)", "131072", "131073"]],
  ["o = -1", { o: -1 }, "OffsetOutOfBounds", ["(o)", "0", "-1"]],
  ["o = 98305", { o: 98_305 }, "OffsetOutOfBounds", ["(o)", "98304", "98305"]],
  ["n = -1", { n: -1 }, "BlockCountLimitExceeded", ["(n)", "0", "-1"]],
  ["n = 98305", { n: 98_305 }, "BlockCountLimitExceeded", ["(n)", "98304", "98305"]],
  ["b of 12289 bytes", { b: new Uint8Array(12_289) }, "BlockBitmapLimitExceeded", ["(b)", "12288", "12289"]],
];

describe.each(FORMATS)("limits in %s", (format) => {
  it.each(within)("accepts %s", (_name, fields) => {
    for (const profile of PROFILES) expect(rejectionOf(format, { ...BASE, ...fields }, profile)).toBeUndefined();
  });

  it.each(past)("rejects %s", (_name, fields, code, says) => {
    for (const profile of PROFILES) {
      const rejection = rejectionOf(format, { c: "rdy", ...BASE, ...fields }, profile);
      expect(rejection?.code).toBe(code);
      for (const part of says) expect(rejection?.message).toContain(part);
      // A token that is itself at fault is not echoed; any other is.
      expect(rejection?.clientToken).toBe("c" in fields ? undefined : "rdy");
    }
  });

  it("rejects a token too long in a describe request, and does not echo it", () => {
    const result = decodeDescribe(format, write(format, { c: "x".repeat(65) }), "lenient");
    expect(result).toMatchObject({ ok: false, rejection: { code: "InvalidRequest" } });
    expect(result.ok || result.rejection.clientToken).toBeUndefined();
    expect(decodeDescribe(format, write(format, { c: "x".repeat(64) }), "lenient").ok).toBe(true);
  });
});

describe("values past what a number can hold exactly", () => {
  const requests: ReadonlyArray<readonly [name: string, format: Format, bytes: Uint8Array, value: string]> = [
    ["2^53 + 1 in CBOR", "cbor", map({ f: integer(0), l: integer(2n ** 53n + 1n) }), "9007199254740993"],
    ["2^64 - 1 in CBOR", "cbor", map({ f: integer(0), l: integer(2n ** 64n - 1n) }), "18446744073709551615"],
    ["10^21 in JSON", "json", Buffer.from('{"f":0,"l":1000000000000000000000}'), "1000000000000000000000"],
    ["16 digits in a string", "json", Buffer.from('{"f":0,"l":"1000000000000000"}'), "1000000000000000"],
    ["20 digits in a string", "json", Buffer.from('{"f":0,"l":"10000000000000000000"}'), "10000000000000000000"],
  ];

  it.each(requests)("has a code of its own limit for %s", (_name, format, bytes) => {
    const result = decodeGet(format, bytes, "lenient");
    expect(result.ok ? "accepted" : result.rejection.code).toBe("BlockSizeOutOfBounds");
  });

  it.each(requests)("writes %s in plain digits", (_name, format, bytes, value) => {
    const result = decodeGet(format, bytes, "lenient");
    expect(result.ok ? "accepted" : result.rejection.message).toMatch(new RegExp(`not ${value.slice(0, 15)}\\d*$`));
  });
});

describe.each(FORMATS)("order of checks in %s", (format) => {
  /** One fault of each step, in the order of docs/PROTOCOL.md section 2; the range of `f` comes later, after `s`. */
  const faults: ReadonlyArray<readonly [name: string, fields: Fields, code: string]> = [
    ["token", { c: "x".repeat(65) }, "InvalidRequest"],
    ["type of s", { s: "one" }, "InvalidRequest"],
    ["l", { l: 1 }, "BlockSizeOutOfBounds"],
    ["o", { o: 98_305 }, "OffsetOutOfBounds"],
    ["n", { n: 98_305 }, "BlockCountLimitExceeded"],
    ["b", { b: new Uint8Array(12_289) }, "BlockBitmapLimitExceeded"],
  ];
  const pairs = faults.flatMap((first, index) => faults.slice(index + 1).map((second) => [first, second] as const));

  it.each(pairs.map(([first, second]) => [first[0], second[0], first, second] as const))(
    "answers %s before %s",
    (_first, _second, [, early, code], [, late]) => {
      expect(rejectionOf(format, { ...BASE, ...late, ...early })?.code).toBe(code);
      expect(rejectionOf(format, { ...early, ...BASE, ...late, ...early })?.code).toBe(code);
    },
  );

  it("answers what cannot be read before anything it says", () => {
    const bytes = write(format, { ...BASE, l: 1, c: "x".repeat(65) }).subarray(0, -1);
    const result = decodeGet(format, bytes, "lenient");
    expect(result.ok ? "accepted" : result.rejection.code).toBe(format === "json" ? "InvalidJson" : "InvalidCbor");
  });

  it("answers a missing field before the limits", () => {
    for (const fields of [{ l: 1 }, { f: 0, o: 98_305 }, { f: 0, n: -1 }]) {
      expect(rejectionOf(format, fields)?.code).toBe("InvalidRequest");
    }
  });

  it("answers a wrong type of any field before the limit of any other", () => {
    for (const key of ["s", "f", "l", "o", "n", "b"]) {
      const fields = { ...BASE, l: 1, o: -1, n: -1, [key]: "no" };
      // Text for b is a matter of the profile before it is one of shape.
      expect(rejectionOf(format, fields, "lenient")?.code, key).toBe("InvalidRequest");
    }
  });
});
