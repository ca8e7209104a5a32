/** Takes the announcements of additions off a description: members with long names behind those that are known. */
import type { Format } from "./wire.ts";

const CBOR_MAP = 0xa0;

/**
 * The description without its announcements, or the same bytes when it has none or they are no such members. `known` is
 * how the description must look without them.
 */
export function withoutAnnouncements(format: Format, actual: Buffer, known: Uint8Array): Buffer {
  return (format === "json" ? stripJson(actual, known) : stripCbor(actual, known)) ?? actual;
}

function stripJson(actual: Buffer, known: Uint8Array): Buffer | undefined {
  const shared = Buffer.from(known.subarray(0, -1));
  if (!actual.subarray(0, shared.length).equals(shared)) return undefined;
  const rest = actual.subarray(shared.length).toString("utf8");
  if (!/^,"[^"]{2,}":/.test(rest)) return undefined;
  try {
    const members = Object.keys(JSON.parse(`{${rest.slice(1)}`) as object);
    return members.every((name) => name.length > 1) ? Buffer.concat([shared, Buffer.from("}")]) : undefined;
  } catch {
    return undefined;
  }
}

function stripCbor(actual: Buffer, known: Uint8Array): Buffer | undefined {
  const count = (actual[0] ?? 0) - (known[0] ?? 0);
  const shared = actual.subarray(1, known.length);
  if (((actual[0] ?? 0) & 0xe0) !== CBOR_MAP || count <= 0 || !shared.equals(known.subarray(1))) return undefined;
  let at = known.length;
  for (let index = 0; index < count; index++) {
    const key = actual[at] ?? 0;
    // A text of 2 to 23 bytes.
    if (key < 0x62 || key > 0x77) return undefined;
    at = itemEnd(actual, itemEnd(actual, at));
  }
  return at === actual.length ? Buffer.from(known) : undefined;
}

/** The index after an item of definite length. */
function itemEnd(bytes: Buffer, start: number): number {
  const first = bytes[start] ?? 0;
  const majorType = first >> 5;
  const detail = first & 0x1f;
  const width = detail < 24 ? 0 : 2 ** (detail - 24);
  let argument = detail;
  if (width > 0) {
    argument = 0;
    for (const byte of bytes.subarray(start + 1, start + 1 + width)) argument = argument * 256 + byte;
  }
  const end = start + 1 + width;
  if (majorType === 2 || majorType === 3) return end + argument;
  if (majorType !== 4 && majorType !== 5) return end;
  let at = end;
  for (let left = majorType === 4 ? argument : argument * 2; left > 0 && at < bytes.length; left--)
    at = itemEnd(bytes, at);
  return at;
}
