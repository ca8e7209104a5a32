/** Data messages byte for byte: heads, key order, payloads of every kind of length. */
import type { Rule } from "../rule.ts";
import {
  blockCount,
  inBothFormats,
  type RuleWords,
  range,
  rule,
  type Served,
  served,
  servedExchange,
} from "../rule-forms.ts";
import type { StreamFacts } from "../stream-facts.ts";

const WIRE = "2, WIRE details: data message";
const BLOCKS = "2, Which blocks answer a request";

const say = (name: string, text: string, source = WIRE, origin: RuleWords["origin"] = "WIRE"): RuleWords => ({
  id: `data-bytes.${name}`,
  text,
  source,
  origin,
});

/** One block of the large file, at l = 256 unless told otherwise. */
function block(blockId: number, l = 256) {
  return ({ large }: StreamFacts): Served => ({
    file: large,
    fields: { c: "rdy", l, o: blockId, n: 1 },
    blockIds: [blockId],
  });
}

/** The last block of a file. */
function last(file: "large" | "small" | "exact", l: number) {
  return (facts: StreamFacts): Served => {
    const blockId = blockCount(facts[file], l) - 1;
    return { file: facts[file], fields: { c: "rdy", l, o: blockId, n: 1 }, blockIds: [blockId] };
  };
}

/** The rules of data messages. */
export const DATA_RULES: readonly Rule[] = [
  rule(say("no-token", "A CBOR data message without a token is an indefinite map of f, i, l and p."), ({ small }) =>
    servedExchange("cbor", { file: small, fields: { l: 256, n: 1 }, blockIds: [0] }),
  ),
  rule(say("token-first", "The token, if one was sent, comes first.", WIRE, "OURS"), ({ small }) =>
    servedExchange("cbor", { file: small, fields: { c: "rdy", l: 256, n: 1 }, blockIds: [0] }),
  ),
  rule(say("json-order", "JSON uses the same order, and base64 for p."), ({ small }) =>
    servedExchange("json", { file: small, fields: { c: "rdy", l: 256, n: 1 }, blockIds: [0] }),
  ),
  rule(
    say(
      "4122-bytes",
      "A 4096-byte block with the token rdy and a block id of two bytes in its head is 4122 bytes, where file id and block id allow it.",
    ),
    ({ large }) => {
      const blockId = Math.min(256, blockCount(large, 4096) - 2);
      return servedExchange("cbor", {
        file: large,
        fields: { c: "rdy", l: 4096, o: blockId, n: 1 },
        blockIds: [blockId],
      });
    },
  ),
  ...[23, 24, 255, 256].flatMap((id) =>
    served(say(`block-id-${id}`, `Block id ${id} has the shortest head, or plain digits.`), block(id)),
  ),
  ...inBothFormats(say("file-ids", "Each file of the stream is served under its own id."), (facts, format) => {
    const file = facts.files.at(-1) ?? facts.small;
    return servedExchange(format, { file, fields: { l: 131_072, n: 1 }, blockIds: [0] });
  }),
  ...served(say("length-1", "A last block of one byte is sent as one (l = 4096).", BLOCKS, "DG"), last("large", 4096)),
  ...served(
    say("length-1-smallest", "A last block of one byte is sent as one (l = 256).", BLOCKS, "DG"),
    last("large", 256),
  ),
  ...served(
    say("length-2", "131072 bytes at l = 65535 end with a block of 2 bytes.", BLOCKS, "DG"),
    last("exact", 65_535),
  ),
  ...served(say("length-short", "The last block may be short, and its l says so.", BLOCKS, "DG"), last("small", 256)),
  ...served(
    say("length-whole", "A file that a block size divides ends with a whole block.", BLOCKS, "DG"),
    last("exact", 4096),
  ),
  ...served(say("undivided", "Block sizes need not divide the file (l = 1000).", BLOCKS, "DG"), last("large", 1000)),
  ...served(say("single", "A file shorter than l is one block.", BLOCKS, "DG"), last("small", 131_072)),
  ...served(say("length-65535", "A payload of 65535 bytes has a 2-byte length."), block(1, 65_535)),
  ...served(say("length-65536", "A payload of 65536 bytes has a 4-byte length."), block(1, 65_536)),
  ...served(
    say("length-131072", "A payload of 131072 bytes, 174764 characters in base64, arrives in one message."),
    block(0, 131_072),
  ),
  ...[257, 258].flatMap((l) =>
    served(
      say(`length-${l}`, `A payload of ${l} bytes (base64 with ${(3 - (l % 3)) % 3} characters of padding).`),
      block(1, l),
    ),
  ),
  ...served(
    say("every-block", "Every block of a file arrives once, in ascending order.", BLOCKS, "DG"),
    ({ small }) => ({
      file: small,
      fields: { c: "rdy", l: 256 },
      blockIds: range(0, blockCount(small, 256)),
    }),
  ),
];
