/** Decoding: what is read as a request, however it is spelled, and what is InvalidCbor or InvalidJson. */
import type { Rule } from "../rule.ts";
import { refusedRaw, rule, servedRaw, TOKEN } from "../rule-forms.ts";
import type { StreamFacts } from "../stream-facts.ts";
import { hex, indefiniteMap, integer, items, map, text, utf8 } from "../wire.ts";

const INCOMING = "2, WIRE details: what comes in";
const REQUESTS = "2, WIRE details: requests";
const ORDER = "2, Order of checks: decoding";

/** A spelling of {c:"rdy", f:<small>, l:256, o:1, n:2, b:03} in CBOR. */
function cborSpelling(name: string, words: string, write: (entries: ReturnType<typeof entriesOf>) => Uint8Array): Rule {
  return rule({ id: `decoding.cbor-${name}`, text: words, source: REQUESTS, origin: "WIRE" }, (facts) =>
    servedRaw("cbor", write(entriesOf(facts)), asked(facts)),
  );
}

function jsonSpelling(name: string, words: string, write: (fileId: number) => string): Rule {
  return rule({ id: `decoding.json-${name}`, text: words, source: REQUESTS, origin: "WIRE" }, (facts) =>
    servedRaw("json", utf8(write(facts.small.fileId)), asked(facts)),
  );
}

function asked({ small }: StreamFacts) {
  return { file: small, fields: { c: TOKEN, l: 256 }, blockIds: [1, 2] };
}

function entriesOf({ small }: StreamFacts) {
  return items({ c: TOKEN, f: small.fileId, l: 256, o: 1, n: 2, b: hex("03") });
}

/** Not CBOR as the protocol wants it; `rest` are the bytes of one more member, or the whole message. */
function badCbor(name: string, words: string, bytes: string, isWhole = false): Rule {
  const head = { id: `decoding.cbor-${name}`, text: `${words}: InvalidCbor, without a token.` };
  return refusedRaw({ ...head, source: INCOMING, origin: "WIRE", code: "InvalidCbor" }, "cbor", ({ small }) => {
    if (isWhole) return hex(bytes);
    const members = items({ c: TOKEN, f: small.fileId, l: 256, n: 1 }).flatMap(([key, value]) => [text(key), value]);
    return Buffer.concat([hex("a5"), ...members, hex(bytes)]);
  });
}

function badJson(name: string, words: string, bytes: string | Uint8Array): Rule {
  const head = { id: `decoding.json-${name}`, text: `${words}: InvalidJson, without a token.` };
  return refusedRaw({ ...head, source: ORDER, origin: "DG", code: "InvalidJson" }, "json", () =>
    typeof bytes === "string" ? utf8(bytes) : bytes,
  );
}

const SPELLINGS: readonly Rule[] = [
  cborSpelling("definite", "A request may be a map of definite length.", (entries) => map(entries)),
  cborSpelling("indefinite", "A request may be a map of indefinite length.", (entries) => indefiniteMap(entries)),
  cborSpelling("reversed", "The keys of a request may come in any order (last to first).", (entries) =>
    map(entries.toReversed()),
  ),
  cborSpelling("indefinite-reversed", "The same in a map of indefinite length.", (entries) =>
    indefiniteMap(entries.toReversed()),
  ),
  cborSpelling("unknown-keys", "Unknown keys of every accepted type are ignored.", (entries) =>
    map([
      ["x", hex("82 01 9f 02 ff")],
      ["fileId", hex("20")],
      ...entries,
      ["y", hex("a1 61 66 05")],
      ["z", hex("41 c1")],
    ]),
  ),
  cborSpelling("heads-8-bytes", "Integers may have 8-byte heads.", (entries) =>
    map(entries.map(([key, value]) => [key, widened(key, value, 8)])),
  ),
  cborSpelling("heads-4-bytes", "Integers may have 4-byte heads although shorter ones would do.", (entries) =>
    map(entries.map(([key, value]) => [key, widened(key, value, 4)])),
  ),
  cborSpelling("head-of-map", "The head of the map may be longer than needed.", (entries) =>
    Buffer.concat([hex("b9 0006"), map(entries).subarray(1)]),
  ),
  jsonSpelling("plain", "A request is a JSON object.", (f) => `{"c":"rdy","f":${f},"l":256,"o":1,"n":2,"b":"0x03"}`),
  jsonSpelling(
    "reversed",
    "The keys of a request may come in any order.",
    (f) => `{"b":"03","n":2,"o":1,"l":256,"f":${f},"c":"rdy"}`,
  ),
  jsonSpelling(
    "blanks",
    "Blanks between the tokens of JSON, and after it, mean nothing.",
    (f) => ` {\t"c" : "rdy",\r\n "f":${f} ,"l": 256,"o":1,"n":2,"b":"0x03"}\n `,
  ),
  jsonSpelling(
    "unknown-keys",
    "Unknown keys are ignored.",
    (f) => `{"c":"rdy","x":[1,null,2.5,true],"ff":{"f":9},"f":${f},"l":256,"o":1,"n":2,"b":"0x03","version":"1"}`,
  ),
  jsonSpelling(
    "numbers-as-strings",
    "Numbers may be strings.",
    (f) => `{"c":"rdy","f":"${f}","l":"256","o":"1","n":"2","b":"0x03"}`,
  ),
  jsonSpelling(
    "hex-without-0x",
    "The hex of b needs no 0x.",
    (f) => `{"c":"rdy","f":${f},"l":256,"o":1,"n":2,"b":"03"}`,
  ),
  jsonSpelling(
    "hex-upper-case",
    "The hex of b may be in capitals (FF, capped by n).",
    (f) => `{"c":"rdy","f":${f},"l":256,"o":1,"n":2,"b":"0xFF"}`,
  ),
  jsonSpelling(
    "hex-lower-case",
    "The hex of b may be in small letters (ff, capped by n).",
    (f) => `{"c":"rdy","f":${f},"l":256,"o":1,"n":2,"b":"ff"}`,
  ),
  jsonSpelling(
    "escaped-key",
    "A key may be spelled with escapes.",
    (f) => `{"c":"rdy","\\u0066":${f},"l":256,"o":1,"n":2,"b":"0x03"}`,
  ),
];

