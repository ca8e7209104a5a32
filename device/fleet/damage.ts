/** What damage on the way makes of a message's bytes. No IO. */

/** Where the size of a fault comes from. */
interface Draw {
  between(low: number, high: number): number;
}

/** A copy of the bytes with one bit changed. */
export function corruptBytes(bytes: Uint8Array, draw: Draw): Uint8Array {
  if (bytes.length === 0) return bytes;
  const corrupt = new Uint8Array(bytes);
  const at = draw.between(0, corrupt.length - 1);
  corrupt[at] = (corrupt[at] as number) ^ (1 << draw.between(0, 7));
  return corrupt;
}

/** The bytes cut somewhere. */
export function truncateBytes(bytes: Uint8Array, draw: Draw): Uint8Array {
  return bytes.subarray(0, draw.between(0, bytes.length));
}
