/** Reading of command-line values: each parser gives a value in range or an OtaError that names flag, limit and value. */

import { OtaError } from "../shared/protocol/errors.ts";
import { isStreamId, isThingName } from "../shared/protocol/ids.ts";
import type { Format } from "../shared/protocol/topics.ts";

/** Makes a parser of integers from `low` to `high`. */
export function integerFrom(flag: string, low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw invalid(`${flag} must be an integer from ${low} to ${high}, not ${JSON.stringify(text)}`);
  };
}

/** Makes a parser of one of some words. */
export function oneOf<Word extends string>(flag: string, words: readonly Word[]): (text: string) => Word {
  return (text) => {
    if ((words as readonly string[]).includes(text)) return text as Word;
    throw invalid(`${flag} must be ${words.join(" or ")}, not ${JSON.stringify(text)}`);
  };
}

/** Makes a parser of texts that are not empty, as the value of an unset shell variable is. */
export function someText(flag: string): (text: string) => string {
  return (text) => {
    if (text !== "") return text;
    throw invalid(`${flag} must not be empty`);
  };
}

/** Makes a parser of URLs with one of some schemes, each without its colon. */
export function urlWith(flag: string, schemes: readonly string[]): (text: string) => string {
  return (text) => {
    const scheme = URL.canParse(text) ? new URL(text).protocol.slice(0, -1) : undefined;
    if (scheme !== undefined && schemes.includes(scheme)) return text;
    throw invalid(
      `${flag} must be a URL that starts with ${schemes.map((name) => `${name}://`).join(" or ")}, not ${JSON.stringify(text)}`,
    );
  };
}

/** Makes a parser that collects every value of a repeatable flag, each read by `parse`. */
export function repeated<T>(parse: (text: string) => T): (text: string, earlier: readonly T[] | undefined) => T[] {
  return (text, earlier = []) => [...earlier, parse(text)];
}

/** Reads a stream id. */
export function streamId(text: string): string {
  if (isStreamId(text)) return text;
  throw invalid(`stream id must be 1-128 of [a-zA-Z0-9_-], not ${JSON.stringify(text)}`);
}

/** Reads a thing name. */
export function thingName(text: string): string {
  if (isThingName(text)) return text;
  throw invalid(`--thing must be 1-128 of [a-zA-Z0-9:_-], not ${JSON.stringify(text)}`);
}

/** Reads a format. */
export const format: (text: string) => Format = oneOf("--format", ["cbor", "json"]);

/** Reads a CRC-32: 8 hex digits, with or without `0x`. */
export function crc32(text: string): number {
  if (/^(0x)?[0-9a-f]{8}$/i.test(text)) return Number.parseInt(text.replace(/^0x/i, ""), 16);
  throw invalid(`--crc32 must be 8 hex digits, not ${JSON.stringify(text)}`);
}

/** Reads a SHA-256: 64 hex digits. */
export function sha256(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  throw invalid(`--sha256 must be 64 hex digits, not ${JSON.stringify(text)}`);
}

/** Reads an AWS account id. */
export function accountId(text: string): string {
  if (/^\d{12}$/.test(text)) return text;
  throw invalid(`--account must be 12 digits, not ${JSON.stringify(text)}`);
}

/** Reads an AWS region. */
export function region(text: string): string {
  if (/^[a-z0-9-]{1,32}$/.test(text)) return text;
  throw invalid(`--region must be 1-32 of [a-z0-9-], not ${JSON.stringify(text)}`);
}

function invalid(message: string): OtaError {
  return new OtaError("InvalidArgument", message);
}
