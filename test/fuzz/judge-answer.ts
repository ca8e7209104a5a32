/** The oracle: any bytes on a valid topic get blocks, a description, checksums or a rejection, and get them right. */
import { blockLength } from "../../shared/protocol/blocks.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import {
  decodeChecksums,
  decodeData,
  decodeDescription,
  decodeRejected,
} from "../../shared/protocol/decode-response.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";
import type { Expected } from "./expected-answer.ts";
import type { Sent } from "./fuzz-publisher.ts";
import { FUZZ_STREAMS } from "./fuzz-streams.ts";

/** A request as it was sent. */
export interface FuzzRequest {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** How it was made. */
  readonly origin: string;
  /** The right answer, where it is known. */
  readonly expected?: Expected;
}

/** What a request came to. */
export interface Verdict {
  /** A word for the histogram: an operation, a rejection's code, or "silence". */
  readonly outcome: string;
  /** One sentence when the answer is wrong. */
  readonly violation?: string;
}

/** The operations that a request may ask for, and how it is answered. */
const ANSWER_OF: Readonly<Record<string, string>> = { get: "data", describe: "description", manifest: "checksums" };

/** Judges all that the thing of one request was sent. */
export function judgeAnswer(request: FuzzRequest, sents: readonly Sent[]): Verdict {
  const [first] = sents;
  if (first === undefined) {
    const isSilenceRight = !isAnswerable(request.topic);
    return isSilenceRight ? { outcome: "silence" } : { outcome: "silence", violation: "no answer came" };
  }
  if (!isAnswerable(request.topic)) return { outcome: "answer", violation: "an answer came to nobody" };
  return first.kind === "blocks" ? judgeBlocks(request, sents) : judgeMessage(request, first, sents.length);
}

/** Whether thing and stream can be read from a topic. */
function isAnswerable(topic: string): boolean {
  return /^\$aws\/things\/[a-zA-Z0-9:_-]{1,128}\/streams\/[a-zA-Z0-9_-]{1,128}(\/|$)/.test(topic);
}

function judgeBlocks(request: FuzzRequest, sents: readonly Sent[]): Verdict {
  const wrong = (violation: string): Verdict => ({ outcome: "data", violation });
  const [{ run }] = sents as [Extract<Sent, { kind: "blocks" }>];
  if (sents.some((sent) => sent.kind !== "blocks" || sent.run !== run)) return wrong("more than one answer came");
  const ids = sents.flatMap((sent) => (sent.kind === "blocks" ? sent.blockIds : []));
  if (run.topic !== request.topic.replace(/\/get\/(cbor|json)$/, "/data/$1")) return wrong(`blocks on ${run.topic}`);
  const topic = parseTopic(run.topic);
  const stream = topic?.kind === "stream" ? FUZZ_STREAMS.get(topic.streamId) : undefined;
  const file = stream?.files.get(run.fileId);
  if (file === undefined || run.fileBytes !== file.bytes) return wrong(`blocks of other bytes than file ${run.fileId}`);
  if (!isWithinBounds(ids, run.blockSizeBytes, file.bytes.length)) return wrong("blocks out of order or out of bounds");
  const first = ids[0] as number;
  const block = file.bytes.subarray(first * run.blockSizeBytes, (first + 1) * run.blockSizeBytes);
  const data = decodeData(run.format, new DataFrame(run).encode(first, block));
  if (data === undefined || Buffer.compare(data.payload, block) !== 0) return wrong("a block that cannot be read");
  const { expected } = request;
  if (expected === undefined) return { outcome: "data" };
  if (expected.kind === "rejected") return wrong(`blocks came instead of ${expected.code}`);
  const isRight = expected.file === file && expected.token === run.clientToken && isSame(ids, expected.blockIds);
  return isRight
    ? { outcome: "data" }
    : wrong(`blocks ${shown(ids)} of file ${run.fileId}, not ${shown(expected.blockIds)}`);
}

function judgeMessage(request: FuzzRequest, sent: Extract<Sent, { kind: "message" }>, count: number): Verdict {
  const wrong = (violation: string): Verdict => ({ outcome: "message", violation });
  if (count !== 1) return wrong(`${count} answers came`);
  const asked = parseTopic(request.topic);
  const answered = parseTopic(sent.topic);
  if (answered?.kind !== "stream") return wrong(`an answer on ${sent.topic}`);
  const { operation, format } = answered;
  const operationAsked = asked?.kind === "stream" ? asked.operation : undefined;
  if (asked?.kind === "stream" && isRequest(asked.operation) && format !== asked.format) return wrong("another format");
  if (operation === "rejected") return judgeRejection(request, format, sent.payload);
  if (operation !== ANSWER_OF[operationAsked ?? ""]) return wrong(`${operation} for ${operationAsked}`);
  const decoded = operation === "description" ? decodeDescription : decodeChecksums;
  if (decoded(format, sent.payload) === undefined) return wrong(`${operation} that cannot be read`);
  return { outcome: operation };
}

function judgeRejection({ topic, expected }: FuzzRequest, format: "cbor" | "json", payload: Uint8Array): Verdict {
  const rejection = decodeRejected(format, payload);
  if (rejection === undefined) return { outcome: "rejected", violation: "a rejection that cannot be read" };
  const { code, message, clientToken } = rejection;
  const wrong = (violation: string): Verdict => ({ outcome: code, violation });
  if (message === "") return wrong("a rejection without a message");
  // A topic's message repeats any text.
  const isPlain = code === "InvalidTopic" || !/\de[+-]?\d/.test(message);
  if (!isPlain) return wrong(`a number in the message has no plain digits: ${message}`);
  const asked = parseTopic(topic);
  const isValid = asked?.kind === "stream" && isRequest(asked.operation);
  if (isValid === (code === "InvalidTopic")) return wrong(`${code} for the topic ${topic}`);
  const otherFormat = format === "json" ? "InvalidCbor" : "InvalidJson";
  if (code === otherFormat) return wrong(`${code} in ${format}`);
  if (expected === undefined) return { outcome: code };
  if (expected.kind === "blocks") return wrong(`${code} came instead of blocks: ${message}`);
  if (code !== expected.code) return wrong(`${code} came instead of ${expected.code}: ${message}`);
  return clientToken === expected.token ? { outcome: code } : wrong(`the token ${clientToken} came back`);
}

function isRequest(operation: string): boolean {
  return operation in ANSWER_OF;
}

function isWithinBounds(ids: readonly number[], blockSizeBytes: number, sizeBytes: number): boolean {
  let bytes = 0;
  let previous = -1;
  for (const id of ids) {
    if (id <= previous || id * blockSizeBytes >= sizeBytes) return false;
    previous = id;
    bytes += blockLength(id, sizeBytes, blockSizeBytes);
  }
  return bytes > 0 && bytes <= 131_072;
}

function shown(ids: readonly number[]): string {
  return `${ids.slice(0, 8)}${ids.length > 8 ? `,.. (${ids.length})` : ""}`;
}

function isSame(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((id, index) => id === right[index]);
}
