/** Reads typed members out of a parsed JSON document; what does not fit is an InvalidRequestException. No IO. */
import { invalidRequest } from "./api-exception.ts";
import { describeValue, quote } from "./quote.ts";

/** A JSON object, members of any kind. */
export type JsonMap = Readonly<Record<string, unknown>>;

/** What a text member may be: its length in code points (AWS counts those), both ends inclusive, and its alphabet. */
export interface TextRule {
  readonly min: number;
  readonly max: number;
  /** Matches each character on its own; `pattern` is how messages show what the whole text must match. */
  readonly alphabet?: { readonly character: RegExp; readonly pattern: string };
}

/** Takes a value as a map. `field` names it in messages. */
export function asMap(value: unknown, field: string): JsonMap {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidRequest(`${field} must be a map; it is ${describeValue(value)}`);
  }
  return value as JsonMap;
}

/** Takes a value as a list. */
export function asList(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalidRequest(`${field} must be a list; it is ${describeValue(value)}`);
  return value;
}

/** Takes a value as an integer from `min` to `max`, both inclusive. */
export function asInteger(value: unknown, field: string, min: number, max: number): number {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw invalidRequest(`${field} must be an integer, ${min} to ${max}; it is ${describeValue(value)}`);
  }
  return value as number;
}

/** Takes a value as text that obeys a rule. */
export function asText(value: unknown, field: string, rule: TextRule): string {
  if (typeof value !== "string") throw invalidRequest(`${field} must be text; it is ${describeValue(value)}`);
  const characters = [...value];
  if (characters.length < rule.min || characters.length > rule.max) {
    throw invalidRequest(`${field} must have ${rule.min} to ${rule.max} characters; it has ${characters.length}`);
  }
  const { alphabet } = rule;
  const bad = alphabet === undefined ? -1 : characters.findIndex((character) => !alphabet.character.test(character));
  if (alphabet !== undefined && bad >= 0) {
    const where = `character ${bad + 1} is ${formatCodePoint(characters[bad] as string)}`;
    throw invalidRequest(`${field} must match ${alphabet.pattern}; it is ${quote(value)}, where ${where}`);
  }
  return value;
}

/** Reads an optional member: undefined when it is absent or null, as REST-JSON treats both alike. */
export function optional<T>(value: unknown, read: (present: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value);
}

function formatCodePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}
