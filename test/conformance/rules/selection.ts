/** Selection: which blocks answer a request. */
import type { Rule } from "../rule.ts";
import {
  blockCount,
  type RuleWords,
  range,
  refused,
  rejection,
  rule,
  type Served,
  served,
  servedExchange,
} from "../rule-forms.ts";
import type { StreamFacts } from "../stream-facts.ts";
import { hex, request, utf8 } from "../wire.ts";

const WHICH = "2, Which blocks answer a request";
const EXAMPLES = "2, Which blocks answer a request: examples";
const BITMAP = "2, Bitmap";
const STOCK = "2, Stock clients";

const say = (name: string, text: string, source = WHICH, origin: RuleWords["origin"] = "DG"): RuleWords => ({
  id: `selection.${name}`,
  text,
  source,
  origin,
});

/** Blocks of one request of the file `exact`, a row of the examples. */
function example(name: string, text: string, fields: Omit<Served["fields"], "c">, blockIds: readonly number[]): Rule[] {
  return served(say(`example-${name}`, text, EXAMPLES), ({ exact }) => ({
    file: exact,
    fields: { c: "rdy", ...fields },
    blockIds,
  }));
}

function noBlock(
  name: string,
  text: string,
  ask: (facts: StreamFacts) => Omit<Parameters<typeof request>[1], "c">,
): Rule[] {
  return refused({ ...say(name, text), code: "ResourceNotFound" }, (facts) => ({ c: "rdy", ...ask(facts) }));
}

