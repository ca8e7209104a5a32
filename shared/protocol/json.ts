/** JSON as the wire has it: decoding of untrusted bytes, hex and base64. No IO. */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Decodes JSON text in UTF-8; undefined for anything else. */
export function decodeJson(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(utf8.decode(bytes)) };
  } catch {
    return undefined;
  }
}

/** Encodes a value as JSON text in UTF-8, keys in the order they were set. */
export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Decodes hex digits, either case, with or without `0x`; undefined for an odd number of them or any other character. */
export function decodeHex(text: string): Uint8Array | undefined {
  const digits = /^0x/i.test(text) ? text.slice(2) : text;
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return undefined;
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

/** Encodes bytes as lowercase hex digits. */
export function encodeHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** The last group of base64: unused bits are zero, padding is present. */
const LAST_GROUP = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)$/;

/** Decodes base64 with its padding; undefined for anything that is not canonical base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length === 0) return new Uint8Array(0);
  if (text.length % 4 !== 0 || !LAST_GROUP.test(text.slice(-4))) return undefined;
  // The decoder knows two more digits, skips what is none, and stops at padding: all but the first cost it length.
  if (text.includes("-") || text.includes("_")) return undefined;
  const bytes = Buffer.from(text, "base64");
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return bytes.length === (text.length / 4) * 3 - padding ? bytes : undefined;
}
