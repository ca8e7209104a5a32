/** Descriptions and rejections byte for byte, in both formats. */
import type { DescribeRequest, Description, GetRequest, RejectedMessage } from "../../shared/protocol/messages.ts";
import { hex, type MessageVector, utf8 } from "./vector.ts";

const DESCRIPTION =
  "section 2, message table: description; section 3: crc32 unsigned integer, sha256 byte string or hex";
const REJECTED = "section 2, WIRE details: a rejection carries both forms, keys clientToken, c, code, o, message, m";
const REQUESTS = "section 2, message table: describe and get; JSON b is a hex string, CBOR b a byte string";

const DIGEST = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const described: Description = {
  clientToken: "rdy",
  streamVersion: 7,
  description: "two",
  files: [
    { fileId: 0, sizeBytes: 23 },
    { fileId: 255, sizeBytes: 2_097_152, crc32: 0xcbf4_3926, sha256: DIGEST },
  ],
};

/** Descriptions: CBOR as a definite map, by the same head rules as data messages. */
export const DESCRIPTIONS: readonly MessageVector<Description>[] = [
  {
    name: "two files, one with digests",
    source: DESCRIPTION,
    format: "cbor",
    // "crc32" is 65 63 72 63 33 32, "sha256" 66 73 68 61 32 35 36; 2097152 is 00 20 00 00; 32 bytes are 58 20.
    bytes: hex(
      "a4  61 63 63 72 64 79  61 73 07  61 64 63 74 77 6f  61 72 82" +
        "  a2 61 66 00 61 7a 17" +
        "  a4 61 66 18 ff 61 7a 1a 00 20 00 00 65 63 72 63 33 32 1a cb f4 39 26" +
        `  66 73 68 61 32 35 36 58 20 ${DIGEST}`,
    ),
    message: described,
  },
  {
    name: "two files, one with digests",
    source: DESCRIPTION,
    format: "json",
    bytes: utf8(
      '{"c":"rdy","s":7,"d":"two","r":[{"f":0,"z":23},' +
        `{"f":255,"z":2097152,"crc32":3421780262,"sha256":"${DIGEST}"}]}`,
    ),
    message: described,
  },
  {
    name: "the least there can be",
    source: DESCRIPTION,
    format: "cbor",
    bytes: hex("a2  61 73 00  61 72 81 a2 61 66 01 61 7a 00"),
    message: { streamVersion: 0, files: [{ fileId: 1, sizeBytes: 0 }] },
  },
  {
    name: "the least there can be",
    source: DESCRIPTION,
    format: "json",
    bytes: utf8('{"s":0,"r":[{"f":1,"z":0}]}'),
    message: { streamVersion: 0, files: [{ fileId: 1, sizeBytes: 0 }] },
  },
];

/** Descriptions as another server may spell them; they are read, not written. */
export const FOREIGN_DESCRIPTIONS: readonly MessageVector<Description>[] = [
  {
    name: "indefinite-length maps and array, keys in another order, an unknown key",
    source: "section 2, WIRE details: what comes in; section 3: further additions are announced in the description",
    format: "cbor",
    bytes: hex("bf  61 72 9f bf 61 7a 19 10 00 61 66 02 ff ff  61 78 80  61 73 01 ff"),
    message: { streamVersion: 1, files: [{ fileId: 2, sizeBytes: 4096 }] },
  },
  {
    name: "integers with 8-byte heads, inside r as well",
    source: "section 2, WIRE details: 8-byte heads normalised",
    format: "cbor",
    bytes: hex(
      "a2  61 73 1b 00 00 00 00 00 00 00 01  61 72 81 a3 61 66 1b 00 00 00 00 00 00 00 02" +
        " 61 7a 1b 00 00 00 00 00 00 10 00 65 63 72 63 33 32 1b 00 00 00 00 cb f4 39 26",
    ),
    message: { streamVersion: 1, files: [{ fileId: 2, sizeBytes: 4096, crc32: 0xcbf4_3926 }] },
  },
  {
    name: "a digest in capitals",
    source: "section 3: JSON hex; section 2: hex in either case",
    format: "json",
    bytes: utf8(`{"r":[{"sha256":"${DIGEST.toUpperCase()}","z":1,"f":0}],"s":1}`),
    message: { streamVersion: 1, files: [{ fileId: 0, sizeBytes: 1, sha256: DIGEST }] },
  },
];

const refusal: RejectedMessage = { clientToken: "rdy", code: "OffsetOutOfBounds", message: "no" };