/** The rules of decoding. */
export const DECODING_RULES: readonly Rule[] = [
  ...SPELLINGS,
  badCbor("empty", "No bytes at all", "", true),
  badCbor("cut-short", "A map that ends before its last member", "", false),
  badCbor("cut-in-value", "A byte string that ends early", "61 62 44 ff ff"),
  badCbor("tag-on-request", "A tag before the map", "d9 d9 f7 a0", true),
  badCbor("tag-on-bitmap", "A tag on b", "61 62 d8 40 41 01"),
  badCbor("tag-on-key", "A tag on a key", "c0 61 78 00"),
  badCbor("tag-in-unknown-key", "A tag deep in an unknown key", "61 78 81 a1 61 79 c1 00"),
  badCbor("date", "A date in an unknown key", "61 78 c1 1a 65 00 00 00"),
  badCbor("big-number", "A big number for o", "61 6f c2 42 10 00"),
  badCbor("regular-expression", "A regular expression in an unknown key", "61 78 d8 23 61 2e"),
  badCbor("shared-reference", "A cycle in an unknown key", "61 78 d8 1c 81 d8 1d 00"),
  badCbor("reserved-length", "A reserved length", "61 78 1c"),
  badCbor("break-alone", "A break with nothing open", "ff", true),
  badCbor("break-as-value", "A break for a value", "61 78 ff"),
  badCbor("integer-indefinite", "An integer of indefinite length", "61 78 1f"),
  badCbor("chunk-of-other-type", "A byte string with a chunk of text", "61 62 5f 61 30 ff"),
  badCbor("text-not-utf8", "A text that is not UTF-8", "61 78 62 c3 28"),
  badCbor("absurd-string", "A byte string that claims 2^60 bytes", "61 62 5b 10 00 00 00 00 00 00 00"),
  badCbor("absurd-map", "A map that claims 2^63 members", "bb 80 00 00 00 00 00 00 00 61 66 00", true),
  badCbor("json-sent", "JSON on a CBOR topic", "7b 22 66 22 3a 30 7d", true),
  badCbor("unclosed", "A map of indefinite length without its break", "bf 61 66 00 61 6c 19 01 00", true),
  badJson("empty", "No bytes at all", ""),
  badJson("blank", "Only blanks", " \n"),
  badJson("cut-short", "An object without its end", '{"c":"rdy","f":0,"l":256'),
  badJson("comma", "A comma after the last member", '{"c":"rdy","f":0,"l":256,}'),
  badJson("single-quotes", "Single quotes", "{'c':'rdy','f':0,'l':256}"),
  badJson("nan", "NaN for a number", '{"c":"rdy","f":0,"l":NaN}'),
  badJson("trailing", "Something after the object", '{"c":"rdy","f":0,"l":256,"n":1}x'),
  badJson("byte-order-mark", "A byte order mark", '\ufeff{"c":"rdy","f":0,"l":256,"n":1}'),
  badJson(
    "not-utf8",
    "A text that is not UTF-8",
    hex("7b 22 66 22 3a 30 2c 22 6c 22 3a 32 35 36 2c 22 78 22 3a 22 c3 28 22 7d"),
  ),
  badJson("cbor-sent", "CBOR on a JSON topic", hex("a2 61 66 00 61 6c 19 01 00")),
  refusedRaw(
    {
      id: "decoding.describe-cbor",
      text: "A describe that is not CBOR is InvalidCbor.",
      source: ORDER,
      origin: "DG",
      code: "InvalidCbor",
      operation: "describe",
    },
    "cbor",
    () => hex("a1 61"),
  ),
  refusedRaw(
    {
      id: "decoding.describe-json",
      text: "A describe of no bytes is InvalidJson.",
      source: ORDER,
      origin: "DG",
      code: "InvalidJson",
      operation: "describe",
    },
    "json",
    () => utf8(""),
  ),
];

/** Integers get a head of `width` bytes; c and b stay as they are. */
function widened(key: string, value: Buffer, width: number): Buffer {
  const values: Readonly<Record<string, number>> = { l: 256, o: 1, n: 2 };
  if (key === "c" || key === "b") return value;
  const first = value[0] as number;
  const known = values[key] ?? (first < 24 ? first : (value[1] as number));
  return integer(known, width);
}
