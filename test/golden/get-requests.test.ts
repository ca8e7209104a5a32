/** Runs the golden GetStream requests: whole, cut at every byte, and with bytes after them. */
import { describe, expect, it } from "vitest";
import { decodeGet, type RequestProfile } from "../../shared/protocol/decode.ts";
import { CBOR_REQUESTS, JSON_REQUESTS } from "./get-requests.ts";
import { REJECTED_CBOR, REJECTED_JSON } from "./rejected-requests.ts";
import { hex, utf8 } from "./vector.ts";

const PROFILES: readonly RequestProfile[] = ["strict", "lenient"];
const PARSE_CODE = { cbor: "InvalidCbor", json: "InvalidJson" } as const;
const requests = [...CBOR_REQUESTS, ...JSON_REQUESTS];
const rejected = [...REJECTED_CBOR, ...REJECTED_JSON];

/** The rejection's code, or undefined for a request that was accepted. */
function codeOf(result: ReturnType<typeof decodeGet>): string | undefined {
  return result.ok ? undefined : result.rejection.code;
}

describe.each(requests)("$format, $name", ({ format, bytes, request, strict }) => {
  it("is accepted by the lenient profile, which names what it forgave", () => {
    const result = decodeGet(format, bytes, "lenient");
    expect(result).toMatchObject({ ok: true });
    expect(result.ok && plain(result.value.request)).toEqual(request);
    expect(result.ok && result.value.forgiven).toHaveLength(strict === undefined ? 0 : 1);
  });

  it("gets what the strict profile says", () => {
    const result = decodeGet(format, bytes, "strict");
    expect(codeOf(result)).toBe(strict);
    if (result.ok) expect(plain(result.value.request)).toEqual(request);
  });

  it.each(PROFILES)("is rejected as unreadable wherever it is cut (%s)", (profile) => {
    for (let length = 0; length < bytes.length; length++) {
      const result = decodeGet(format, bytes.subarray(0, length), profile);
      expect(codeOf(result), `cut to ${length} bytes`).toBe(PARSE_CODE[format]);
      expect(result.ok || result.rejection.clientToken).toBeUndefined();
    }
  });

  it("may not be followed by more in JSON, nor in CBOR under the strict profile", () => {
    for (const more of format === "json"
      ? [utf8("{}"), utf8("0"), utf8("\0"), utf8("}")]
      : [hex("00"), hex("ff"), bytes]) {
      const long = Buffer.concat([bytes, more]);
      expect(codeOf(decodeGet(format, long, "strict"))).toBe(PARSE_CODE[format]);
      const lenient = decodeGet(format, long, "lenient");
      if (format === "json") expect(codeOf(lenient)).toBe("InvalidJson");
      else expect(lenient.ok && plain(lenient.value.request)).toEqual(request);
      if (lenient.ok) expect(lenient.value.forgiven).toContain(`${more.length} bytes after the CBOR item`);
    }
  });
});

describe.each(rejected)("$format, $name", ({ format, bytes, code, clientToken }) => {
  it.each(PROFILES)(`is ${code} in the %s profile`, (profile) => {
    const result = decodeGet(format, bytes, profile);
    expect(codeOf(result)).toBe(code);
    expect(result.ok || result.rejection.clientToken).toBe(clientToken);
    expect(result.ok || result.rejection.message).not.toBe("");
  });
});

it("lets blanks follow a JSON text", () => {
  expect(decodeGet("json", utf8('{"f":0,"l":256} \r\n\t'), "strict").ok).toBe(true);
});

/** The same request with its bitmap as a Uint8Array of its own class, for comparison. */
function plain<T extends { readonly blockBitmap?: Uint8Array }>(request: T): T {
  return request.blockBitmap === undefined
    ? request
    : { ...request, blockBitmap: Uint8Array.from(request.blockBitmap) };
}
