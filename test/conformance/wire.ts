/** The bytes of the messages, written here a second time: nothing of the product's own codec is used to check it. */

/** The two encodings. */
export type Format = "cbor" | "json";
/** Both encodings, in the order in which rules try them. */
export const FORMATS: readonly Format[] = ["cbor", "json"];

/** The fields of a request; those that are set are written in the order in which they were set. */
export interface Fields {
  readonly c?: string;
  readonly s?: number;
  readonly f?: number;
  readonly l?: number;
  readonly o?: number;
  readonly n?: number;
  readonly b?: Uint8Array;
}

/** Bytes from hex digits; blanks separate what belongs together. */
export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(" ", ""), "hex");
}

/** Bytes of a text in UTF-8. */
export function utf8(text: string): Buffer {
  return Buffer.from(text, "utf8");
}

/** A CBOR head with its shortest argument (RFC 8949 section 3), or with one of `width` bytes. */
export function head(majorType: number, argument: number, width = shortestWidth(argument)): Buffer {
  const first = majorType << 5;
  if (width === 0) return Buffer.of(first | argument);
  const bytes = Buffer.alloc(1 + width);
  bytes[0] = first | (24 + Math.log2(width));
  if (width === 8) bytes.writeBigUInt64BE(BigInt(argument), 1);
  else bytes.writeUIntBE(argument, 1, width);
  return bytes;
}

/** A CBOR integer. */
export function integer(value: number, width?: number): Buffer {
  return value >= 0 ? head(0, value, width) : head(1, -1 - value, width);
}

/** A CBOR text. */
export function text(value: string): Buffer {
  const bytes = utf8(value);
  return Buffer.concat([head(3, bytes.length), bytes]);
}

/** A CBOR byte string. */
export function byteString(bytes: Uint8Array): Buffer {
  return Buffer.concat([head(2, bytes.length), bytes]);
}

/** A CBOR map of definite length; values are items already written. */
export function map(entries: readonly (readonly [key: string, value: Uint8Array])[]): Buffer {
  return Buffer.concat([head(5, entries.length), ...members(entries)]);
}

/** A CBOR map of indefinite length. */
export function indefiniteMap(entries: readonly (readonly [key: string, value: Uint8Array])[]): Buffer {
  return Buffer.concat([Buffer.of(0xbf), ...members(entries), Buffer.of(0xff)]);
}

/** The fields of a request as CBOR items. */
export function items(fields: Fields): (readonly [key: string, value: Buffer])[] {
  return Object.entries(fields).map(([key, value]: [string, string | number | Uint8Array]) => {
    if (typeof value === "string") return [key, text(value)];
    return [key, typeof value === "number" ? integer(value) : byteString(value)];
  });
}

/** A request: in CBOR a definite map, in JSON an object with `b` as hex after 0x. */
export function request(format: Format, fields: Fields): Buffer {
  if (format === "cbor") return map(items(fields));
  const bitmap = fields.b === undefined ? {} : { b: `0x${Buffer.from(fields.b).toString("hex")}` };
  return utf8(JSON.stringify({ ...fields, ...bitmap }));
}

/** One data message, as section 2, "WIRE details", has it. */
export function dataMessage(
  format: Format,
  { c, f, i, payload }: { readonly c: string | undefined; f: number; i: number; payload: Uint8Array },
): Buffer {
  if (format === "json") {
    const token = c === undefined ? "" : `"c":${JSON.stringify(c)},`;
    return utf8(`{${token}"f":${f},"i":${i},"l":${payload.length},"p":"${Buffer.from(payload).toString("base64")}"}`);
  }
  return indefiniteMap([
    ...(c === undefined ? [] : [["c", text(c)] as const]),
    ["f", integer(f)],
    ["i", integer(i)],
    ["l", integer(payload.length)],
    ["p", byteString(payload)],
  ]);
}

function members(entries: readonly (readonly [key: string, value: Uint8Array])[]): Uint8Array[] {
  return entries.flatMap(([key, value]) => [text(key), value]);
}

function shortestWidth(argument: number): number {
  if (argument < 24) return 0;
  if (argument < 0x100) return 1;
  if (argument < 0x1_0000) return 2;
  return argument < 0x1_0000_0000 ? 4 : 8;
}
