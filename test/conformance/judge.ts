/** Compares what came back with what a rule expects, byte for byte, and shows the first difference. */
import { withoutAnnouncements } from "./announcements.ts";
import type { Received } from "./device-link.ts";
import type { Expected, ExpectedRejection } from "./rule.ts";
import { type Format, hex, text, utf8 } from "./wire.ts";

/** What is wrong with an answer. */
export interface Difference {
  readonly problem: string;
  /** The message that differs, bounded; empty when there should be none. */
  readonly expected: string;
  /** What came instead, bounded; empty when nothing came. */
  readonly actual: string;
}

/** How many bytes a report shows of a message, and how many of them before the first difference. */
const SHOWN_BYTES = 64;
const SHOWN_BEFORE = 16;

/** Compares messages in order; undefined when they are as expected. `topicPrefix` ends with the stream id and a slash. */
export function findDifference(
  expected: readonly Expected[],
  received: readonly Received[],
  topicPrefix: string,
): Difference | undefined {
  for (const [index, wanted] of expected.entries()) {
    const difference = compareOne(wanted, received[index], topicPrefix);
    if (difference !== undefined) {
      const place = expected.length > 1 ? `message ${index + 1} of ${expected.length}: ` : "";
      return { ...difference, problem: place + difference.problem };
    }
  }
  const surplus = received[expected.length];
  if (surplus === undefined) return undefined;
  const problem = `${received.length} messages, not ${expected.length}`;
  return { problem, expected: "", actual: show(tail(surplus.topic, topicPrefix), surplus.payload) };
}

/** Says whether one message is as expected. */
export function isAsExpected(wanted: Expected | undefined, received: Received, topicPrefix: string): boolean {
  return wanted !== undefined && compareOne(wanted, received, topicPrefix) === undefined;
}

function compareOne(wanted: Expected, received: Received | undefined, topicPrefix: string): Difference | undefined {
  const operation = wanted.kind === "rejection" ? "rejected" : wanted.operation;
  const place = `${operation}/${wanted.format}`;
  const payload = wanted.kind === "rejection" ? rejectionBytes(wanted, received?.payload) : wanted.payload;
  if (received === undefined) return { problem: "no answer", expected: show(place, payload), actual: "" };
  const mayAnnounce = wanted.kind === "bytes" && wanted.mayAnnounce === true;
  const compared = mayAnnounce ? withoutAnnouncements(wanted.format, received.payload, payload) : received.payload;
  const from = firstDifference(payload, compared);
  const actualPlace = tail(received.topic, topicPrefix);
  const shown = { expected: show(place, payload, from), actual: show(actualPlace, received.payload, from) };
  if (received.topic !== `${topicPrefix}${place}`) return { problem: "the topic differs", ...shown };
  if (from !== undefined) return { problem: `the bytes differ from byte ${from} on`, ...shown };
  if (wanted.kind === "bytes") return undefined;
  const words = received.payload.toString("utf8");
  const missing = (wanted.says ?? []).filter((part) => !words.includes(part));
  return missing.length === 0 ? undefined : { problem: `the message does not say ${missing.join(", ")}`, ...shown };
}

/** A rejection with both forms, in order; the words of its message are those that came. */
function rejectionBytes({ format, code, clientToken }: ExpectedRejection, actual: Uint8Array | undefined): Buffer {
  const words = findMessage(format, Buffer.from(actual ?? []));
  const members: (readonly [key: string, value: string])[] = [];
  if (clientToken !== undefined) members.push(["clientToken", clientToken], ["c", clientToken]);
  members.push(["code", code], ["o", code]);
  if (format === "json") {
    const written = members.map(([key, value]) => utf8(`${JSON.stringify(key)}:${JSON.stringify(value)},`));
    return Buffer.concat([utf8("{"), ...written, utf8('"message":'), words, utf8(',"m":'), words, utf8("}")]);
  }
  const written = members.flatMap(([key, value]) => [text(key), text(value)]);
  return Buffer.concat([hex("bf"), ...written, text("message"), words, text("m"), words, hex("ff")]);
}

/** The encoded words of a rejection's long message, taken from the bytes; a stand-in when there are none. */
function findMessage(format: Format, actual: Buffer): Buffer {
  const standIn = "...";
  if (format === "json") {
    const literal = /"message":("(?:[^"\\]|\\.)+")/.exec(actual.toString("utf8"))?.[1];
    return utf8(literal ?? JSON.stringify(standIn));
  }
  const key = text("message");
  const at = actual.indexOf(key);
  if (at < 0) return text(standIn);
  const start = at + key.length;
  const first = actual[start] ?? 0;
  const headBytes = first === 0x78 ? 2 : first === 0x79 ? 3 : 1;
  const length =
    headBytes === 1 ? first - 0x60 : actual.subarray(start + 1, start + headBytes).readUIntBE(0, headBytes - 1);
  if (length <= 0) return text(standIn);
  // Written anew, so that a head longer than needed is a difference.
  return text(actual.subarray(start + headBytes, start + headBytes + length).toString("utf8"));
}

function firstDifference(one: Uint8Array, other: Uint8Array): number | undefined {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index++) if (one[index] !== other[index]) return index;
  return one.length === other.length ? undefined : length;
}

function show(place: string, payload: Uint8Array, difference = 0): string {
  const start = Math.max(0, difference - SHOWN_BEFORE);
  const end = Math.min(payload.length, start + SHOWN_BYTES);
  const digits = Buffer.from(payload.subarray(start, end)).toString("hex");
  const bounds = `${start > 0 ? "..." : ""}${digits}${end < payload.length ? "..." : ""}`;
  return `${place} ${bounds} (${payload.length} bytes)`;
}

function tail(topic: string, prefix: string): string {
  return topic.startsWith(prefix) ? topic.slice(prefix.length) : topic;
}
