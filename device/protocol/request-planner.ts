/** Turns missing blocks into GetStream requests within the protocol's limits and the window. No IO. */
import { formatBitmap } from "../../shared/protocol/bitmap.ts";
import { MAX_BITMAP_BYTES, MAX_RESPONSE_BYTES } from "../../shared/protocol/limits.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import type { BlockLedger } from "./block-ledger.ts";

/** What the requests of one file have in common. */
export interface RequestFrame {
  readonly fileId: number;
  readonly streamVersion: number;
  readonly blockSizeBytes: number;
}

/** In how many requests a window is asked for: the last one is on its way while the first is answered. */
const REQUESTS_PER_WINDOW = 2;
const NONE: readonly number[] = [];

/**
 * The next blocks to ask for: the lowest missing ones that fit one answer (131,072 bytes), one bitmap and what the
 * window leaves free. Empty while the window has too little room for a request that is worth sending, unless `urgent`.
 */
export function planBlocks(ledger: BlockLedger, windowBytes: number, urgent: boolean): readonly number[] {
  const { askedBytes, blockSizeBytes } = ledger;
  const freeBytes = windowBytes - askedBytes;
  const worthBytes = urgent ? blockSizeBytes : Math.min(MAX_RESPONSE_BYTES, windowBytes / REQUESTS_PER_WINDOW);
  if (askedBytes > 0 && freeBytes < Math.max(worthBytes, blockSizeBytes)) return NONE;
  return withinBitmap(ledger.findMissing(blocksPerAnswer(blockSizeBytes), Math.max(freeBytes, blockSizeBytes)));
}

/** How many blocks one request may ask for: as many as one answer holds. */
export function blocksPerAnswer(blockSizeBytes: number): number {
  return Math.floor(MAX_RESPONSE_BYTES / blockSizeBytes);
}

/** The request for some blocks: by bitmap, with n beside it, because a stock server may insist on n. */
export function formatGet(frame: RequestFrame, clientToken: string, blockIds: readonly number[]): GetRequest {
  return { clientToken, ...frame, ...formatBitmap(blockIds), blockCount: blockIds.length };
}

function withinBitmap(blockIds: readonly number[]): readonly number[] {
  const end = (blockIds[0] ?? 0) + MAX_BITMAP_BYTES * 8;
  const beyond = blockIds.findIndex((blockId) => blockId >= end);
  return beyond < 0 ? blockIds : blockIds.slice(0, beyond);
}
