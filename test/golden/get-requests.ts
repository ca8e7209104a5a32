/** GetStream requests that are accepted, as stock clients and awkward ones send them. */
import { hex, type RequestVector, utf8 } from "./vector.ts";

const STOCK = "section 2, WIRE details: stock clients";
const INCOMING = "section 2, WIRE details: requests come as definite and indefinite maps";
const PROFILES = "section 2, two request profiles";
const BITMAP = "section 2, bitmap (DG), worked example";
const HEADS =
  "section 2, WIRE details: 8-byte heads normalised; RFC 8949 section 3: any head may be longer than needed";

/** {c:"rdy", f:0, l:4096}, the opening of several vectors: text "c" is 61 63, "rdy" 63 72 64 79, 4096 is 19 10 00. */
const OPENING = "61 63 63 72 64 79  61 66 00  61 6c 19 10 00";
const opened = { clientToken: "rdy", fileId: 0, blockSizeBytes: 4096 };
const EXAMPLE = Uint8Array.of(0x13, 0x00, 0x80);

/** Requests in CBOR. */
export const CBOR_REQUESTS: readonly RequestVector[] = [
  {
    name: "an agent that asks for all missing blocks of 28 and lets n cap them",
    source: STOCK,
    format: "cbor",
    bytes: hex(`a6 ${OPENING} 61 6f 00  61 62 44 ff ff ff 0f  61 6e 01`),
    request: { ...opened, blockOffset: 0, blockBitmap: hex("ff ff ff 0f"), blockCount: 1 },
  },
  {
    name: "the same as an indefinite-length map",
    source: INCOMING,
    format: "cbor",
    bytes: hex(`bf ${OPENING} 61 6f 00  61 62 44 ff ff ff 0f  61 6e 01 ff`),
    request: { ...opened, blockOffset: 0, blockBitmap: hex("ff ff ff 0f"), blockCount: 1 },
  },
  {
    name: "a library that sends the four ASCII bytes MQ== as its bitmap",
    source: STOCK,
    format: "cbor",
    bytes: hex("a6  61 63 63 72 64 79  61 66 00  61 6c 19 01 00  61 6f 07  61 62 44 4d 51 3d 3d  61 6e 01"),
    request: {
      clientToken: "rdy",
      fileId: 0,
      blockSizeBytes: 256,
      blockOffset: 7,
      blockBitmap: utf8("MQ=="),
      blockCount: 1,
    },
  },
  {
    name: "a four-byte bitmap that slides along with o",
    source: STOCK,
    format: "cbor",
    bytes: hex(`a5 ${OPENING} 61 6f 18 40  61 62 44 01 00 00 80`),
    request: { ...opened, blockOffset: 64, blockBitmap: hex("01 00 00 80") },
  },
  {
    name: "blocks 20, 21, 24 and 43",
    source: BITMAP,
    format: "cbor",
    bytes: hex(`a5 ${OPENING} 61 6f 14  61 62 43 13 00 80`),
    request: { ...opened, blockOffset: 20, blockBitmap: EXAMPLE },
  },
  {
    name: "nothing but f and l",
    source: "section 2, message table: get",
    format: "cbor",
    bytes: hex("a2  61 66 01  61 6c 19 01 00"),
    request: { fileId: 1, blockSizeBytes: 256 },
  },
  {
    name: "every key, last to first",
    source: INCOMING,
    format: "cbor",
    bytes: hex("a7  61 62 41 01  61 6e 02  61 6f 03  61 6c 19 02 00  61 66 18 ff  61 73 19 ff ff  61 63 60"),
    request: {
      clientToken: "",
      streamVersion: 65_535,
      fileId: 255,
      blockSizeBytes: 512,
      blockOffset: 3,
      blockCount: 2,
      blockBitmap: hex("01"),
    },
  },
  {
    name: "unknown keys that hold an integer, a byte string, an array, maps of both kinds and a text",
    source: INCOMING,
    format: "cbor",
    bytes: hex(
      `a9 61 78 20  61 79 41 c1 ${OPENING} 61 41 82 01 9f 02 ff  62 66 66 a1 61 66 05  61 5a bf 61 6c 06 ff  61 51 60`,
    ),
    request: opened,
  },
  {
    name: "all integers with 8-byte heads",
    source: HEADS,
    format: "cbor",
    bytes: hex(
      "a4  61 73 1b 00 00 00 00 00 00 00 02  61 66 1b 00 00 00 00 00 00 00 03  61 6c 1b 00 00 00 00 00 02 00 00  61 6f 1b 00 00 00 00 00 01 80 00",
    ),
    request: { streamVersion: 2, fileId: 3, blockSizeBytes: 131_072, blockOffset: 98_304 },
  },
  {
    name: "integers, lengths and counts with heads longer than they need",
    source: HEADS,
    format: "cbor",
    bytes: hex("b9 00 03  78 01 66 18 00  7a 00 00 00 01 6c 1a 00 00 10 00  79 00 01 62 5b 00 00 00 00 00 00 00 01 ff"),
    request: { fileId: 0, blockSizeBytes: 4096, blockBitmap: hex("ff") },
  },
  {
    name: "an empty bitmap",
    source:
      "section 2: an empty or all-zero b included (it is the blocks that are missing, not the shape that is wrong)",
    format: "cbor",
    bytes: hex(`a4 ${OPENING} 61 62 40`),
    request: { ...opened, blockBitmap: new Uint8Array(0) },
  },
  {
    name: "a bitmap as hex text",
    source: PROFILES,
    format: "cbor",
    bytes: hex(`a4 ${OPENING} 61 62 66 31 33 30 30 38 30`),
    request: { ...opened, blockBitmap: EXAMPLE },
    strict: "InvalidCbor",
  },
  {
    name: "a bitmap as hex text with 0x",
    source: PROFILES,
    format: "cbor",
    bytes: hex(`a4 ${OPENING} 61 62 68 30 78 31 33 30 30 38 30`),
    request: { ...opened, blockBitmap: EXAMPLE },
    strict: "InvalidCbor",
  },
];

