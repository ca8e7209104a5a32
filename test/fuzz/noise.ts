/** Bytes that look like requests without being them: mutated messages, and CBOR and JSON of any shape. */
import {
  type ArgumentWidth,
  BREAK,
  byteString,
  concat,
  head,
  integer,
  MAJOR,
  openHead,
  text,
} from "../support/cbor-writer.ts";
import type { Draw } from "./draw.ts";

const KEYS = ["c", "s", "f", "l", "o", "n", "b", "i", "p", "r", "z", "d", "code", "__proto__", "constructor", ""];
const EDGES = [0n, 23n, 24n, 255n, 256n, 65_536n, 131_072n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n];
const WIDTHS: readonly ArgumentWidth[] = [8, 4, 2, 1];
const TAGS = [0, 1, 2, 3, 4, 5, 24, 27, 28, 29, 35, 64, 105, 258, 55_799, 57_342, 57_343];
const CHARACTERS = [...'abz019 -_"\\/{}[]:,', "\u0000", "\n", "ä", "固", "🛰", "\ud800", "\ufeff"];

/** Changes, removes, doubles or adds a few bytes, or cuts the message short. */
export function mutate(draw: Draw, message: Uint8Array): Uint8Array {
  let bytes = message;
  for (let edits = draw.integer(1, 4); edits > 0; edits--) {
    const at = draw.integer(0, bytes.length);
    const removed = draw.integer(0, 3);
    const inserted = draw.chance(0.3)
      ? bytes.subarray(at, at + draw.integer(0, 16))
      : draw.bytes(draw.integer(0, draw.chance(0.1) ? 40 : 3));
    bytes = concat(bytes.subarray(0, at), inserted, bytes.subarray(at + removed));
  }
  return draw.chance(0.1) ? bytes.subarray(0, draw.integer(0, bytes.length)) : bytes;
}

/** Random text, half pairs and line ends included. */
export function anyText(draw: Draw, most: number): string {
  return draw.text(CHARACTERS, draw.integer(0, most));
}

/** A CBOR item of any kind, well-formed or not quite. */
export function cborItem(draw: Draw, depth = 0): Uint8Array {
  const nested = depth < 5 ? 1 : 0;
  const inner = (): Uint8Array => cborItem(draw, depth + 1);
  const some = (most: number): Uint8Array[] => Array.from({ length: draw.integer(0, most) }, inner);
  return draw.weighted<Uint8Array>([
    [4, () => integer(draw.integer(-300, 140_000))],
    [2, () => integer(draw.chance(0.5) ? draw.one(EDGES) : -1n - draw.one(EDGES))],
    [1, () => integer(draw.integer(0, 255), draw.one(WIDTHS))],
    [2, () => byteString(draw.bytes(draw.integer(0, 40)))],
    [2, () => text(anyText(draw, 20))],
    [1, () => concat(head(MAJOR.text, 4), draw.bytes(4))],
    [1, () => concat(Uint8Array.of(0xe0 | draw.integer(0, 31)), draw.bytes(draw.integer(0, 8)))],
    [1, () => concat(head(draw.integer(2, 5), draw.one(EDGES)), draw.bytes(draw.integer(0, 8)))],
    [1, () => draw.bytes(draw.integer(0, 6))],
    [2 * nested, () => cborMap(draw, depth)],
    [nested, () => listOf(draw, some(4))],
    [nested, () => concat(openHead(draw.one([MAJOR.bytes, MAJOR.text])), ...some(3), BREAK)],
    [nested, () => concat(head(MAJOR.tag, draw.one(TAGS)), inner())],
  ]);
}

function listOf(draw: Draw, items: readonly Uint8Array[]): Uint8Array {
  return draw.chance(0.5)
    ? concat(head(MAJOR.array, items.length), ...items)
    : concat(openHead(MAJOR.array), ...items, BREAK);
}

/** A CBOR map of known keys with wild values; at the top it has a file id and a block size, so that it comes far. */
export function cborMap(draw: Draw, depth = 0): Uint8Array {
  const pairs = Array.from({ length: draw.integer(0, 7) }, () => [
    draw.chance(0.9) ? text(draw.one(KEYS)) : cborItem(draw, depth + 1),
    cborItem(draw, depth + 1),
  ]);
  if (depth === 0) pairs.unshift([text("f"), integer(0)], [text("l"), integer(4096)]);
  const members = pairs.flat();
  return draw.chance(0.5)
    ? concat(head(MAJOR.map, pairs.length), ...members)
    : concat(openHead(MAJOR.map), ...members, BREAK);
}

/** Arrays, maps or tags within one another, far deeper than any request. */
export function deepNest(draw: Draw): Uint8Array {
  const depth = draw.integer(10, 4000);
  const opening = draw.one([
    Uint8Array.of(0x81),
    Uint8Array.of(0x9f),
    Uint8Array.of(0xa1, 0x61, 0x66),
    Uint8Array.of(0xc1),
  ]);
  return concat(...Array.from({ length: depth }, () => opening), integer(1));
}

/** A JSON value of any kind. */
export function jsonValue(draw: Draw, depth = 0): unknown {
  const nested = depth < 4 ? 1 : 0;
  const inner = (): unknown => jsonValue(draw, depth + 1);
  return draw.weighted<unknown>([
    [4, () => draw.integer(-300, 140_000)],
    [2, () => draw.one([0, -0, 0.5, -1.5, 1e21, 1e300, 2 ** 53, -(2 ** 53), Number.MAX_VALUE])],
    [3, () => anyText(draw, 20)],
    [1, () => String(draw.integer(-300, 140_000))],
    [1, () => draw.one([null, true, false])],
    [nested, () => Array.from({ length: draw.integer(0, 4) }, inner)],
    [nested, () => jsonMap(draw, depth + 1)],
  ]);
}

/** A JSON object of known keys with wild values; at the top it has a file id and a block size. */
export function jsonMap(draw: Draw, depth = 0): Record<string, unknown> {
  const pairs = Array.from({ length: draw.integer(0, 7) }, () => [draw.one(KEYS), jsonValue(draw, depth + 1)]);
  return { ...(depth === 0 && { f: 0, l: 4096 }), ...Object.fromEntries(pairs) };
}
