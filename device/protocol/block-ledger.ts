/** Which blocks of a file are held, which are asked for and by which request, and which of those were overtaken. No IO. */
import { clearBit, countBits, createBitmap, hasAnyBit, nextClearBit, setBit } from "../../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../../shared/protocol/blocks.ts";
import type { SendMark } from "./flow-window.ts";

/** What became of an arriving block. */
export type Arrival = "new" | "duplicate" | "impossible";

/** A request that was sent and is not fully answered. */
export interface Outstanding {
  readonly token: string;
  readonly mark: SendMark;
  /** Order number of the first block; the others follow by one. */
  readonly firstOrder: number;
  readonly blockIds: readonly number[];
  /** Sent because nothing arrived: its answer overtakes everything asked for before it. */
  readonly isProbe: boolean;
  /** Index of the first block that is not settled: held, asked for again, or given up. */
  settled: number;
  answered: boolean;
}

/**
 * How many later blocks must have arrived before one that was asked for earlier counts as lost. The publisher answers
 * in order, so one would do on an orderly network; three, as in QUIC (RFC 9002 section 6.1.1), forgives small reordering.
 */
const REORDER_THRESHOLD = 3;

/** The books of one file. Orders are numbered from 1 in the order in which blocks were asked for, 0 means not asked for. */
export class BlockLedger {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly blockCount: number;
  private readonly held: Uint8Array;
  private readonly orderOf: Uint32Array;
  private outstanding: Outstanding[] = [];
  private lastOrder = 0;
  /** Every block of a lower id is held or asked for: the search for missing ones begins here. */
  private noneMissingBelow = 0;
  /** Blocks of a lower order that are missing were overtaken. */
  private lostBelow = 0;
  heldCount: number;
  /** Bytes asked for and neither arrived nor given up. */
  askedBytes = 0;

  constructor(sizeBytes: number, blockSizeBytes: number, held: Uint8Array) {
    this.sizeBytes = sizeBytes;
    this.blockSizeBytes = blockSizeBytes;
    this.blockCount = countBlocks(sizeBytes, blockSizeBytes);
    this.held = createBitmap(this.blockCount);
    this.orderOf = new Uint32Array(this.blockCount);
    this.held.set(held.subarray(0, this.held.length));
    // Beyond the last block.
    for (let bit = this.blockCount; bit < this.held.length * 8; bit++) clearBit(this.held, bit);
    this.heldCount = countBits(this.held);
  }

  get complete(): boolean {
    return this.heldCount === this.blockCount;
  }

  /** The lowest missing blocks that are not asked for: at most `most` of them, within `maxBytes`, but at least one. */
  findMissing(most: number, maxBytes: number): readonly number[] {
    const found: number[] = [];
    let bytes = 0;
    let blockId = nextClearBit(this.held, this.noneMissingBelow, this.blockCount);
    for (; blockId >= 0 && found.length < most; blockId = nextClearBit(this.held, blockId + 1, this.blockCount)) {
      if (this.orderOf[blockId] !== 0) continue;
      if (found.length === 0) this.noneMissingBelow = blockId;
      bytes += this.lengthOf(blockId);
      if (bytes > maxBytes && found.length > 0) break;
      found.push(blockId);
    }
    if (found.length === 0) this.noneMissingBelow = this.blockCount;
    return found;
  }

  /** The blocks that were asked for first among those that did not arrive: at most `most` of them, ascending. */
  findOldestAsked(most: number): readonly number[] {
    const found: number[] = [];
    for (const { blockIds, firstOrder, settled } of this.outstanding) {
      for (let index = settled; index < blockIds.length && found.length < most; index++) {
        const blockId = blockIds[index] as number;
        if (this.orderOf[blockId] === firstOrder + index) found.push(blockId);
      }
    }
    return found.sort((left, right) => left - right);
  }

  /** Notes that a request was sent. Blocks that are asked for already belong to the newer request from now on. */
  ask(token: string, blockIds: readonly number[], mark: SendMark, isProbe: boolean): void {
    const firstOrder = this.lastOrder + 1;
    for (const blockId of blockIds) {
      if (this.orderOf[blockId] === 0) this.askedBytes += this.lengthOf(blockId);
      this.orderOf[blockId] = ++this.lastOrder;
    }
    this.outstanding.push({ token, mark, firstOrder, blockIds, isProbe, settled: 0, answered: false });
  }

