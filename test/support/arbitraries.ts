/** Arbitraries of fast-check for the protocol's values, and for bytes that look like its messages without being them. */
import fc from "fast-check";
import type {
  DataMessage,
  DescribeRequest,
  Description,
  GetRequest,
  RejectedMessage,
} from "../../shared/protocol/messages.ts";
import { REJECTION_CODES } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { type ArgumentWidth, BREAK, byteString, concat, head, integer, MAJOR, openHead, text } from "./cbor-writer.ts";

/** Either format. */
export const formats: fc.Arbitrary<Format> = fc.constantFrom("cbor", "json");

/** Any text that UTF-8 can carry and that does not begin with a byte order mark. */
const texts = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: "binary", maxLength }).filter((value) => value.isWellFormed() && !value.startsWith("\ufeff"));

/** Valid client tokens: up to 64 bytes of any text. */
export const clientTokens: fc.Arbitrary<string> = fc.oneof(
  texts(64).filter((token) => Buffer.byteLength(token) <= 64),
  fc.string({ maxLength: 64 }),
);

/** File ids. */
export const fileIds = fc.integer({ min: 0, max: 255 });
/** Block ids, weighted to where CBOR heads and decimal numbers grow. */
export const blockIds = fc.oneof(
  fc.integer({ min: 0, max: 196_607 }),
  fc.constantFrom(0, 9, 10, 23, 24, 99, 100, 255, 256, 65_535, 65_536),
);
const streamVersions = fc.integer({ min: 0, max: 65_535 });
const uint32s = fc.integer({ min: 0, max: 0xffff_ffff });
const digests = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));

/** Valid describe requests. */
export const describeRequests: fc.Arbitrary<DescribeRequest> = fc.record(
  { clientToken: clientTokens },
  { requiredKeys: [] },
);

/** Valid GetStream requests, limits of section 2 included. */
export const getRequests: fc.Arbitrary<GetRequest> = fc.record(
  {
    clientToken: clientTokens,
    streamVersion: streamVersions,
    fileId: fileIds,
    blockSizeBytes: fc.integer({ min: 256, max: 131_072 }),
    blockOffset: fc.integer({ min: 0, max: 98_304 }),
    blockCount: fc.integer({ min: 0, max: 98_304 }),
    blockBitmap: fc.oneof(
      { weight: 9, arbitrary: fc.uint8Array({ maxLength: 300 }) },
      { weight: 1, arbitrary: fc.uint8Array({ minLength: 12_287, maxLength: 12_288 }) },
    ),
  },
  { requiredKeys: ["fileId", "blockSizeBytes"] },
);

/** Valid descriptions. */
export const descriptions: fc.Arbitrary<Description> = fc.record(
  {
    clientToken: clientTokens,
    streamVersion: streamVersions,
    description: texts(300),
    files: fc.array(
      fc.record(
        { fileId: fileIds, sizeBytes: fc.integer({ min: 0, max: 25_165_824 }), crc32: uint32s, sha256: digests },
        { requiredKeys: ["fileId", "sizeBytes"] },
      ),
      { maxLength: 50 },
    ),
  },
  { requiredKeys: ["streamVersion", "files"] },
);

/** Valid data messages of up to about 1 KiB. */
export const dataMessages: fc.Arbitrary<DataMessage> = fc.record(
  {
    clientToken: clientTokens,
    fileId: fileIds,
    blockId: blockIds,
    payload: fc.uint8Array({ maxLength: 1030 }),
  },
  { requiredKeys: ["fileId", "blockId", "payload"] },
);

/** Valid rejections. */
export const rejections: fc.Arbitrary<RejectedMessage> = fc.record(
  { clientToken: clientTokens, code: fc.constantFrom(...REJECTION_CODES), message: texts(300) },
  { requiredKeys: ["code", "message"] },
);

/** Thing names. */
export const thingNames = nameOf("abzAZ019:_-", 128);
/** Stream ids. */
export const streamIds = nameOf("abzAZ019_-", 128);

function nameOf(alphabet: string, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength });
}

/** Bytes that are some message with a few bytes changed, left out, doubled or added. */
export function mutated(messages: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat(), remove: fc.nat({ max: 3 }), insert: fc.uint8Array({ maxLength: 9 }) });
  return fc.tuple(messages, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([message, edits]) => {
    let bytes = message;
    for (const { at, remove, insert } of edits) {
      const cut = at % (bytes.length + 1);
      bytes = concat(bytes.subarray(0, cut), insert, bytes.subarray(cut + remove));
    }
    return bytes;
  });
}

