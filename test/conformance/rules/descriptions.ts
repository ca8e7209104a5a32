/** Descriptions: what a stream is said to hold. */
import { expectedDescription } from "../description-bytes.ts";
import type { Rule } from "../rule.ts";
import { type RuleWords, rejection, rule } from "../rule-forms.ts";
import { type Format, hex, utf8 } from "../wire.ts";

const SOURCE = "2, Messages: description";

/** A describe written byte for byte, and the description it gets. */
function described(words: RuleWords, format: Format, payload: Uint8Array, clientToken?: string): Rule {
  return rule(words, (facts) => ({
    operation: `describe/${format}`,
    payload,
    expected: [expectedDescription(facts, format, clientToken)],
  }));
}

const say = (name: string, text: string, source = SOURCE, origin: RuleWords["origin"] = "DG"): RuleWords => ({
  id: `descriptions.${name}`,
  text,
  source,
  origin,
});

const ADDED = "3, What is added";
const INCOMING = "2, WIRE details: requests";

/** The rules of descriptions. */
export const DESCRIPTION_RULES: readonly Rule[] = [
  described(
    say(
      "cbor",
      "A description in CBOR has s, d if there is one, and r with f and z, in definite maps with the shortest heads.",
    ),
    "cbor",
    hex("a0"),
  ),
  described(say("json", "A description in JSON has the same keys in the same order."), "json", utf8("{}")),
  described(say("cbor-token", "The token comes first."), "cbor", hex("a1 61 63 63 72 64 79"), "rdy"),
  described(say("json-token", "The token comes first."), "json", utf8('{"c":"rdy"}'), "rdy"),
  described(
    say("cbor-indefinite", "A describe may be a map of indefinite length.", INCOMING, "WIRE"),
    "cbor",
    hex("bf 61 63 63 72 64 79 ff"),
    "rdy",
  ),
  described(
    say("cbor-unknown-keys", "Unknown keys of a describe are ignored.", INCOMING, "WIRE"),
    "cbor",
    hex("a2 61 78 82 01 02 61 63 63 72 64 79"),
    "rdy",
  ),
  described(
    say("json-unknown-keys", "Unknown keys of a describe are ignored.", INCOMING, "WIRE"),
    "json",
    utf8('{"f":"none","l":1,"c":"rdy"}'),
    "rdy",
  ),
  described(
    {
      ...say(
        "digests-cbor",
        "Entries of r carry crc32, an unsigned integer, and sha256, a byte string.",
        ADDED,
        "OURS",
      ),
      profile: "lenient",
    },
    "cbor",
    hex("a0"),
  ),
  described(
    {
      ...say("digests-json", "Entries of r carry crc32, a number, and sha256, hex.", ADDED, "OURS"),
      profile: "lenient",
    },
    "json",
    utf8("{}"),
  ),
  described(
    {
      ...say("no-digests-cbor", "Entries of r carry f and z, and nothing else.", "2, Two request profiles", "OURS"),
      profile: "strict",
    },
    "cbor",
    hex("a0"),
  ),
  described(
    {
      ...say("no-digests-json", "Entries of r carry f and z, and nothing else.", "2, Two request profiles", "OURS"),
      profile: "strict",
    },
    "json",
    utf8("{}"),
  ),
  rule(
    say(
      "token-not-text",
      "A describe with a token that is not text is InvalidRequest.",
      "2, Order of checks: shape",
      "OURS",
    ),
    () => ({
      operation: "describe/cbor",
      payload: hex("a1 61 63 07"),
      expected: [rejection("cbor", "InvalidRequest")],
    }),
  ),
];
