/** GetStream requests that both profiles reject, with the code and the token that the answer carries. */

import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import { hex, type RejectedVector, utf8 } from "./vector.ts";

const SHAPE = "section 2, order of checks: shape";
const INCOMING = "section 2, WIRE details: what comes in";
const ODD = "section 2, WIRE details: an odd number of digits";
const RFC = "RFC 8949 section 3 and appendix F: not well-formed";

/** {f:0, l:4096} without a head. */
const WHOLE = "61 66 00  61 6c 19 10 00";
/** {c:"rdy"} without a head. */
const TOKEN = "61 63 63 72 64 79";

const cbor = (name: string, source: string, digits: string, code: RejectionCode = "InvalidCbor"): RejectedVector => ({
  name,
  source,
  format: "cbor",
  bytes: hex(digits),
  code,
});
const shape = (name: string, digits: string): RejectedVector => cbor(name, SHAPE, digits, "InvalidRequest");
const json = (name: string, source: string, text: string, code: RejectionCode = "InvalidJson"): RejectedVector => ({
  name,
  source,
  format: "json",
  bytes: utf8(text),
  code,
});
const echoed = (vector: RejectedVector): RejectedVector => ({ ...vector, clientToken: "rdy" });

/** Requests in CBOR. */
export const REJECTED_CBOR: readonly RejectedVector[] = [
  cbor("no bytes", RFC, ""),
  cbor("a tag before the map", INCOMING, `d9 d9 f7 a2 ${WHOLE}`),
  cbor("a tag on the bitmap", INCOMING, `a3 ${WHOLE} 61 62 d8 40 41 01`),
  cbor("a tag on a key", INCOMING, "a2 c0 61 66 00  61 6c 19 10 00"),
  cbor("a tag deep in an unknown key", INCOMING, `a3 ${WHOLE} 61 78 81 a1 61 79 c1 00`),
  cbor("a date", INCOMING, `a3 ${WHOLE} 61 78 c1 1a 65 00 00 00`),
  cbor("a big number for l", INCOMING, "a2 61 66 00  61 6c c2 42 10 00"),
  cbor("a regular expression", INCOMING, `a3 ${WHOLE} 61 78 d8 23 61 2e`),
  cbor("a shared value and a reference to it", INCOMING, `a3 ${WHOLE} 61 78 d8 1c 81 d8 1d 00`),
  cbor("an array for a key", INCOMING, `a3 ${WHOLE} 81 61 62 41 01`),
  cbor("a byte string for the key f", INCOMING, "a2 41 66 00  61 6c 19 10 00"),
  cbor("a reserved length", RFC, `a3 ${WHOLE} 61 78 1c`),
  cbor("a break with nothing open", RFC, "ff"),
  cbor("a break for a value", RFC, `bf ${WHOLE} 61 78 ff`),
  cbor("an integer of indefinite length", RFC, `a3 ${WHOLE} 61 78 1f`),
  cbor("a chunk of another type", RFC, `a3 ${WHOLE} 61 62 5f 61 30 ff`),
  cbor("a chunk of indefinite length", RFC, `a3 ${WHOLE} 61 62 5f 5f 41 01 ff ff`),
  cbor("a simple value below 32 in two bytes", RFC, `a3 ${WHOLE} 61 78 f8 14`),
  cbor("a token that is not UTF-8", "RFC 8949 section 3.1: text is UTF-8", `a3 ${WHOLE} 61 63 62 c3 28`),
  cbor("a token with half a surrogate pair", "RFC 8949 section 3.1: text is UTF-8", `a3 ${WHOLE} 61 63 63 ed a0 80`),
  cbor("2^60 bytes of bitmap, it says", RFC, `a3 ${WHOLE} 61 62 5b 10 00 00 00 00 00 00 00`),
  cbor("2^63 members, it says", RFC, `bb 80 00 00 00 00 00 00 00 ${WHOLE}`),
  shape("an array", "80"),
  shape("an integer", "00"),
  shape("a text", "60"),
  shape("a byte string", "40"),
  shape("null", "f6"),
  shape("an empty map", "a0"),
  shape("no f", "a1 61 6c 19 10 00"),
  echoed(shape("no l", `a2 ${TOKEN} 61 66 00`)),
  echoed(shape("f as text", `a3 ${TOKEN} 61 66 61 30  61 6c 19 10 00`)),
  echoed(shape("l as a byte string", `a3 ${TOKEN} 61 66 00  61 6c 42 10 00`)),
  echoed(shape("l with a fraction", `a3 ${TOKEN} 61 66 00  61 6c fa 45 80 04 00`)),
  echoed(shape("l not a number", `a3 ${TOKEN} 61 66 00  61 6c f9 7e 00`)),
  echoed(shape("o as null", `a4 ${TOKEN} ${WHOLE} 61 6f f6`)),
  echoed(shape("n as true", `a4 ${TOKEN} ${WHOLE} 61 6e f5`)),
  echoed(shape("s as an array", `a4 ${TOKEN} ${WHOLE} 61 73 80`)),
  echoed(shape("b as an integer", `a4 ${TOKEN} ${WHOLE} 61 62 01`)),
  echoed(shape("b as an array", `a4 ${TOKEN} ${WHOLE} 61 62 81 01`)),
  shape("a token as an integer", `a3 ${WHOLE} 61 63 00`),
  shape("a token as a byte string", `a3 ${WHOLE} 61 63 43 72 64 79`),
  shape("a token as null", `a3 ${WHOLE} 61 63 f6`),
  shape("a token as undefined", `a3 ${WHOLE} 61 63 f7`),
  echoed(shape("o as undefined", `a4 ${TOKEN} ${WHOLE} 61 6f f7`)),
];

