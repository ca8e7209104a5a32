/** Limits: each field at its limit and one past it. */
import type { RejectionCode } from "../../../shared/protocol/rejection.ts";
import type { Rule } from "../rule.ts";
import { inBothFormats, refused, rejection, served, servedExchange } from "../rule-forms.ts";
import type { StreamFacts } from "../stream-facts.ts";
import { type Fields, request } from "../wire.ts";

const MESSAGES = "1, Rules: messages name the field, the limit and the value";

/** One past a limit, in both formats, with what the words of the rejection must name. */
function past(
  field: string,
  value: number | string,
  code: RejectionCode,
  numbers: readonly string[],
  fields: (facts: StreamFacts) => Fields,
): Rule[] {
  const ask = (facts: StreamFacts): Fields => ({ c: "rdy", f: facts.small.fileId, l: 256, ...fields(facts) });
  const id = `limits.${field}-${String(value).replace(" ", "-")}`;
  return [
    ...refused(
      { id, text: `${field} of ${value} is ${code}.`, source: `2, Limits: ${field}`, origin: "DG", code },
      ask,
    ),
    ...refused(
      {
        id: `${id}.words`,
        text: `The message about ${field} of ${value} names ${numbers.join(" and ")}, in plain digits.`,
        source: MESSAGES,
        origin: "OURS",
        code,
        says: numbers,
      },
      ask,
    ),
  ];
}

const limit = (field: string, name: string, text: string) => ({
  id: `limits.${field}-${name}`,
  text,
  source: `2, Limits: ${field}`,
  origin: "DG" as const,
});

/** The rules of limits. */
export const LIMIT_RULES: readonly Rule[] = [
  ...served(limit("l", "256", "l of 256, the least, is served."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 256, o: 2, n: 1 },
    blockIds: [2],
  })),
  ...past("l", 255, "BlockSizeOutOfBounds", ["255", "256"], () => ({ l: 255 })),
  ...past("l", 0, "BlockSizeOutOfBounds", ["256"], () => ({ l: 0 })),
  ...past("l", -256, "BlockSizeOutOfBounds", ["-256", "256"], () => ({ l: -256 })),
  ...served(limit("l", "131072", "l of 131072, the most, is served in one message."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 131_072, n: 1 },
    blockIds: [0],
  })),
  ...past("l", 131_073, "BlockSizeOutOfBounds", ["131073", "131072"], () => ({ l: 131_073 })),
  ...refused(
    {
      ...limit("o", "98304", "o of 98304, the most, is within its limit, and past the end of every file."),
      code: "ResourceNotFound",
    },
    ({ large }) => ({ c: "rdy", f: large.fileId, l: 256, o: 98_304, n: 1 }),
  ),
  ...past("o", 98_305, "OffsetOutOfBounds", ["98305", "98304"], () => ({ o: 98_305 })),
  ...past("o", -1, "OffsetOutOfBounds", ["-1", "0"], () => ({ o: -1 })),
  ...served(limit("n", "98304", "n of 98304, the most, is served as far as one answer goes."), ({ large }) => ({
    file: large,
    fields: { c: "rdy", l: 65_536, n: 98_304 },
    blockIds: [0, 1],
  })),
  ...past("n", 98_305, "BlockCountLimitExceeded", ["98305", "98304"], () => ({ n: 98_305 })),
  ...past("n", -1, "BlockCountLimitExceeded", ["-1", "0"], () => ({ n: -1 })),
  ...served(
    limit("b", "12288-bytes", "b of 12288 bytes, 98304 bits all set, is served as far as one answer goes."),
    ({ large }) => ({
      file: large,
      fields: { c: "rdy", l: 32_768, b: Buffer.alloc(12_288, 0xff) },
      blockIds: [0, 1, 2, 3],
    }),
  ),
  ...past("b", "12289 bytes", "BlockBitmapLimitExceeded", ["12289", "12288"], () => ({
    n: 1,
    b: Buffer.alloc(12_289, 0xff),
  })),
  ...inBothFormats(
    limit("f", "255", "f of 255, the most, is served where the stream has it, and ResourceNotFound elsewhere."),
    ({ files }, format) => {
      const file = files.find(({ fileId }) => fileId === 255);
      if (file !== undefined)
        return servedExchange(format, { file, fields: { c: "rdy", l: 256, n: 1 }, blockIds: [0] });
      const payload = request(format, { c: "rdy", f: 255, l: 256, n: 1 });
      return { operation: `get/${format}`, payload, expected: [rejection(format, "ResourceNotFound", "rdy")] };
    },
  ),
  ...past("f", 256, "InvalidRequest", ["256", "255"], () => ({ f: 256, n: 1 })),
  ...past("f", -1, "InvalidRequest", ["-1", "255"], () => ({ f: -1, n: 1 })),
  ...refused(
    {
      ...limit("f", "absent", "f of a file that the stream does not have is ResourceNotFound."),
      code: "ResourceNotFound",
    },
    ({ absentFileId }) => ({ c: "rdy", f: absentFileId, l: 256, n: 1 }),
  ),
  ...served(limit("s", "latest", "s of the latest stream version is served."), ({ small, streamVersion }) => ({
    file: small,
    fields: { c: "rdy", s: streamVersion, l: 256, n: 1 },
    blockIds: [0],
  })),
  ...refused(
    { ...limit("s", "one-more", "s one past the latest stream version is VersionMismatch."), code: "VersionMismatch" },
    ({ small, streamVersion }) => ({ c: "rdy", s: streamVersion + 1, f: small.fileId, l: 256, n: 1 }),
  ),
  ...refused(
    {
      ...limit("s", "one-less", "s one before the latest stream version is VersionMismatch."),
      code: "VersionMismatch",
    },
    ({ small, streamVersion }) => ({ c: "rdy", s: streamVersion - 1, f: small.fileId, l: 256, n: 1 }),
  ),
  ...refused(
    { ...limit("s", "65536", "s past every stream version is VersionMismatch."), code: "VersionMismatch" },
    ({ small }) => ({ c: "rdy", s: 65_536, f: small.fileId, l: 256, n: 1 }),
  ),
];