/** Rejections: CBOR as an indefinite-length map. */
export const REJECTIONS: readonly MessageVector<RejectedMessage>[] = [
  {
    name: "with a token",
    source: REJECTED,
    format: "cbor",
    // clientToken (6b), c, code (64), o, message (67), m; "OffsetOutOfBounds" has 17 bytes (71).
    bytes: hex(
      "bf  6b 63 6c 69 65 6e 74 54 6f 6b 65 6e 63 72 64 79  61 63 63 72 64 79" +
        "  64 63 6f 64 65 71 4f 66 66 73 65 74 4f 75 74 4f 66 42 6f 75 6e 64 73" +
        "  61 6f 71 4f 66 66 73 65 74 4f 75 74 4f 66 42 6f 75 6e 64 73" +
        "  67 6d 65 73 73 61 67 65 62 6e 6f  61 6d 62 6e 6f  ff",
    ),
    message: refusal,
  },
  {
    name: "with a token",
    source: REJECTED,
    format: "json",
    bytes: utf8(
      '{"clientToken":"rdy","c":"rdy","code":"OffsetOutOfBounds","o":"OffsetOutOfBounds","message":"no","m":"no"}',
    ),
    message: refusal,
  },
  {
    name: "without a token",
    source: `${REJECTED} (token keys only when the token is valid)`,
    format: "cbor",
    bytes: hex(
      "bf  64 63 6f 64 65 6b 49 6e 76 61 6c 69 64 43 62 6f 72  61 6f 6b 49 6e 76 61 6c 69 64 43 62 6f 72" +
        "  67 6d 65 73 73 61 67 65 62 6e 6f  61 6d 62 6e 6f  ff",
    ),
    message: { code: "InvalidCbor", message: "no" },
  },
  {
    name: "without a token",
    source: `${REJECTED} (token keys only when the token is valid)`,
    format: "json",
    bytes: utf8('{"code":"InvalidJson","o":"InvalidJson","message":"no","m":"no"}'),
    message: { code: "InvalidJson", message: "no" },
  },
];

/** Rejections in one form only; they are read, not written. */
export const FOREIGN_REJECTIONS: readonly MessageVector<RejectedMessage>[] = [
  {
    name: "the short form",
    source: "section 2, message table: rejected",
    format: "json",
    bytes: utf8('{"o":"ResourceNotFound","m":"no","c":"rdy"}'),
    message: { clientToken: "rdy", code: "ResourceNotFound", message: "no" },
  },
  {
    name: "the long form",
    source: "section 2, message table: rejected",
    format: "cbor",
    bytes: hex("a2 64 63 6f 64 65 6c 45 54 61 67 4d 69 73 6d 61 74 63 68  67 6d 65 73 73 61 67 65 62 6e 6f"),
    message: { code: "ETagMismatch", message: "no" },
  },
];

/** Describe requests as our device sends them. */
export const DESCRIBES: readonly MessageVector<DescribeRequest>[] = [
  {
    name: "a token",
    source: REQUESTS,
    format: "cbor",
    bytes: hex("a1 61 63 63 72 64 79"),
    message: { clientToken: "rdy" },
  },
  { name: "a token", source: REQUESTS, format: "json", bytes: utf8('{"c":"rdy"}'), message: { clientToken: "rdy" } },
  { name: "nothing", source: REQUESTS, format: "cbor", bytes: hex("a0"), message: {} },
  { name: "nothing", source: REQUESTS, format: "json", bytes: utf8("{}"), message: {} },
];

const asked: GetRequest = {
  clientToken: "rdy",
  streamVersion: 7,
  fileId: 0,
  blockSizeBytes: 4096,
  blockOffset: 20,
  blockCount: 4,
  blockBitmap: Uint8Array.of(0x13, 0x00, 0x80),
};

/** GetStream requests as our device sends them, keys in the order of the table. */
export const GETS: readonly MessageVector<GetRequest>[] = [
  {
    name: "everything",
    source: REQUESTS,
    format: "cbor",
    bytes: hex("a7 61 63 63 72 64 79  61 73 07  61 66 00  61 6c 19 10 00  61 6f 14  61 6e 04  61 62 43 13 00 80"),
    message: asked,
  },
  {
    name: "everything",
    source: REQUESTS,
    format: "json",
    bytes: utf8('{"c":"rdy","s":7,"f":0,"l":4096,"o":20,"n":4,"b":"0x130080"}'),
    message: asked,
  },
];
