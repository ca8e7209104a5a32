/** Frames blocks as MQTT packets into reused chunks of memory, so that one write carries many blocks. */
import { blockLength } from "../shared/protocol/blocks.ts";
import { DataFrame, publishLength, writePublishHead } from "../shared/protocol/data-frame.ts";
import type { BlockRun } from "../shared/transport.ts";

/** Holds 16 blocks of 4096 bytes with the longest topic and client token. */
const CHUNK_BYTES = 72 * 1024;
/** Sizes of memory: a short run takes less than a chunk; the last one holds the largest block in JSON. */
const MEMORY_BYTES = [18 * 1024, CHUNK_BYTES, 192 * 1024] as const;
/** Memory that is kept for later, in bytes. */
const MAX_FREE_BYTES = 16 * 1024 * 1024;

/** Whole PUBLISH packets of consecutive blocks of a run, held by one reader at first. */
export class FramedChunk {
  readonly packets: Buffer;
  /** How many blocks it carries, at least 1. */
  readonly blockCount: number;
  private readonly giveBack: (memory: Buffer) => void;
  private readonly memory: Buffer;
  private readers = 1;

  constructor(memory: Buffer, sizeBytes: number, blockCount: number, giveBack: (memory: Buffer) => void) {
    this.memory = memory;
    this.packets = memory.subarray(0, sizeBytes);
    this.blockCount = blockCount;
    this.giveBack = giveBack;
  }

  /** Adds a reader, who must release it, too. */
  share(): void {
    this.readers++;
  }

  /** Takes a reader away, who may not read `packets` any more; after the last one the memory is used again. */
  release(): void {
    if (--this.readers === 0) this.giveBack(this.memory);
  }
}

interface Framing {
  readonly frame: DataFrame;
  readonly topic: Buffer;
}

/** Frames runs of blocks; a chunk has at most 72 KiB, or one block that is larger. */
export class BlockFramer {
  private readonly framings = new WeakMap<BlockRun, Framing>();
  private readonly free = MEMORY_BYTES.map((memoryBytes) => ({ memoryBytes, memories: [] as Buffer[] }));
  private freeBytes = 0;

  /** Frames the blocks of `run` from index `from` on, as many as fit a chunk and one at least; `from` is inside the run. */
  frame(run: BlockRun, from: number): FramedChunk {
    const framing = this.framingOf(run);
    const firstBytes = packetLength(run, framing, from);
    const left = run.blockIds.length - from;
    const limit = firstBytes > CHUNK_BYTES ? 1 : left;
    const memory = this.take(limit === 1 ? firstBytes : Math.min(CHUNK_BYTES, left * longestPacket(run, framing)));
    let end = 0;
    let blockCount = 0;
    while (blockCount < limit) {
      const index = from + blockCount;
      if (end + packetLength(run, framing, index) > memory.length) break;
      end = writePacket(memory, end, run, framing, index);
      blockCount++;
    }
    return new FramedChunk(memory, end, blockCount, this.giveBack);
  }

  private take(sizeBytes: number): Buffer {
    const free = this.free.find(({ memoryBytes }) => memoryBytes >= sizeBytes);
    const memory = free?.memories.pop();
    if (memory === undefined) return Buffer.allocUnsafeSlow(free?.memoryBytes ?? sizeBytes);
    this.freeBytes -= memory.length;
    return memory;
  }

  private readonly giveBack = (memory: Buffer): void => {
    if (this.freeBytes + memory.length > MAX_FREE_BYTES) return;
    this.freeBytes += memory.length;
    this.free.find(({ memoryBytes }) => memoryBytes === memory.length)?.memories.push(memory);
  };

  private framingOf(run: BlockRun): Framing {
    const known = this.framings.get(run);
    if (known !== undefined) return known;
    const framing = { frame: new DataFrame(run), topic: Buffer.from(run.topic) };
    this.framings.set(run, framing);
    return framing;
  }
}

/** At least the size of every packet of a run: heads grow with the block id. */
function longestPacket(run: BlockRun, { frame, topic }: Framing): number {
  const lastId = run.blockIds[run.blockIds.length - 1] as number;
  return publishLength(topic.length, frame.payloadLength(lastId, run.blockSizeBytes));
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