/** Requests in JSON. */
export const REJECTED_JSON: readonly RejectedVector[] = [
  json("no bytes", "RFC 8259 section 2", ""),
  json("only blanks", "RFC 8259 section 2", " \n"),
  json("a comma after the last member", "RFC 8259 section 4", '{"f":0,"l":4096,}'),
  json("single quotes", "RFC 8259 section 7", "{'f':0,'l':4096}"),
  json("not a number", "RFC 8259 section 6", '{"f":0,"l":NaN}'),
  json("a byte order mark", "RFC 8259 section 8.1: must not add one", '\ufeff{"f":0,"l":4096}'),
  json("CBOR", "section 2: the format is the topic's", "\u0000"),
  {
    name: "a text that is not UTF-8",
    source: "RFC 8259 section 8.1",
    format: "json",
    bytes: hex("7b 22 66 22 3a 30 2c 22 6c 22 3a 31 30 30 30 2c 22 63 22 3a 22 c3 28 22 7d"),
    code: "InvalidJson",
  },
  json("an array", SHAPE, "[]", "InvalidRequest"),
  json("a text", SHAPE, '"{}"', "InvalidRequest"),
  json("a number", SHAPE, "7", "InvalidRequest"),
  json("null", SHAPE, "null", "InvalidRequest"),
  json("an empty object", SHAPE, "{}", "InvalidRequest"),
  json("f only by inheritance", SHAPE, '{"__proto__":{"f":0},"l":4096}', "InvalidRequest"),
  echoed(json("no f", SHAPE, '{"c":"rdy","l":4096}', "InvalidRequest")),
  echoed(json("a fraction", SHAPE, '{"c":"rdy","f":0,"l":4096.5}', "InvalidRequest")),
  echoed(json("an empty string for a number", SHAPE, '{"c":"rdy","f":"","l":4096}', "InvalidRequest")),
  echoed(json("hex for a number", SHAPE, '{"c":"rdy","f":"0x1","l":4096}', "InvalidRequest")),
  echoed(json("null for o", SHAPE, '{"c":"rdy","f":0,"l":4096,"o":null}', "InvalidRequest")),
  echoed(json("a map for b", SHAPE, '{"c":"rdy","f":0,"l":4096,"b":{}}', "InvalidRequest")),
  echoed(json("an odd number of digits", ODD, '{"c":"rdy","f":0,"l":4096,"b":"0x123"}', "InvalidRequest")),
  echoed(json("one digit", ODD, '{"c":"rdy","f":0,"l":4096,"b":"1"}', "InvalidRequest")),
  echoed(json("digits that are not hex", SHAPE, '{"c":"rdy","f":0,"l":4096,"b":"MQ=="}', "InvalidRequest")),
  echoed(json("0x twice", SHAPE, '{"c":"rdy","f":0,"l":4096,"b":"0x0x00"}', "InvalidRequest")),
  echoed(json("byte values past 255", SHAPE, '{"c":"rdy","f":0,"l":4096,"b":[256]}', "InvalidRequest")),
  echoed(json("byte values as strings", SHAPE, '{"c":"rdy","f":0,"l":4096,"b":["1"]}', "InvalidRequest")),
  json("a number for a token", SHAPE, '{"c":7,"f":0,"l":4096}', "InvalidRequest"),
  json("null for a token", SHAPE, '{"c":null,"f":0,"l":4096}', "InvalidRequest"),
];