/** The rules of selection. */
export const SELECTION_RULES: readonly Rule[] = [
  ...served(
    say("worked-example", "o = 20 and b = 13 00 80 ask for the blocks 20, 21, 24 and 43.", BITMAP),
    ({ large }) => ({
      file: large,
      fields: { c: "rdy", l: 256, o: 20, b: hex("13 00 80") },
      blockIds: [20, 21, 24, 43],
    }),
  ),
  ...served(
    say("least-significant-first", "The least significant bit comes first: 01 is block o, 80 is block o + 7.", BITMAP),
    ({ large }) => ({
      file: large,
      fields: { c: "rdy", l: 256, o: 8, b: hex("01 80") },
      blockIds: [8, 23],
    }),
  ),
  ...served(say("offset-default", "Without o the blocks count from 0."), ({ large }) => ({
    file: large,
    fields: { l: 256, n: 2, b: hex("06") },
    blockIds: [1, 2],
  })),
  ...served(say("count-alone", "n alone asks for the blocks o to o + n - 1."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 256, o: 5, n: 3 },
    blockIds: [5, 6, 7],
  })),
  ...served(say("count-past-end", "n may reach past the end of the file."), ({ small }) => ({
    file: small,
    fields: { c: "rdy", l: 256, o: blockCount(small, 256) - 2, n: 100 },
    blockIds: range(blockCount(small, 256) - 2, 2),
  })),
  ...served(say("count-caps-bitmap", "b selects and n caps: the first n of the bits that are set."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 256, o: 3, n: 3, b: hex("aa aa") },
    blockIds: [4, 6, 8],
  })),
  ...served(say("count-above-bitmap", "n above the number of set bits adds no blocks."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 256, n: 50, b: hex("81") },
    blockIds: [0, 7],
  })),
  ...served(say("neither", "With neither b nor n, floor(131072 / l) blocks come."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 4096 },
    blockIds: range(0, 32),
  })),
  ...served(say("neither-smallest", "At l = 256 that is 512 blocks."), ({ large }) => ({
    file: large,
    fields: { l: 256 },
    blockIds: range(0, 512),
  })),
  ...served(say("neither-from-offset", "The same from o on."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 65_536, o: 1 },
    blockIds: range(1, Math.min(2, blockCount(large, 65_536) - 1)),
  })),
  ...served(say("zero-count", "n = 0 counts as absent.", WHICH, "OURS"), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 32_768, n: 0 },
    blockIds: [0, 1, 2, 3],
  })),
  ...served(say("zero-count-with-bitmap", "n = 0 beside b caps nothing.", WHICH, "OURS"), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 256, n: 0, b: hex("15") },
    blockIds: [0, 2, 4],
  })),
  ...served(
    say("cap", "More than 131072 bytes are no error: what fits is sent, here 32 of 33 blocks."),
    ({ large }) => ({
      file: large,
      fields: { c: "rdy", l: 4096, n: 33 },
      blockIds: range(0, 32),
    }),
  ),
  ...served(say("cap-undivided", "The cap is in bytes: at l = 1000, 131 blocks fit."), ({ large }) => ({
    file: large,
    fields: { l: 1000, n: 500 },
    blockIds: range(0, 131),
  })),
  ...served(
    say("cap-bitmap", "The cap holds for a bitmap, too: the first 131072 bytes of every other block."),
    ({ large }) => ({
      file: large,
      fields: { c: "rdy", l: 8192, b: hex("55 55 55 55 55 55 55 55") },
      blockIds: range(0, Math.min(16, Math.ceil(blockCount(large, 8192) / 2))).map((index) => index * 2),
    }),
  ),
  ...served(
    say("cap-one-past", "131073 bytes are one too many: of 32 blocks of 4096 bytes and a last one of 1 byte, 32 come."),
    ({ large }) => {
      const first = blockCount(large, 4096) - 33;
      return {
        file: large,
        fields: { c: "rdy", l: 4096, o: first, n: 33, b: hex("ff ff ff ff 01") },
        blockIds: range(first, 32),
      };
    },
  ),
  ...served(say("ask-again", "What did not fit is there for the asking: block 32 on."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 4096, o: 32, n: 1 },
    blockIds: [32],
  })),
  ...example("whole", "131072 bytes at l = 4096, neither b nor n: 32 blocks.", { l: 4096 }, range(0, 32)),
  ...example("undivided", "131072 bytes at l = 65535, neither b nor n: 2 blocks.", { l: 65_535 }, [0, 1]),
  ...example(
    "short-last-fits",
    "At l = 65535 and b = 07, 3 blocks make up 131072 bytes.",
    { l: 65_535, b: hex("07"), n: 3 },
    [0, 1, 2],
  ),
  ...example("capped", "b = ff ff and n = 3: the blocks 0, 1 and 2.", { l: 4096, b: hex("ff ff"), n: 3 }, [0, 1, 2]),
  ...example(
    "past-end",
    "o = 30 and b = ff: the blocks 30 and 31, the other bits are past the end.",
    { l: 4096, o: 30, b: hex("ff") },
    [30, 31],
  ),
  ...noBlock("example-none", "o = 30 and b = fc, every bit past the end: ResourceNotFound.", ({ exact }) => ({
    f: exact.fileId,
    l: 4096,
    o: 30,
    b: hex("fc"),
  })),
  ...noBlock("example-offset", "o = 32, past the end: ResourceNotFound.", ({ exact }) => ({
    f: exact.fileId,
    l: 4096,
    o: 32,
  })),
  ...served(say("offset-last", "o may name the last block."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 4096, o: blockCount(large, 4096) - 1, n: 1 },
    blockIds: [blockCount(large, 4096) - 1],
  })),
  ...noBlock("offset-past-end", "o one past the last block is ResourceNotFound.", ({ large }) => ({
    f: large.fileId,
    l: 4096,
    o: blockCount(large, 4096),
    n: 1,
  })),
  ...noBlock("bitmap-empty", "An empty b asks for no block: ResourceNotFound.", ({ large }) => ({
    f: large.fileId,
    l: 4096,
    b: hex(""),
  })),
  ...noBlock("bitmap-zero", "An all-zero b asks for no block: ResourceNotFound.", ({ large }) => ({
    f: large.fileId,
    l: 4096,
    b: Buffer.alloc(4),
  })),
  ...noBlock("bitmap-zero-with-count", "Nor does n make up for an all-zero b.", ({ small }) => ({
    f: small.fileId,
    l: 256,
    n: 5,
    b: Buffer.alloc(4),
  })),
  ...noBlock(
    "bitmap-last-bit",
    "The last of 98304 bits alone is past the end of the file: ResourceNotFound.",
    ({ large }) => ({
      f: large.fileId,
      l: 131_072,
      n: 1,
      b: Buffer.concat([Buffer.alloc(12_287), hex("80")]),
    }),
  ),
  ...served(
    say("bitmap-end", "Bits past the end are ignored while one asked block exists: the last one."),
    ({ large }) => {
      const last = blockCount(large, 4096) - 1;
      return { file: large, fields: { c: "rdy", l: 4096, o: last, n: 8, b: hex("ff ff ff ff") }, blockIds: [last] };
    },
  ),
  ...served(
    say("bitmap-98304-bits", "A bitmap of 98304 bits may have its one useful bit anywhere in the file."),
    ({ large }) => {
      const last = blockCount(large, 256) - 1;
      const b = Buffer.alloc(12_288);
      b[last >>> 3] = 1 << (last & 7);
      b[12_287] = 0x80;
      return { file: large, fields: { c: "rdy", l: 256, b }, blockIds: [last] };
    },
  ),
  ...served(say("again", "The same request is answered again."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 256, o: 5, n: 3 },
    blockIds: [5, 6, 7],
  })),
  rule(
    say(
      "stock-all-missing",
      "A stock client sends c, f, l, o = 0, b = all that is missing, and n, which caps b.",
      STOCK,
      "WIRE",
    ),
    ({ large }) => {
      const b = Buffer.alloc(Math.ceil(blockCount(large, 4096) / 8), 0xff);
      return servedExchange("cbor", { file: large, fields: { c: "rdy", l: 4096, o: 0, b, n: 1 }, blockIds: [0] });
    },
  ),
  rule(
    say(
      "stock-dummy-bitmap",
      "A stock client sends the four ASCII bytes MQ== for b and n = 1, and gets block o.",
      STOCK,
      "WIRE",
    ),
    ({ small }) =>
      servedExchange("cbor", {
        file: small,
        fields: { c: "rdy", l: 256, o: 7, b: utf8("MQ=="), n: 1 },
        blockIds: [7],
      }),
  ),
  rule(
    say(
      "stock-json",
      "A stock client sends s = 1 in JSON and no token: data where the version is 1, else VersionMismatch.",
      STOCK,
      "WIRE",
    ),
    ({ small, streamVersion }) => {
      const fields = { s: 1, f: small.fileId, l: 256, o: 0, n: 1 };
      const payload = request("json", fields);
      const served = servedExchange("json", { file: small, fields: { l: 256 }, blockIds: [0] });
      const expected = streamVersion === 1 ? served.expected : [rejection("json", "VersionMismatch")];
      return { operation: "get/json", payload, expected };
    },
  ),
  rule(say("stock-sliding", "A stock client slides a bitmap of four bytes along with o.", STOCK, "WIRE"), ({ large }) =>
    servedExchange("cbor", {
      file: large,
      fields: { c: "rdy", l: 256, o: 64, b: hex("01 00 00 80") },
      blockIds: [64, 95],
    }),
  ),
];
