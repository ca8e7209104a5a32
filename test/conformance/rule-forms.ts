/** The forms that most rules have: served with these blocks, or refused with this code, in one format or both. */
import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import type { Exchange, Expected, ExpectedRejection, Origin, RequestRule } from "./rule.ts";
import type { FactFile, StreamFacts } from "./stream-facts.ts";
import { dataMessage, type Fields, FORMATS, type Format, request } from "./wire.ts";

/** The token of most requests. */
export const TOKEN = "rdy";

/** What a rule says of itself; the rest has defaults. */
export interface RuleWords {
  readonly id: string;
  readonly text: string;
  readonly source: string;
  readonly origin: Origin;
  readonly profile?: RequestRule["profile"];
  readonly needsOwnBroker?: boolean;
}

/** Makes a rule of a request. */
export function rule(words: RuleWords, exchange: (facts: StreamFacts) => Exchange): RequestRule {
  return { kind: "request", profile: "both", needsOwnBroker: false, ...words, exchange };
}

/** Makes the same rule in both formats. */
export function inBothFormats(
  words: RuleWords,
  exchange: (facts: StreamFacts, format: Format) => Exchange,
): RequestRule[] {
  return FORMATS.map((format) =>
    rule({ ...words, id: `${words.id}.${format}`, text: `${words.text} (${format})` }, (facts) =>
      exchange(facts, format),
    ),
  );
}

/** What a GetStream request asks, and which blocks must answer it. */
export interface Served {
  readonly file: FactFile;
  /** Without `f`, which is the file's. */
  readonly fields: Omit<Fields, "f"> & { readonly l: number };
  readonly blockIds: readonly number[];
}

/** Rules in both formats: a request that is answered with these blocks. */
export function served(words: RuleWords, ask: (facts: StreamFacts) => Served): RequestRule[] {
  return inBothFormats(words, (facts, format) => servedExchange(format, ask(facts)));
}

/** A request in which the fields stand in the order c, f, and then as given, and its blocks. */
export function servedExchange(format: Format, { file, fields, blockIds }: Served): Exchange {
  const { c, ...rest } = fields;
  const payload = request(format, { ...(c !== undefined && { c }), f: file.fileId, ...rest });
  return { operation: `get/${format}`, payload, expected: blocks(format, file, fields.l, blockIds, c) };
}

/** A request written byte for byte, and its blocks. */
export function servedRaw(
  format: Format,
  payload: Uint8Array,
  { file, fields, blockIds }: Pick<Served, "file" | "blockIds"> & { readonly fields: { c?: string; l: number } },
): Exchange {
  return { operation: `get/${format}`, payload, expected: blocks(format, file, fields.l, blockIds, fields.c) };
}

/** Rules in both formats: a GetStream request that is refused; the token is echoed unless `isEchoed` is false. */
export function refused(
  words: RuleWords & { readonly code: RejectionCode; readonly isEchoed?: boolean; readonly says?: readonly string[] },
  ask: (facts: StreamFacts) => Fields & { readonly streamId?: string },
): RequestRule[] {
  const { code, isEchoed = true, says = [], ...rest } = words;
  return inBothFormats(rest, (facts, format) => {
    const { streamId, ...fields } = ask(facts);
    const expected = [rejection(format, code, isEchoed ? fields.c : undefined, says)];
    const exchange = { operation: `get/${format}`, payload: request(format, fields), expected };
    return streamId === undefined ? exchange : { ...exchange, streamId };
  });
}

/** A request written byte for byte that is refused. */
export function refusedRaw(
  words: RuleWords & { readonly code: RejectionCode; readonly clientToken?: string; readonly operation?: "describe" },
  format: Format,
  write: (facts: StreamFacts) => Uint8Array,
): RequestRule {
  const { code, clientToken, operation = "get", ...rest } = words;
  return rule(rest, (facts) => ({
    operation: `${operation}/${format}`,
    payload: write(facts),
    expected: [rejection(format, code, clientToken)],
  }));
}

/** The data messages of some blocks. */
export function blocks(
  format: Format,
  file: FactFile,
  blockSizeBytes: number,
  blockIds: readonly number[],
  clientToken?: string,
): Expected[] {
  const past = blockIds.find((i) => i * blockSizeBytes >= file.bytes.length);
  if (past !== undefined) throw new Error(`a rule expects block ${past}, which is past the end of file ${file.fileId}`);
  return blockIds.map((i) => ({
    kind: "bytes",
    operation: "data",
    format,
    payload: dataMessage(format, {
      c: clientToken,
      f: file.fileId,
      i,
      payload: file.bytes.subarray(i * blockSizeBytes, (i + 1) * blockSizeBytes),
    }),
  }));
}

/** A rejection. */
export function rejection(
  format: Format,
  code: RejectionCode,
  clientToken?: string,
  says: readonly string[] = [],
): ExpectedRejection {
  return { kind: "rejection", format, code, clientToken, says };
}

/** The numbers from `first` on, `count` of them. */
export function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/** How many blocks a file has. */
export function blockCount(file: FactFile, blockSizeBytes: number): number {
  return Math.ceil(file.bytes.length / blockSizeBytes);
}
