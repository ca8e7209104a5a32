/** Rejections: both forms, and which of several faults answers. */
import type { Rule } from "../rule.ts";
import { type RuleWords, refused, refusedRaw, rejection, rule } from "../rule-forms.ts";
import { type Fields, hex, request, utf8 } from "../wire.ts";

const FORMS = "2, WIRE details: a rejection carries both forms";
const ORDER = "2, Order of checks";
const NO_STREAM = "conformance-no-such-stream";

const words = (id: string, text: string, source = ORDER): RuleWords => ({ id, text, source, origin: "OURS" });
const LONG_BITMAP = Buffer.alloc(12_289, 1);

/** Two faults in one request; the first one answers. */
function first(
  name: string,
  text: string,
  code:
    | "InvalidRequest"
    | "BlockSizeOutOfBounds"
    | "OffsetOutOfBounds"
    | "BlockCountLimitExceeded"
    | "BlockBitmapLimitExceeded"
    | "ResourceNotFound"
    | "VersionMismatch",
  fields: Fields & { readonly streamId?: string },
): Rule[] {
  return refused(
    { ...words(`order.${name}`, text), code, isEchoed: (fields.c ?? "rdy").length <= 64 },
    ({ small }) => ({
      c: "rdy",
      f: small.fileId,
      l: 256,
      ...fields,
    }),
  );
}

/** The rules of rejections. */
export const REJECTION_RULES: readonly Rule[] = [
  ...refused(
    {
      id: "rejections.both-forms-token",
      text: "A rejection has clientToken, c, code, o, message and m, in this order; in CBOR in an indefinite map.",
      source: FORMS,
      origin: "WIRE",
      code: "OffsetOutOfBounds",
    },
    ({ small }) => ({ c: "rdy", f: small.fileId, l: 256, o: 98_305 }),
  ),
  ...refused(
    {
      id: "rejections.both-forms",
      text: "Without a token a rejection has code, o, message and m, in this order.",
      source: FORMS,
      origin: "WIRE",
      code: "OffsetOutOfBounds",
    },
    ({ small }) => ({ f: small.fileId, l: 256, o: 98_305 }),
  ),
  refusedRaw(
    {
      id: "rejections.unread-token",
      text: "A request that cannot be parsed gets no token back, even where one can be guessed.",
      source: FORMS,
      origin: "WIRE",
      code: "InvalidJson",
    },
    "json",
    () => utf8('{"c":"rdy","f":0,"l":256,"n":1,'),
  ),
  ...refused(
    {
      id: "rejections.no-stream-get",
      text: "A get for a stream that does not exist is ResourceNotFound.",
      source: "2, Order of checks: the stream",
      origin: "DG",
      code: "ResourceNotFound",
    },
    ({ small }) => ({ c: "rdy", f: small.fileId, l: 256, n: 1, streamId: NO_STREAM }),
  ),
  ...(["cbor", "json"] as const).map((format) =>
    rule(
      {
        id: `rejections.no-stream-describe.${format}`,
        text: `A describe for a stream that does not exist is ResourceNotFound (${format}).`,
        source: "2, Order of checks: the stream",
        origin: "DG",
      },
      () => ({
        operation: `describe/${format}`,
        streamId: NO_STREAM,
        payload: request(format, { c: "rdy" }),
        expected: [rejection(format, "ResourceNotFound", "rdy")],
      }),
    ),
  ),
  rule(
    {
      id: "rejections.names-version-option",
      text: "When s is 1 and the stream is at 0, the message names the option firstStreamVersion.",
      source: "1, Versions",
      origin: "OURS",
    },
    ({ small, streamVersion }) => ({
      operation: "get/json",
      payload: utf8(`{"s":${streamVersion === 0 ? 1 : streamVersion + 1},"f":${small.fileId},"l":256,"o":0,"n":1}`),
      expected: [rejection("json", "VersionMismatch", undefined, streamVersion === 0 ? ["first-stream-version"] : [])],
    }),
  ),
  refusedRaw(
    {
      ...words(
        "order.decoding-before-shape",
        "What cannot be decoded is InvalidCbor before anything it says is looked at.",
      ),
      code: "InvalidCbor",
    },
    "cbor",
    () => hex("a3 61 63 00 61 6c 01 61"),
  ),
  rule(words("order.topic-before-decoding", "A malformed topic is InvalidTopic, whatever was sent to it."), () => ({
    operation: "get/xml",
    payload: hex("ff ff"),
    expected: [rejection("json", "InvalidTopic")],
  })),
  refusedRaw(
    {
      ...words("order.shape-before-l", "A wrong type of n comes before l out of bounds."),
      code: "InvalidRequest",
      clientToken: "rdy",
    },
    "json",
    ({ small }) => utf8(`{"c":"rdy","f":${small.fileId},"l":1,"n":"x"}`),
  ),
  refusedRaw(
    {
      ...words("order.missing-before-l", "A missing f comes before l out of bounds."),
      code: "InvalidRequest",
      clientToken: "rdy",
    },
    "cbor",
    () => request("cbor", { c: "rdy", l: 1 }),
  ),
  ...first("token-before-l", "A token too long comes before l out of bounds.", "InvalidRequest", {
    c: "t".repeat(65),
    l: 1,
  }),
  ...first("token-before-stream", "A token too long comes before a stream that does not exist.", "InvalidRequest", {
    c: "t".repeat(65),
    n: 1,
    streamId: NO_STREAM,
  }),
  ...first("l-before-o", "l out of bounds comes before o.", "BlockSizeOutOfBounds", { l: 1, o: 98_305 }),
  ...first("l-before-all", "l out of bounds comes before o, n, b, the stream, s and f.", "BlockSizeOutOfBounds", {
    l: 1,
    o: 98_305,
    n: 98_305,
    b: LONG_BITMAP,
    s: 65_536,
    f: 256,
    streamId: NO_STREAM,
  }),
  ...first("o-before-n", "o out of bounds comes before n.", "OffsetOutOfBounds", { o: 98_305, n: 98_305 }),
  ...first("n-before-b", "n out of bounds comes before b.", "BlockCountLimitExceeded", { n: 98_305, b: LONG_BITMAP }),
  ...first("b-before-stream", "b too long comes before a stream that does not exist.", "BlockBitmapLimitExceeded", {
    n: 1,
    b: LONG_BITMAP,
    streamId: NO_STREAM,
  }),
  ...first("stream-before-s", "A stream that does not exist comes before any s.", "ResourceNotFound", {
    s: 65_536,
    n: 1,
    streamId: NO_STREAM,
  }),
  ...first("s-before-f", "A wrong s comes before an f past its limit.", "VersionMismatch", { s: 65_536, f: 256, n: 1 }),
  ...refused(
    {
      ...words("order.s-before-absent-f", "A wrong s comes before a file that the stream does not have."),
      code: "VersionMismatch",
    },
    ({ absentFileId }) => ({
      c: "rdy",
      s: 65_536,
      f: absentFileId,
      l: 256,
      n: 1,
    }),
  ),
  ...first("s-before-blocks", "A wrong s comes before blocks past the end.", "VersionMismatch", {
    s: 65_536,
    o: 98_304,
    n: 1,
  }),
];
