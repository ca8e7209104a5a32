/** The block bitmap of a GetStream request: bit k of byte j, least significant first, is block offset + 8j + k. No IO. */

/** Makes an empty bitmap for `bitCount` bits. */
export function createBitmap(bitCount: number): Uint8Array {
  return new Uint8Array(Math.ceil(bitCount / 8));
}

/** Says whether a bit is set; bits past the end are not. */
export function hasBit(bitmap: Uint8Array, bit: number): boolean {
  return ((bitmap[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
}

/** Says whether any bit is set from `from` to `end`, which is not looked at any more. */
export function hasAnyBit(bitmap: Uint8Array, from: number, end: number): boolean {
  for (let bit = from; bit < end; bit++) if (hasBit(bitmap, bit)) return true;
  return false;
}

/** Sets a bit; says whether it was clear before. The bit must lie inside the bitmap. */
export function setBit(bitmap: Uint8Array, bit: number): boolean {
  const byte = bitmap[bit >>> 3] as number;
  const mask = 1 << (bit & 7);
  bitmap[bit >>> 3] = byte | mask;
  return (byte & mask) === 0;
}

/** Clears a bit; says whether it was set before. */
export function clearBit(bitmap: Uint8Array, bit: number): boolean {
  const byte = bitmap[bit >>> 3] ?? 0;
  const mask = 1 << (bit & 7);
  if ((byte & mask) === 0) return false;
  bitmap[bit >>> 3] = byte & ~mask;
  return true;
}

/** The first set bit at or after `from`, or -1. */
export function nextSetBit(bitmap: Uint8Array, from: number): number {
  return nextBit(bitmap, from, 0x00);
}

/** The first clear bit at or after `from` and before `bitCount`, or -1. */
export function nextClearBit(bitmap: Uint8Array, from: number, bitCount: number): number {
  const bit = nextBit(bitmap, from, 0xff);
  return bit >= 0 && bit < bitCount ? bit : -1;
}

/** How many bits are set. */
export function countBits(bitmap: Uint8Array): number {
  let count = 0;
  for (let index = 0; index < bitmap.length; index++) {
    for (let rest = bitmap[index] as number; rest !== 0; rest &= rest - 1) count++;
  }
  return count;
}

/**
 * The shortest bitmap for some blocks, counted from the lowest: `{ blockOffset, blockBitmap }` as a request carries
 * them. `blockIds` is ascending and not empty.
 */
export function formatBitmap(blockIds: ArrayLike<number>): { blockOffset: number; blockBitmap: Uint8Array } {
  const blockOffset = blockIds[0] as number;
  const blockBitmap = createBitmap((blockIds[blockIds.length - 1] as number) - blockOffset + 1);
  for (let index = 0; index < blockIds.length; index++) setBit(blockBitmap, (blockIds[index] as number) - blockOffset);
  return { blockOffset, blockBitmap };
}

/** The first bit at or after `from` that differs from those of `skip` (0x00 or 0xff), a whole byte at a time. */
function nextBit(bitmap: Uint8Array, from: number, skip: 0x00 | 0xff): number {
  for (let index = from >>> 3; index < bitmap.length; index++) {
    let differing = (bitmap[index] as number) ^ skip;
    if (index === from >>> 3) differing &= 0xff << (from & 7);
    if (differing !== 0) return index * 8 + 31 - Math.clz32(differing & -differing);
  }
  return -1;
}
