/** Shape: what a request must be made of. */
import type { Rule } from "../rule.ts";
import { refusedRaw } from "../rule-forms.ts";
import { hex, items, text, utf8 } from "../wire.ts";

const SOURCE = "2, Order of checks: shape";

interface Fault {
  readonly name: string;
  readonly words: string;
}

function refusal({ name, words }: Fault, isEchoed: boolean) {
  const echo = isEchoed ? { clientToken: "rdy" } : {};
  return {
    id: `shape.${name}`,
    text: `${words}: InvalidRequest${isEchoed ? ", with its token" : ""}.`,
    source: SOURCE,
    origin: "OURS" as const,
    code: "InvalidRequest" as const,
    ...echo,
  };
}

/** A whole request in CBOR that is not a map, or has no token. */
function cborWhole(name: string, words: string, digits: string, operation?: "describe"): Rule {
  const op = operation === undefined ? {} : { operation };
  return refusedRaw({ ...refusal({ name: `cbor-${name}`, words }, false), ...op }, "cbor", () => hex(digits));
}

/** A request in CBOR with a token, the members of `fields`, and one more as hex. */
function cborMember(name: string, words: string, digits: string, fields: readonly ("f" | "l")[] = ["f", "l"]): Rule {
  return refusedRaw(refusal({ name: `cbor-${name}`, words }, true), "cbor", ({ small }) => {
    const all = items({ c: "rdy", f: small.fileId, l: 256 });
    const chosen = all.filter(([key]) => key === "c" || fields.includes(key as "f" | "l"));
    const members = chosen.flatMap(([key, value]) => [text(key), value]);
    const count = chosen.length + (digits === "" ? 0 : 1);
    return Buffer.concat([Buffer.of(0xa0 + count), ...members, hex(digits)]);
  });
}

function jsonWhole(name: string, words: string, whole: string, operation?: "describe"): Rule {
  const op = operation === undefined ? {} : { operation };
  return refusedRaw({ ...refusal({ name: `json-${name}`, words }, false), ...op }, "json", () => utf8(whole));
}

/** A request in JSON with a token and other members, in which `F` stands for the file's id. */
function jsonMember(name: string, words: string, members: string): Rule {
  return refusedRaw(refusal({ name: `json-${name}`, words }, true), "json", ({ small }) =>
    utf8(`{"c":"rdy",${members.replace("F", String(small.fileId))}}`),
  );
}

/** The rules of shape. */
export const SHAPE_RULES: readonly Rule[] = [
  cborWhole("array", "An array for a request", "80"),
  cborWhole("integer", "An integer for a request", "00"),
  cborWhole("text", "A text for a request", "60"),
  cborWhole("byte-string", "A byte string for a request", "40"),
  cborWhole("null", "null for a request", "f6"),
  cborWhole("empty-map", "A get that is an empty map", "a0"),
  cborWhole("describe-array", "An array for a describe", "80", "describe"),
  cborMember("no-f", "f is missing", "", ["l"]),
  cborMember("no-l", "l is missing", "", ["f"]),
  cborMember("f-text", "f as text", "61 66 61 30", ["l"]),
  cborMember("l-byte-string", "l as a byte string", "61 6c 42 10 00", ["f"]),
  cborMember("l-fraction", "l with a fraction", "61 6c fa 45 80 04 00", ["f"]),
  cborMember("l-nan", "l that is not a number", "61 6c f9 7e 00", ["f"]),
  cborMember("l-numeric-text", "l as text with digits, which only JSON may have", "61 6c 63 32 35 36", ["f"]),
  cborMember("o-null", "o as null", "61 6f f6"),
  cborMember("n-true", "n as true", "61 6e f5"),
  cborMember("s-array", "s as an array", "61 73 80"),
  cborMember("b-integer", "b as an integer", "61 62 01"),
  cborMember("b-array", "b as an array", "61 62 81 01"),
  jsonWhole("array", "An array for a request", "[]"),
  jsonWhole("string", "A string for a request", '"{}"'),
  jsonWhole("number", "A number for a request", "7"),
  jsonWhole("null", "null for a request", "null"),
  jsonWhole("empty-object", "A get that is an empty object", "{}"),
  jsonWhole("describe-null", "null for a describe", "null", "describe"),
  jsonMember("no-f", "f is missing", '"l":256'),
  jsonMember("no-l", "l is missing", '"f":F'),
  jsonMember("f-by-inheritance", "f in __proto__ only", '"__proto__":{"f":F},"l":256'),
  jsonMember("l-fraction", "l with a fraction", '"f":F,"l":256.5'),
  jsonMember("l-empty-string", "An empty string for l", '"f":F,"l":""'),
  jsonMember("l-word", "A word for l", '"f":F,"l":"4k"'),
  jsonMember("f-hex", "Hex for f", '"f":"0x1","l":256'),
  jsonMember("o-null", "o as null", '"f":F,"l":256,"o":null'),
  jsonMember("n-true", "n as true", '"f":F,"l":256,"n":true'),
  jsonMember("s-map", "s as an object", '"f":F,"l":256,"s":{}'),
  jsonMember("b-number", "b as a number", '"f":F,"l":256,"n":1,"b":1'),
  jsonMember("b-map", "b as an object", '"f":F,"l":256,"n":1,"b":{}'),
  jsonMember("b-odd", "An odd number of hex digits in b", '"f":F,"l":256,"n":1,"b":"0x123"'),
  jsonMember("b-one-digit", "One hex digit in b", '"f":F,"l":256,"n":1,"b":"1"'),
  jsonMember("b-base64", "b that is not hex", '"f":F,"l":256,"n":1,"b":"MQ=="'),
  jsonMember("b-0x-twice", "0x twice in b", '"f":F,"l":256,"n":1,"b":"0x0x00"'),
];
