/** Block arithmetic: how a file is cut into blocks. Sizes in bytes, ids zero-based. No IO. */

/** How many blocks a file has; 0 for an empty file. */
export function countBlocks(sizeBytes: number, blockSizeBytes: number): number {
  return Math.ceil(sizeBytes / blockSizeBytes);
}

/** How many bytes a block has: the block size, or less for the last one, or 0 past the end. */
export function blockLength(blockId: number, sizeBytes: number, blockSizeBytes: number): number {
  return Math.max(0, Math.min(blockSizeBytes, sizeBytes - blockId * blockSizeBytes));
}