const jsonBitmap = (digits: string, blockBitmap: Uint8Array, name: string): RequestVector => ({
  name,
  source: `${INCOMING}: hex with or without 0x, either case`,
  format: "json",
  bytes: utf8(`{"c":"rdy","f":0,"l":4096,"b":"${digits}"}`),
  request: { ...opened, blockBitmap },
});

/** Requests in JSON. */
export const JSON_REQUESTS: readonly RequestVector[] = [
  {
    name: "a library with a hard-coded version and no token",
    source: STOCK,
    format: "json",
    bytes: utf8('{"s":1,"f":0,"l":256,"o":0,"n":1}'),
    request: { streamVersion: 1, fileId: 0, blockSizeBytes: 256, blockOffset: 0, blockCount: 1 },
  },
  {
    name: "blocks 20, 21, 24 and 43",
    source: BITMAP,
    format: "json",
    bytes: utf8('{"c":"rdy","f":0,"l":4096,"o":20,"b":"0x130080"}'),
    request: { ...opened, blockOffset: 20, blockBitmap: EXAMPLE },
  },
  jsonBitmap("130080", EXAMPLE, "hex without 0x"),
  jsonBitmap("0Xabcdef", hex("abcdef"), "lower case hex after 0X"),
  jsonBitmap("0xABCDEF", hex("abcdef"), "upper case hex"),
  jsonBitmap("aBcDeF", hex("abcdef"), "hex of both cases"),
  jsonBitmap("", new Uint8Array(0), "no hex digits at all"),
  jsonBitmap("0x", new Uint8Array(0), "no hex digits after 0x"),
  {
    name: "numbers as strings",
    source: `${INCOMING}: numbers as strings`,
    format: "json",
    bytes: utf8('{"s":"1","f":"255","l":"131072","o":"98304","n":"0"}'),
    request: { streamVersion: 1, fileId: 255, blockSizeBytes: 131_072, blockOffset: 98_304, blockCount: 0 },
  },
  {
    name: "keys in any order, unknown ones and blanks between them",
    source: INCOMING,
    format: "json",
    bytes: utf8(
      '{ "n":3,\t"ff":{"f":9}, "l": 4096,\r\n"x":[1,null,2.5,true], "\\u0066":0, "__proto__":{"o":9}, "c":"rdy" }',
    ),
    request: { ...opened, blockCount: 3 },
  },
  {
    name: "a token of other than ASCII",
    source: "section 2, limits: c 64 bytes; RFC 8259 section 8.1: UTF-8",
    format: "json",
    bytes: utf8('{"c":"größe\\n\\u20ac","f":0,"l":4096}'),
    request: { clientToken: "größe\n€", fileId: 0, blockSizeBytes: 4096 },
  },
  {
    name: "integers in exponent notation and with a zero fraction",
    source: "RFC 8259 section 6: 4.096e3 and 0.0 are the numbers 4096 and 0",
    format: "json",
    bytes: utf8('{"c":"rdy","f":0.0,"l":4.096e3}'),
    request: opened,
  },
  {
    name: "a bitmap as an array of byte values",
    source: PROFILES,
    format: "json",
    bytes: utf8('{"c":"rdy","f":0,"l":4096,"b":[19,0,128]}'),
    request: { ...opened, blockBitmap: EXAMPLE },
    strict: "InvalidRequest",
  },
];
