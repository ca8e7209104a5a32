/** CBOR as the wire has it: decoding of untrusted bytes, and encoding without tags and with the shortest heads. No IO. */
import { Encoder } from "cbor-x";
import { findCborEnd } from "./cbor-scan.ts";

const codec = new Encoder({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
});

/** What {@link decodeCbor} found: the first item, and how many bytes came after it. */
export interface DecodedCbor {
  readonly value: unknown;
  readonly trailingBytes: number;
}

/**
 * Decodes the first item of untrusted bytes; undefined when it is not well-formed or carries a tag. Maps come out as
 * plain objects, byte strings as Uint8Array, 8-byte integers as numbers (beyond 2^53 as the nearest one).
 */
export function decodeCbor(bytes: Uint8Array): DecodedCbor | undefined {
  const end = findCborEnd(bytes);
  if (end === undefined) return undefined;
  try {
    return { value: normalise(codec.decode(bytes.subarray(0, end))), trailingBytes: bytes.length - end };
  } catch {
    return undefined;
  }
}

/** Encodes a value as CBOR: definite maps with keys in the order they were set, byte strings untagged. */
export function encodeCbor(value: unknown): Uint8Array {
  return codec.encode(value);
}

/** Turns the decoder's BigInts, which it makes of 8-byte heads, into numbers; the scan has bounded the depth. */
function normalise(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  for (const [key, member] of Object.entries(value)) {
    if (typeof member === "object" || typeof member === "bigint") {
      (value as Record<string, unknown>)[key] = normalise(member);
    }
  }
  return value;
}
