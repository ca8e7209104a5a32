/** A writer of CBOR items by RFC 8949, well-formed or wilfully not: every head is spelled by the caller's choice. */

/** The eight major types of RFC 8949 section 3.1. */
export const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;

/** Ends an indefinite-length item. */
export const BREAK = Uint8Array.of(0xff);

/** How many bytes an argument takes after the initial byte. */
export type ArgumentWidth = 0 | 1 | 2 | 4 | 8;

/** Writes an initial byte and its argument, in the shortest form or in the width asked for. */
export function head(major: number, argument: number | bigint, width?: ArgumentWidth): Uint8Array {
  const value = BigInt(argument);
  const chosen = width ?? shortestWidth(value);
  if (chosen === 0) return Uint8Array.of((major << 5) | Number(value));
  const bytes = new Uint8Array(1 + chosen);
  bytes[0] = (major << 5) | (24 + Math.log2(chosen));
  for (let index = 0; index < chosen; index++) {
    bytes[1 + index] = Number((value >> BigInt(8 * (chosen - 1 - index))) & 0xffn);
  }
  return bytes;
}

/** The head of an indefinite-length item. */
export function openHead(major: number): Uint8Array {
  return Uint8Array.of((major << 5) | 31);
}

/** Writes an integer. */
export function integer(value: number | bigint, width?: ArgumentWidth): Uint8Array {
  const whole = BigInt(value);
  return whole < 0n ? head(MAJOR.negative, -1n - whole, width) : head(MAJOR.unsigned, whole, width);
}

/** Writes a byte string. */
export function byteString(value: Uint8Array, width?: ArgumentWidth): Uint8Array {
  return concat(head(MAJOR.bytes, value.length, width), value);
}

/** Writes a text string. */
export function text(value: string, width?: ArgumentWidth): Uint8Array {
  const utf8 = Buffer.from(value);
  return concat(head(MAJOR.text, utf8.length, width), utf8);
}

/** Writes a definite map of text keys and items that are already bytes. */
export function map(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const entries = Object.entries(members);
  return concat(head(MAJOR.map, entries.length), ...entries.flatMap(([key, value]) => [text(key), value]));
}

/** Puts byte strings one after another. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function shortestWidth(value: bigint): ArgumentWidth {
  if (value < 24n) return 0;
  if (value < 0x100n) return 1;
  if (value < 0x1_0000n) return 2;
  return value < 0x1_0000_0000n ? 4 : 8;
}
