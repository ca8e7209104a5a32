/**
 * Data messages byte for byte. In CBOR: bf, then text keys of one letter (61 63 c, 61 66 f, 61 69 i, 61 6c l, 61 70 p), each
 * with its value, then ff. By RFC 8949 section 3 the shortest head is one byte up to 23, then 18 xx to 255, 19 xxxx to
 * 65535 and 1a xxxxxxxx; the same with 4x or 58, 59, 5a for byte strings and 6x or 78 for text.
 */
import type { DataMessage } from "../../shared/protocol/messages.ts";
import { hex, type MessageVector, utf8 } from "./vector.ts";

const CBOR = "section 2, WIRE details: a CBOR data message is an indefinite-length map, keys f, i, l, p, c first";
const JSON_ORDER = "section 2, WIRE details: JSON uses the same order; RFC 4648 section 10 for the payload";
const SIZE = "section 2, WIRE details: 4096-byte block, c = rdy, block id of 256 or more: 4122 bytes";

/** A block whose bytes tell where they stand. */
function blockOf(lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 7 + (index >>> 8)) & 0xff);
}

/** One data message: what comes before the payload, in hex, and how long the payload is. */
function framed(
  name: string,
  source: string,
  before: string,
  message: Omit<DataMessage, "payload">,
  lengthBytes: number,
): MessageVector<DataMessage> {
  const payload = blockOf(lengthBytes);
  const bytes = Uint8Array.from(Buffer.concat([hex(before), payload, hex("ff")]));
  return { name, source, format: "cbor", bytes, message: { ...message, payload } };
}

const blockId = (id: number, head: string): MessageVector<DataMessage> =>
  framed(`block id ${id}`, CBOR, `bf 61 66 00  61 69 ${head}  61 6c 02  61 70 42`, { fileId: 0, blockId: id }, 2);
const length = (bytes: number, head: string, payloadHead: string): MessageVector<DataMessage> =>
  framed(
    `a payload of ${bytes} bytes`,
    CBOR,
    `bf 61 66 00  61 69 00  61 6c ${head}  61 70 ${payloadHead}`,
    { fileId: 0, blockId: 0 },
    bytes,
  );
const fileId = (id: number, head: string): MessageVector<DataMessage> =>
  framed(`file id ${id}`, CBOR, `bf 61 66 ${head}  61 69 00  61 6c 01  61 70 41`, { fileId: id, blockId: 0 }, 1);
const token = (clientToken: string, head: string): MessageVector<DataMessage> =>
  framed(
    `a token of ${Buffer.byteLength(clientToken)} bytes`,
    CBOR,
    `bf 61 63 ${head} ${Buffer.from(clientToken).toString("hex")}  61 66 00  61 69 00  61 6c 01  61 70 41`,
    { clientToken, fileId: 0, blockId: 0 },
    1,
  );

/** Data messages in CBOR. */
export const CBOR_DATA: readonly MessageVector<DataMessage>[] = [
  framed(
    "4096 bytes, a token and block id 256: 4122 bytes",
    SIZE,
    "bf  61 63 63 72 64 79  61 66 00  61 69 19 01 00  61 6c 19 10 00  61 70 59 10 00",
    { clientToken: "rdy", fileId: 0, blockId: 256 },
    4096,
  ),
  framed(
    "4096 bytes, no token",
    CBOR,
    "bf  61 66 00  61 69 19 01 00  61 6c 19 10 00  61 70 59 10 00",
    { fileId: 0, blockId: 256 },
    4096,
  ),
  blockId(0, "00"),
  blockId(23, "17"),
  blockId(24, "18 18"),
  blockId(255, "18 ff"),
  blockId(256, "19 01 00"),
  blockId(65_535, "19 ff ff"),
  blockId(65_536, "1a 00 01 00 00"),
  // The highest that o and b or n can name: 98304 + 98303.
  blockId(196_607, "1a 00 02 ff ff"),
  length(1, "01", "41"),
  length(23, "17", "57"),
  length(24, "18 18", "58 18"),
  length(255, "18 ff", "58 ff"),
  length(256, "19 01 00", "59 01 00"),
  length(65_535, "19 ff ff", "59 ff ff"),
  length(65_536, "1a 00 01 00 00", "5a 00 01 00 00"),
  length(131_072, "1a 00 02 00 00", "5a 00 02 00 00"),
  fileId(23, "17"),
  fileId(24, "18 18"),
  fileId(255, "18 ff"),
  token("", "60"),
  token("x".repeat(23), "77"),
  token("x".repeat(24), "78 18"),
  token("é".repeat(12), "78 18"),
  token("€".repeat(21), "78 3f"),
  token("x".repeat(64), "78 40"),
];

const json = (
  name: string,
  text: string,
  message: Omit<DataMessage, "payload">,
  payload: Uint8Array,
): MessageVector<DataMessage> => ({
  name,
  source: JSON_ORDER,
  format: "json",
  bytes: utf8(text),
  message: { ...message, payload },
});

/** Data messages in JSON; the payloads are the test vectors of RFC 4648 section 10. */
export const JSON_DATA: readonly MessageVector<DataMessage>[] = [
  json("one byte", '{"f":0,"i":0,"l":1,"p":"Zg=="}', { fileId: 0, blockId: 0 }, utf8("f")),
  json("two bytes", '{"f":0,"i":9,"l":2,"p":"Zm8="}', { fileId: 0, blockId: 9 }, utf8("fo")),
  json("three bytes", '{"f":0,"i":10,"l":3,"p":"Zm9v"}', { fileId: 0, blockId: 10 }, utf8("foo")),
  json("four bytes", '{"f":9,"i":99,"l":4,"p":"Zm9vYg=="}', { fileId: 9, blockId: 99 }, utf8("foob")),
  json("five bytes", '{"f":10,"i":100,"l":5,"p":"Zm9vYmE="}', { fileId: 10, blockId: 100 }, utf8("fooba")),
  json("six bytes", '{"f":255,"i":196607,"l":6,"p":"Zm9vYmFy"}', { fileId: 255, blockId: 196_607 }, utf8("foobar")),
  json(
    "ten bytes",
    '{"f":0,"i":1,"l":10,"p":"AAECAwQFBgcICQ=="}',
    { fileId: 0, blockId: 1 },
    hex("00010203040506070809"),
  ),
  // ff efbe: 111111 111110 111110 111110, the digits 63 and 62.
  json(
    "the last two digits of the alphabet",
    '{"f":0,"i":1,"l":3,"p":"/+++"}',
    { fileId: 0, blockId: 1 },
    hex("ffefbe"),
  ),
  json(
    "a token",
    '{"c":"rdy","f":0,"i":256,"l":1,"p":"Zg=="}',
    { clientToken: "rdy", fileId: 0, blockId: 256 },
    utf8("f"),
  ),
  json(
    "a token that needs escapes",
    '{"c":"\\"\\\\é\\n","f":0,"i":0,"l":1,"p":"Zg=="}',
    { clientToken: '"\\é\n', fileId: 0, blockId: 0 },
    utf8("f"),
  ),
];