  /**
   * Takes in an arriving block, the answer to `request` when that is known; `late` is one that is settled already.
   * `impossible`: no such block, or not its length.
   */
  arrive(blockId: number, sizeBytes: number, request: Outstanding | "late" | undefined): Arrival {
    // Not a whole number from 0 on either: the books would be wrong for good.
    if (blockId >>> 0 !== blockId || blockId >= this.blockCount) return "impossible";
    if (sizeBytes !== this.lengthOf(blockId)) return "impossible";
    if (request !== "late") this.noteOrder(blockId, request);
    if (!setBit(this.held, blockId)) return "duplicate";
    this.heldCount++;
    if (this.orderOf[blockId] !== 0) {
      this.orderOf[blockId] = 0;
      this.askedBytes -= sizeBytes;
    }
    return "new";
  }

  /**
   * Takes in blocks that follow one another, all of one length and all asked for by `request`, when each of them is new;
   * says whether it was so. Otherwise nothing changes.
   */
  arriveRun(blockId: number, count: number, sizeBytes: number, request: Outstanding): boolean {
    const last = blockId + count - 1;
    const fits = last < this.blockCount && sizeBytes === this.lengthOf(blockId) && sizeBytes === this.lengthOf(last);
    const order = fits ? orderIn(request, blockId) : undefined;
    if (order === undefined || orderIn(request, last) !== order + count - 1) return false;
    if (hasAnyBit(this.held, blockId, last + 1)) return false;
    for (let each = blockId; each <= last; each++) {
      setBit(this.held, each);
      if (this.orderOf[each] === 0) continue;
      this.orderOf[each] = 0;
      this.askedBytes -= sizeBytes;
    }
    this.heldCount += count;
    // What the others overtook, it did, too.
    this.noteOrder(last, request);
    return true;
  }

  /** The request with this token, while it is not fully answered. */
  findOutstanding(token: string): Outstanding | undefined {
    const { outstanding } = this;
    for (let index = 0; index < outstanding.length; index++) {
      const request = outstanding[index] as Outstanding;
      if (request.token === token) return request;
    }
    return undefined;
  }

  /** Gives up the blocks that later ones overtook, so that they are missing again; returns how many. */
  giveUpOvertaken(): number {
    const { outstanding } = this;
    let lost = 0;
    let finished = 0;
    for (; finished < outstanding.length; finished++) {
      const request = outstanding[finished] as Outstanding;
      lost += this.settle(request, this.lostBelow);
      if (request.settled < request.blockIds.length) break;
    }
    if (finished > 0) outstanding.splice(0, finished);
    return lost;
  }

  /** Gives up everything that is asked for; returns how many blocks. */
  giveUpAll(): number {
    let lost = 0;
    for (const request of this.outstanding) lost += this.settle(request, Number.POSITIVE_INFINITY);
    this.outstanding = [];
    return lost;
  }

  /** Works out what this arrival overtook. A late answer to a request that a newer one replaced overtakes nothing new. */
  private noteOrder(blockId: number, request: Outstanding | undefined): void {
    const order = request === undefined ? this.orderOf[blockId] : orderIn(request, blockId);
    if (order === undefined || order === 0) return;
    const overtaken = request?.isProbe ? request.firstOrder : order - REORDER_THRESHOLD + 1;
    this.lostBelow = Math.max(this.lostBelow, overtaken);
  }

  private settle(request: Outstanding, lostBelow: number): number {
    let lost = 0;
    for (; request.settled < request.blockIds.length; request.settled++) {
      const blockId = request.blockIds[request.settled] as number;
      const order = request.firstOrder + request.settled;
      if (this.orderOf[blockId] !== order) continue;
      if (order >= lostBelow) break;
      this.orderOf[blockId] = 0;
      this.askedBytes -= this.lengthOf(blockId);
      this.noneMissingBelow = Math.min(this.noneMissingBelow, blockId);
      lost++;
    }
    return lost;
  }

  private lengthOf(blockId: number): number {
    return blockLength(blockId, this.sizeBytes, this.blockSizeBytes);
  }
}

function orderIn({ blockIds, firstOrder }: Outstanding, blockId: number): number | undefined {
  // Most requests are for blocks in a row.
  const inRow = blockId - (blockIds[0] as number);
  if (blockIds[inRow] === blockId) return firstOrder + inRow;
  let low = 0;
  let high = blockIds.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((blockIds[middle] as number) < blockId) low = middle + 1;
    else high = middle;
  }
  return blockIds[low] === blockId ? firstOrder + low : undefined;
}
