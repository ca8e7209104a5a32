/** Client tokens: echoed where they are valid, and only there. */
import { expectedDescription } from "../description-bytes.ts";
import type { Rule } from "../rule.ts";
import { inBothFormats, refused, refusedRaw, rejection, served } from "../rule-forms.ts";
import { items, map, request, utf8 } from "../wire.ts";

const LIMITS = "2, Limits: c";
const FORMS = "2, WIRE details: token keys";

const ACCEPTED: ReadonlyArray<readonly [name: string, words: string, token: string]> = [
  ["64-bytes", "A token of 64 bytes is echoed.", "t".repeat(64)],
  ["64-bytes-of-16-characters", "The limit counts bytes: 16 characters of 4 bytes are echoed.", "😀".repeat(16)],
  ["63-bytes", "A token of 63 bytes is echoed.", "€".repeat(21)],
  ["one-byte", "A token of one byte is echoed.", "7"],
  ["empty", "An empty token is echoed as one.", ""],
  ["quotes", "A token with a quote and a backslash is echoed as it is.", '"\\'],
];

const REFUSED: ReadonlyArray<readonly [name: string, words: string, token: string]> = [
  ["65-bytes", "A token of 65 bytes", "t".repeat(65)],
  ["66-bytes-of-33-characters", "A token of 33 characters and 66 bytes", "é".repeat(33)],
  ["10000-bytes", "A token of 10000 bytes", "t".repeat(10_000)],
];

const notText = { source: "2, Order of checks: shape", origin: "OURS", code: "InvalidRequest" } as const;
const words = (what: string) => `${what} is InvalidRequest, and is not echoed.`;

/** The rules of tokens. */
export const TOKEN_RULES: readonly Rule[] = [
  ...ACCEPTED.flatMap(([name, text, c]) => [
    ...served({ id: `tokens.${name}.get`, text, source: LIMITS, origin: "DG" }, ({ small }) => ({
      file: small,
      fields: { c, l: 256, n: 1 },
      blockIds: [0],
    })),
    ...inBothFormats({ id: `tokens.${name}.describe`, text, source: LIMITS, origin: "DG" }, (facts, format) => ({
      operation: `describe/${format}`,
      payload: request(format, { c }),
      expected: [expectedDescription(facts, format, c)],
    })),
    ...refused(
      { id: `tokens.${name}.rejected`, text, source: LIMITS, origin: "DG", code: "BlockSizeOutOfBounds" },
      ({ small }) => ({ c, f: small.fileId, l: 1 }),
    ),
  ]),
  ...REFUSED.flatMap(([name, what, c]) => [
    ...refused(
      {
        id: `tokens.${name}.get`,
        text: words(what),
        source: LIMITS,
        origin: "DG",
        code: "InvalidRequest",
        isEchoed: false,
      },
      ({ small }) => ({ c, f: small.fileId, l: 256, n: 1 }),
    ),
    ...inBothFormats(
      { id: `tokens.${name}.describe`, text: words(what), source: LIMITS, origin: "DG" },
      (_, format) => ({
        operation: `describe/${format}`,
        payload: request(format, { c }),
        expected: [rejection(format, "InvalidRequest")],
      }),
    ),
  ]),
  ...served(
    { id: "tokens.none", text: "Without a token there is no c in the data.", source: "2, Messages", origin: "DG" },
    ({ small }) => ({ file: small, fields: { l: 256, n: 1 }, blockIds: [0] }),
  ),
  ...refused(
    {
      id: "tokens.none-rejected",
      text: "Without a token a rejection has no token keys.",
      source: FORMS,
      origin: "WIRE",
      code: "BlockSizeOutOfBounds",
    },
    ({ small }) => ({ f: small.fileId, l: 1 }),
  ),
  refusedRaw({ id: "tokens.cbor-integer", text: words("An integer for a token"), ...notText }, "cbor", ({ small }) =>
    map([["c", Buffer.of(0)], ...items({ f: small.fileId, l: 256, n: 1 })]),
  ),
  refusedRaw(
    { id: "tokens.cbor-byte-string", text: words("A byte string for a token"), ...notText },
    "cbor",
    ({ small }) => map([["c", Buffer.of(0x41, 0x31)], ...items({ f: small.fileId, l: 256, n: 1 })]),
  ),
  refusedRaw({ id: "tokens.cbor-null", text: words("null for a token"), ...notText }, "cbor", ({ small }) =>
    map([["c", Buffer.of(0xf6)], ...items({ f: small.fileId, l: 256, n: 1 })]),
  ),
  refusedRaw({ id: "tokens.json-number", text: words("A number for a token"), ...notText }, "json", ({ small }) =>
    utf8(`{"c":7,"f":${small.fileId},"l":256,"n":1}`),
  ),
  refusedRaw({ id: "tokens.json-null", text: words("null for a token"), ...notText }, "json", ({ small }) =>
    utf8(`{"c":null,"f":${small.fileId},"l":256,"n":1}`),
  ),
];
