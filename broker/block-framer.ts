/** Frames blocks as MQTT packets into reused chunks of memory, so that one write carries many blocks. */
import { blockLength } from "../shared/protocol/blocks.ts";
import { DataFrame, publishLength, writePublishHead } from "../shared/protocol/data-frame.ts";
import type { BlockRun } from "../shared/transport.ts";

/** Holds 16 blocks of 4096 bytes with the longest topic and client token. */
const CHUNK_BYTES = 72 * 1024;
/** Holds the largest block in JSON, with the longest topic and client token. */
const LARGE_CHUNK_BYTES = 192 * 1024;
/** Free chunks that are kept, of each size. */
const MAX_FREE_CHUNKS = 64;
const MAX_FREE_LARGE_CHUNKS = 8;

/** Whole PUBLISH packets of consecutive blocks of a run. */
export interface FramedChunk {
  readonly packets: Buffer;
  /** How many blocks it carries, at least 1. */
  readonly blockCount: number;
  /** Gives the memory back; nobody may read `packets` after that. */
  release(): void;
}

interface Framing {
  readonly frame: DataFrame;
  readonly topic: Buffer;
}

/** Frames runs of blocks; a chunk has at most 72 KiB, or one block that is larger. */
export class BlockFramer {
  private readonly framings = new WeakMap<BlockRun, Framing>();
  private readonly free: Buffer[] = [];
  private readonly freeLarge: Buffer[] = [];

  /** Frames the blocks of `run` from index `from` on, as many as fit a chunk and one at least; `from` is inside the run. */
  frame(run: BlockRun, from: number): FramedChunk {
    const framing = this.framingOf(run);
    const isLarge = packetLength(run, framing, from) > CHUNK_BYTES;
    const pool = isLarge ? this.freeLarge : this.free;
    const memory = pool.pop() ?? Buffer.allocUnsafeSlow(isLarge ? LARGE_CHUNK_BYTES : CHUNK_BYTES);
    const limit = isLarge ? 1 : run.blockIds.length - from;
    let end = 0;
    let blockCount = 0;
    while (blockCount < limit) {
      const index = from + blockCount;
      if (end + packetLength(run, framing, index) > memory.length) break;
      end = writePacket(memory, end, run, framing, index);
      blockCount++;
    }
    const release = (): void => {
      if (pool.length < (isLarge ? MAX_FREE_LARGE_CHUNKS : MAX_FREE_CHUNKS)) pool.push(memory);
    };
    return { packets: memory.subarray(0, end), blockCount, release };
  }

  private framingOf(run: BlockRun): Framing {
    const known = this.framings.get(run);
    if (known !== undefined) return known;
    const framing = { frame: new DataFrame(run), topic: Buffer.from(run.topic) };
    this.framings.set(run, framing);
    return framing;
  }
}

function packetLength(run: BlockRun, { frame, topic }: Framing, index: number): number {
  const blockId = run.blockIds[index] as number;
  const blockBytes = blockLength(blockId, run.fileBytes.length, run.blockSizeBytes);
  return publishLength(topic.length, frame.payloadLength(blockId, blockBytes));
}

function writePacket(target: Buffer, offset: number, run: BlockRun, { frame, topic }: Framing, index: number): number {
  const blockId = run.blockIds[index] as number;
  const start = blockId * run.blockSizeBytes;
  const block = run.fileBytes.subarray(start, start + run.blockSizeBytes);
  const payloadAt = writePublishHead(target, offset, topic, frame.payloadLength(blockId, block.length));
  return frame.writePayload(target, payloadAt, blockId, block);
}
