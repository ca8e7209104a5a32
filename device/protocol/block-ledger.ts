/** Which blocks of a file are held, which are asked for and by which request, and which of those were overtaken. No IO. */
import { countBits, createBitmap, hasBit, nextClearBit, setBit } from "../../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../../shared/protocol/blocks.ts";

/** What became of an arriving block. */
export type Arrival = "new" | "duplicate" | "impossible";

/** A request that was sent and is not fully answered. */
interface Outstanding {
  readonly token: string;
  readonly sentAtMs: number;
  /** Order number of the first block; the others follow by one. */
  readonly firstOrder: number;
  readonly blockIds: Uint32Array;
  /** Index of the first block that is not settled: held, or given up. */
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
  private latestArrivedOrder = 0;
  heldCount: number;
  /** Bytes asked for and neither arrived nor given up. */
  askedBytes = 0;

  constructor(sizeBytes: number, blockSizeBytes: number, held: Uint8Array) {
    this.sizeBytes = sizeBytes;
    this.blockSizeBytes = blockSizeBytes;
    this.blockCount = countBlocks(sizeBytes, blockSizeBytes);
    this.held = createBitmap(this.blockCount);
    this.orderOf = new Uint32Array(this.blockCount);
    for (let blockId = 0; blockId < this.blockCount; blockId++) {
      if (hasBit(held, blockId)) setBit(this.held, blockId);
    }
    this.heldCount = countBits(this.held);
  }

  get complete(): boolean {
    return this.heldCount === this.blockCount;
  }

  /** The lowest missing blocks that are not asked for: at most `most` of them, within `maxBytes`. */
  findMissing(most: number, maxBytes: number): Uint32Array {
    const found = new Uint32Array(Math.min(most, this.blockCount));
    let count = 0;
    let bytes = 0;
    let blockId = nextClearBit(this.held, 0, this.blockCount);
    for (; blockId >= 0 && count < found.length; blockId = nextClearBit(this.held, blockId + 1, this.blockCount)) {
      if (this.orderOf[blockId] !== 0) continue;
      bytes += this.lengthOf(blockId);
      if (bytes > maxBytes && count > 0) break;
      found[count++] = blockId;
    }
    return found.subarray(0, count);
  }

  /** Notes that a request for these blocks, none of them asked for now, was sent. */
  ask(token: string, blockIds: Uint32Array, nowMs: number): void {
    const firstOrder = this.lastOrder + 1;
    for (const blockId of blockIds) {
      this.orderOf[blockId] = ++this.lastOrder;
      this.askedBytes += this.lengthOf(blockId);
    }
    this.outstanding.push({ token, sentAtMs: nowMs, firstOrder, blockIds, settled: 0, answered: false });
  }

  /** Takes in an arriving block. `impossible`: no such block, or not its length. */
  arrive(blockId: number, sizeBytes: number): Arrival {
    if (blockId >= this.blockCount || sizeBytes !== this.lengthOf(blockId)) return "impossible";
    if (!setBit(this.held, blockId)) return "duplicate";
    this.heldCount++;
    const order = this.orderOf[blockId] as number;
    if (order !== 0) {
      this.orderOf[blockId] = 0;
      this.askedBytes -= sizeBytes;
      this.latestArrivedOrder = Math.max(this.latestArrivedOrder, order);
    }
    return "new";
  }

  /** The time at which the request with this token was sent, the first time it is asked after; undefined otherwise. */
  takeSentAtMs(token: string): number | undefined {
    const request = this.outstanding.find((candidate) => candidate.token === token);
    if (request === undefined || request.answered) return undefined;
    request.answered = true;
    return request.sentAtMs;
  }

  /** Says whether a request with this token is not fully answered. */
  isOutstanding(token: string): boolean {
    return this.outstanding.some((request) => request.token === token);
  }

  /** Gives up the blocks that later ones overtook, so that they are missing again; returns how many. */
  giveUpOvertaken(): number {
    const lostBefore = this.latestArrivedOrder - REORDER_THRESHOLD + 1;
    let lost = 0;
    for (const request of this.outstanding) {
      lost += this.settle(request, lostBefore);
      if (request.settled < request.blockIds.length) break;
    }
    while (this.outstanding[0] !== undefined && this.outstanding[0].settled === this.outstanding[0].blockIds.length) {
      this.outstanding.shift();
    }
    return lost;
  }

  /** Gives up everything that is asked for; returns how many blocks. */
  giveUpAll(): number {
    let lost = 0;
    for (const request of this.outstanding) lost += this.settle(request, Number.POSITIVE_INFINITY);
    this.outstanding = [];
    return lost;
  }

  private settle(request: Outstanding, lostBefore: number): number {
    let lost = 0;
    for (; request.settled < request.blockIds.length; request.settled++) {
      const blockId = request.blockIds[request.settled] as number;
      const order = request.firstOrder + request.settled;
      if (this.orderOf[blockId] !== order) continue;
      if (order >= lostBefore) break;
      this.orderOf[blockId] = 0;
      this.askedBytes -= this.lengthOf(blockId);
      lost++;
    }
    return lost;
  }

  private lengthOf(blockId: number): number {
    return blockLength(blockId, this.sizeBytes, this.blockSizeBytes);
  }
}
