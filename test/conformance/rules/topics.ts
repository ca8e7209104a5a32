/** Topics: which are answered, where, and what becomes of malformed ones. */
import { expectedDescription } from "../description-bytes.ts";
import type { Rule } from "../rule.ts";
import { blocks, inBothFormats, type RuleWords, rejection, rule, served } from "../rule-forms.ts";
import { request, utf8 } from "../wire.ts";

const SOURCE = "2, Topics";
const INVALID = "2, Order of checks: InvalidTopic";

/** A request on a malformed topic, which is answered on `rejected/json` whatever its format says. */
function malformed(
  words: Omit<RuleWords, "source" | "origin" | "text"> & { readonly what: string },
  operation: string,
): Rule {
  const { what, ...rest } = words;
  const text = `A topic with ${what} is InvalidTopic on rejected/json, without a token.`;
  return rule({ ...rest, text, source: INVALID, origin: "OURS" }, () => ({
    operation,
    payload: utf8('{"c":"rdy","f":0,"l":256,"n":1}'),
    expected: [rejection("json", "InvalidTopic")],
  }));
}

/** A request of which the stream cannot be read: the answer is silence. */
function unreadable(id: string, what: string, streamId: string): Rule {
  const text = `A topic with ${what} gives no place to answer, and is logged only.`;
  return rule({ id, text, source: INVALID, origin: "OURS" }, () => ({
    operation: "get/json",
    streamId,
    payload: utf8('{"c":"rdy","f":0,"l":256,"n":1}'),
    expected: [],
  }));
}

const LONGEST = "s".repeat(128);

/** The rules of topics. */
export const TOPIC_RULES: readonly Rule[] = [
  ...inBothFormats(
    {
      id: "topics.describe",
      text: "A describe is answered on description in its own format.",
      source: SOURCE,
      origin: "DG",
    },
    (facts, format) => ({
      operation: `describe/${format}`,
      payload: request(format, { c: "rdy" }),
      expected: [expectedDescription(facts, format, "rdy")],
    }),
  ),
  ...served(
    { id: "topics.get", text: "A get is answered on data in its own format.", source: SOURCE, origin: "DG" },
    ({ small }) => ({ file: small, fields: { c: "rdy", l: 256, n: 1 }, blockIds: [0] }),
  ),
  ...inBothFormats(
    {
      id: "topics.rejected",
      text: "A refused get is answered on rejected in its own format.",
      source: SOURCE,
      origin: "DG",
    },
    (_, format) => ({
      operation: `get/${format}`,
      payload: request(format, { c: "rdy" }),
      expected: [rejection(format, "InvalidRequest", "rdy")],
    }),
  ),
  ...inBothFormats(
    {
      id: "topics.longest-stream-id",
      text: "A stream id of 128 characters is valid: ResourceNotFound where there is no such stream.",
      source: "1, Ranges",
      origin: "API",
    },
    ({ small }, format) => ({
      operation: `get/${format}`,
      streamId: LONGEST,
      payload: request(format, { c: "rdy", f: small.fileId, l: 256, n: 1 }),
      expected: [rejection(format, "ResourceNotFound", "rdy")],
    }),
  ),
  unreadable("topics.stream-id-too-long", "a stream id of 129 characters", `${LONGEST}s`),
  unreadable("topics.stream-id-dot", "a stream id with a dot", "a.b"),
  malformed({ id: "topics.format-xml", what: "the format xml" }, "get/xml"),
  malformed({ id: "topics.format-capitals", what: "the format CBOR in capitals" }, "get/CBOR"),
  malformed({ id: "topics.format-empty", what: "an empty format" }, "get/"),
  malformed({ id: "topics.describe-format", what: "the format text for a describe" }, "describe/text"),
  malformed({ id: "topics.operation-unknown", what: "the operation put", needsOwnBroker: true }, "put/json"),
  malformed(
    { id: "topics.operation-capitals", what: "the operation GET in capitals", needsOwnBroker: true },
    "GET/cbor",
  ),
  malformed({ id: "topics.format-missing", what: "no format", needsOwnBroker: true }, "get"),
  malformed({ id: "topics.level-too-many", what: "a level after the format", needsOwnBroker: true }, "get/json/1"),
  rule(
    {
      id: "topics.qos",
      text: "Answers go at QoS 0 and are not retained, also where the subscription is at QoS 1.",
      source: "2, QoS",
      origin: "OURS",
    },
    ({ small }) => ({
      operation: "get/cbor",
      payload: request("cbor", { f: small.fileId, l: 256, n: 2 }),
      expected: blocks("cbor", small, 256, [0, 1]),
    }),
  ),
];