const keys = fc.constantFrom(
  "c",
  "s",
  "f",
  "l",
  "o",
  "n",
  "b",
  "i",
  "p",
  "r",
  "z",
  "d",
  "code",
  "sha256",
  "__proto__",
  "x",
);
const widths = fc.constantFrom<ArgumentWidth>(8, 4, 2, 1);
const edges = fc.constantFrom(
  0n,
  23n,
  24n,
  255n,
  256n,
  65_535n,
  65_536n,
  131_072n,
  2n ** 32n,
  2n ** 53n + 1n,
  2n ** 64n - 1n,
);
const hugeClaims = fc.constantFrom(
  2n ** 16n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 60n,
  2n ** 63n,
  2n ** 64n - 1n,
);

const leaves: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.integer({ min: -300, max: 140_000 }).map((value) => integer(value)),
  edges.map((value) => integer(value)),
  edges.map((value) => integer(-1n - value)),
  fc.tuple(fc.nat({ max: 255 }), widths).map(([value, width]) => integer(value, width)),
  fc.uint8Array({ maxLength: 40 }).map((value) => byteString(value)),
  fc.tuple(fc.uint8Array({ maxLength: 4 }), widths).map(([value, width]) => byteString(value, width)),
  clientTokens.map((value) => text(value)),
  keys.map((value) => text(value)),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => concat(head(MAJOR.text, bytes.length), bytes)),
  // Simple values and floats of every width, the badly formed ones included.
  fc
    .tuple(fc.nat({ max: 31 }), fc.uint8Array({ minLength: 0, maxLength: 8 }))
    .map(([low, rest]) => concat(Uint8Array.of(0xe0 | low), rest)),
  fc
    .tuple(fc.constantFrom(2, 3, 4, 5), hugeClaims, fc.uint8Array({ maxLength: 8 }))
    .map(([major, claim, rest]) => concat(head(major, claim), rest)),
  fc.uint8Array({ maxLength: 6 }),
);

const { item } = fc.letrec<{ item: Uint8Array; many: Uint8Array[]; pairs: Uint8Array[] }>((tie) => ({
  many: fc.array(tie("item"), { maxLength: 4 }),
  pairs: fc
    .array(
      fc.tuple(
        fc.oneof({ weight: 8, arbitrary: keys.map((key) => text(key)) }, { weight: 1, arbitrary: tie("item") }),
        tie("item"),
      ),
      { maxLength: 8 },
    )
    .map((pairs) => pairs.flat()),
  item: fc.oneof(
    { maxDepth: 6, depthSize: "medium" },
    { weight: 6, arbitrary: leaves },
    { weight: 2, arbitrary: tie("pairs").map((parts) => concat(head(MAJOR.map, parts.length / 2), ...parts)) },
    { weight: 2, arbitrary: tie("pairs").map((parts) => concat(openHead(MAJOR.map), ...parts, BREAK)) },
    { weight: 1, arbitrary: tie("many").map((parts) => concat(head(MAJOR.array, parts.length), ...parts)) },
    { weight: 1, arbitrary: tie("many").map((parts) => concat(openHead(MAJOR.array), ...parts, BREAK)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(MAJOR.bytes, MAJOR.text), tie("many"))
        .map(([major, parts]) => concat(openHead(major), ...parts, BREAK)),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 24, 27, 28, 29, 35, 64, 105, 258, 55_799, 57_342, 57_343), tie("item"))
        .map(([tag, inner]) => concat(head(MAJOR.tag, tag), inner)),
    },
  ),
}));

/** Bytes that are CBOR, nearly CBOR, or CBOR that claims to be longer: nested, tagged, chunked, with long heads. */
export const cborNoise: fc.Arbitrary<Uint8Array> = fc.oneof(
  item as fc.Arbitrary<Uint8Array>,
  mutated(item as fc.Arbitrary<Uint8Array>),
  // A map of known keys with wild values: the shape that comes furthest.
  fc
    .array(fc.tuple(keys, item as fc.Arbitrary<Uint8Array>), { maxLength: 7 })
    .map((pairs) =>
      concat(
        openHead(MAJOR.map),
        text("f"),
        integer(0),
        text("l"),
        integer(4096),
        ...pairs.flatMap(([key, value]) => [text(key), value]),
        BREAK,
      ),
    ),
);

/** Texts that are JSON, nearly JSON, or an object of the protocol's keys with wild values. */
export const jsonNoise: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.json().map((json) => Buffer.from(json)),
  fc
    .dictionary(
      keys,
      fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.integer(), fc.double(), fc.bigInt().map(String), fc.string()),
      { maxKeys: 9 },
    )
    .map((object) => Buffer.from(JSON.stringify({ f: 0, l: 4096, ...object }))),
  mutated(fc.json().map((json) => Buffer.from(json))),
);
