/** The two request profiles: what lenient forgives and strict refuses. */
import type { RejectionCode } from "../../../shared/protocol/rejection.ts";
import type { Rule } from "../rule.ts";
import { blockCount, blocks, refusedRaw, rejection, rule } from "../rule-forms.ts";
import type { FactFile, StreamFacts } from "../stream-facts.ts";
import { type Format, hex, items, map, request, text, utf8 } from "../wire.ts";

const SOURCE = "2, Two request profiles";

interface Deviation {
  readonly name: string;
  readonly words: string;
  readonly format: Format;
  /** What strict answers; without a token unless `isEchoed`. */
  readonly code: RejectionCode;
  readonly isEchoed: boolean;
  readonly ask: (facts: StreamFacts) => { file: FactFile; l: number; blockIds: readonly number[]; payload: Uint8Array };
}

/** One request, which strict refuses and lenient serves. */
function deviation({ name, words, format, code, isEchoed, ask }: Deviation): Rule[] {
  const head = { source: SOURCE, origin: "OURS" as const };
  const operation = `get/${format}`;
  return [
    rule({ ...head, id: `profiles.${name}.strict`, text: `${words} is ${code}.`, profile: "strict" }, (facts) => ({
      operation,
      payload: ask(facts).payload,
      expected: [rejection(format, code, isEchoed ? "rdy" : undefined)],
    })),
    rule({ ...head, id: `profiles.${name}.lenient`, text: `${words} is served.`, profile: "lenient" }, (facts) => {
      const { file, l, blockIds, payload } = ask(facts);
      return { operation, payload, expected: blocks(format, file, l, blockIds, "rdy") };
    }),
  ];
}

/** `{c:"rdy", f:<small>, l:256, n:3}` in CBOR with a text for b. */
function textBitmap({ small }: StreamFacts, digits: string): Uint8Array {
  return map([...items({ c: "rdy", f: small.fileId, l: 256, n: 3 }), ["b", text(digits)]]);
}

/** b without n for a file, in either format. */
function uncounted(format: Format, count?: 0): Deviation["ask"] {
  return ({ small }) => ({
    file: small,
    l: 256,
    blockIds: [0, 2],
    payload: request(format, { c: "rdy", f: small.fileId, l: 256, b: hex("05"), ...(count === 0 && { n: 0 }) }),
  });
}

/** The rules of the profiles. */
export const PROFILE_RULES: readonly Rule[] = [
  ...deviation({
    name: "json-array",
    words: "A JSON array of byte values for b",
    format: "json",
    code: "InvalidRequest",
    isEchoed: true,
    ask: ({ small }) => ({
      file: small,
      l: 256,
      blockIds: [0, 1, 4],
      payload: utf8(`{"c":"rdy","f":${small.fileId},"l":256,"n":3,"b":[19,0,128]}`),
    }),
  }),
  ...["13", "0x13", "0X1300"].flatMap((digits) =>
    deviation({
      name: `cbor-text-${digits}`,
      words: `The CBOR text ${digits} for b`,
      format: "cbor",
      code: "InvalidCbor",
      isEchoed: true,
      ask: (facts) => ({ file: facts.small, l: 256, blockIds: [0, 1, 4], payload: textBitmap(facts, digits) }),
    }),
  ),
  ...(["00", "ff ff ff", "a0"] as const).flatMap((rest) =>
    deviation({
      name: `trailing-${rest.replaceAll(" ", "")}`,
      words: `The bytes ${rest} after the CBOR item`,
      format: "cbor",
      code: "InvalidCbor",
      isEchoed: false,
      ask: ({ small }) => ({
        file: small,
        l: 256,
        blockIds: [0],
        payload: Buffer.concat([request("cbor", { c: "rdy", f: small.fileId, l: 256, n: 1 }), hex(rest)]),
      }),
    }),
  ),
  ...(["cbor", "json"] as const).flatMap((format) => [
    ...deviation({
      name: `uncounted-${format}`,
      words: "b without n where floor(131072 / l) exceeds the file's blocks",
      format,
      code: "InvalidRequest",
      isEchoed: true,
      ask: uncounted(format),
    }),
    ...deviation({
      name: `zero-count-${format}`,
      words: "b with n = 0, which counts as absent, where floor(131072 / l) exceeds the file's blocks",
      format,
      code: "InvalidRequest",
      isEchoed: true,
      ask: uncounted(format, 0),
    }),
    rule(
      {
        id: `profiles.uncounted-enough-${format}`,
        text: `b without n is served where floor(131072 / l) does not exceed the file's blocks (${format}).`,
        source: SOURCE,
        origin: "WIRE",
      },
      ({ large }) => ({
        operation: `get/${format}`,
        payload: request(format, { c: "rdy", f: large.fileId, l: 4096, b: hex("05") }),
        expected: blocks(format, large, 4096, [0, 2], "rdy"),
      }),
    ),
    rule(
      {
        id: `profiles.uncounted-equal-${format}`,
        text: `b without n is served where floor(131072 / l) equals the file's blocks (${format}).`,
        source: SOURCE,
        origin: "WIRE",
      },
      ({ exact }) => ({
        operation: `get/${format}`,
        payload: request(format, { c: "rdy", f: exact.fileId, l: 4096, b: hex("00 00 00 80") }),
        expected: blocks(format, exact, 4096, [blockCount(exact, 4096) - 1], "rdy"),
      }),
    ),
  ]),
  ...(["256", "-1", "1.5", '"1"'] as const).map((value) =>
    refusedRaw(
      {
        id: `profiles.json-array-${value.replaceAll('"', "quote")}`,
        text: `A JSON array for b that holds ${value} is InvalidRequest under either profile.`,
        source: SOURCE,
        origin: "OURS",
        code: "InvalidRequest",
        clientToken: "rdy",
      },
      "json",
      ({ small }) => utf8(`{"c":"rdy","f":${small.fileId},"l":256,"n":1,"b":[${value}]}`),
    ),
  ),
  ...(["123", "MQ=="] as const).map((digits) =>
    refusedRaw(
      {
        id: `profiles.cbor-text-${digits}.lenient`,
        text: `The CBOR text ${digits} for b, which is not whole bytes of hex, is InvalidRequest.`,
        source: SOURCE,
        origin: "OURS",
        profile: "lenient",
        code: "InvalidRequest",
        clientToken: "rdy",
      },
      "cbor",
      (facts) => textBitmap(facts, digits),
    ),
  ),
  rule(
    {
      id: "profiles.describe-trailing.strict",
      text: "Bytes after the CBOR item of a describe are InvalidCbor.",
      source: SOURCE,
      origin: "OURS",
      profile: "strict",
    },
    () => ({ operation: "describe/cbor", payload: hex("a0 00"), expected: [rejection("cbor", "InvalidCbor")] }),
  ),
];
