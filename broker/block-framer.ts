/** Frames blocks as MQTT packets, in reused chunks of memory or around the file's own bytes, so that one write carries many. */
import { DataFrame, headLength, publishLength, writeHead, writePublishHead } from "../shared/protocol/data-frame.ts";
import { MAX_RESPONSE_BYTES } from "../shared/protocol/limits.ts";
import type { BlockRun } from "../shared/transport.ts";

/** Holds 18 blocks of 4096 bytes with the longest topic and client token: a device that does not keep up costs so much. */
const CHUNK_BYTES = 76 * 1024;
/** Blocks of this size on cost more to copy than to write from where they are (docs/adr/0002). */
const GATHER_FROM_BYTES = 16 * 1024;
/** Sizes of memory: what stands around gathered blocks, a short run, a chunk, and the largest block in JSON. */
const MEMORY_BYTES = [4 * 1024, 18 * 1024, CHUNK_BYTES, 192 * 1024] as const;
/** Memory that is kept for later, in bytes. */
const MAX_FREE_BYTES = 16 * 1024 * 1024;

/** Whole PUBLISH packets of consecutive blocks of a run, held by one reader at first. */
export class FramedChunk {
  /** The packets' bytes, in one piece or in several that follow each other. */
  readonly pieces: readonly Buffer[];
  readonly sizeBytes: number;
  /** How many blocks it carries, at least 1. */
  readonly blockCount: number;
  private readonly giveBack: (memory: Buffer) => void;
  private readonly memory: Buffer;
  private readers = 1;

  constructor(
    memory: Buffer,
    pieces: readonly Buffer[],
    sizeBytes: number,
    blockCount: number,
    giveBack: (memory: Buffer) => void,
  ) {
    this.memory = memory;
    this.pieces = pieces;
    this.sizeBytes = sizeBytes;
    this.blockCount = blockCount;
    this.giveBack = giveBack;
  }

  /** Adds a reader, who must release it, too. */
  share(): void {
    this.readers++;
  }

  /** Takes a reader away, who may not read `pieces` any more; after the last one the memory is used again. */
  release(): void {
    if (--this.readers === 0) this.giveBack(this.memory);
  }
}

/** What all packets of a run share. */
interface Framing {
  readonly run: BlockRun;
  readonly file: Buffer;
  readonly frame: DataFrame;
  readonly topic: Buffer;
  /** In CBOR, of the last packet. */
  head: PacketHead | undefined;
}

/** What stands before a block in its packet. Where ids are of the same length and blocks, too, only the id differs. */
interface PacketHead {
  readonly idBytes: number;
  readonly blockBytes: number;
  readonly bytes: Buffer;
  readonly idAt: number;
}

/** Frames runs of blocks; a copied chunk has at most 76 KiB, or one block that is larger. */
export class BlockFramer {
  private readonly free = MEMORY_BYTES.map((memoryBytes) => ({ memoryBytes, memories: [] as Buffer[] }));
  private freeBytes = 0;
  private last: Framing | undefined;

  /**
   * Frames the blocks of `run` from index `from` on: all of them if they fit a chunk, or else a part as large as those that
   * will follow it, so that none is small; one at least. `from` is inside the run.
   */
  frame(run: BlockRun, from: number): FramedChunk {
    const framing = this.framingOf(run);
    const left = run.blockIds.length - from;
    const longest = longestPacket(framing);
    const most = Math.max(1, Math.floor(CHUNK_BYTES / longest));
    const blockCount = Math.ceil(left / Math.ceil(left / most));
    const memory = this.take(blockCount * longest);
    let end = 0;
    for (let index = 0; index < blockCount; index++) end = writePacket(memory, end, framing, from + index);
    return new FramedChunk(memory, [memory.subarray(0, end)], end, blockCount, this.giveBack);
  }

  /** Says whether a run's packets can be the file's own bytes with heads between, and are better so. */
  gathers({ format, blockSizeBytes }: BlockRun): boolean {
    return format === "cbor" && blockSizeBytes >= GATHER_FROM_BYTES;
  }

  /** Frames blocks of a run that {@link gathers} from index `from` on, one answer at most and one block at least; copies none. */
  gather(run: BlockRun, from: number): FramedChunk {
    const framing = this.framingOf(run);
    const { frame } = framing;
    const most = Math.max(1, Math.floor(MAX_RESPONSE_BYTES / run.blockSizeBytes));
    const blockCount = Math.min(most, run.blockIds.length - from);
    const memory = this.take(blockCount * (longestPacket(framing) - run.blockSizeBytes));
    const pieces: Buffer[] = [];
    let pieceAt = 0;
    let end = 0;
    let sizeBytes = 0;
    for (let index = 0; index < blockCount; index++) {
      const blockId = run.blockIds[from + index] as number;
      const block = blockOf(framing, blockId);
      end = writePacketHead(memory, end, framing, blockId, block.length);
      pieces.push(memory.subarray(pieceAt, end), block);
      pieceAt = end;
      end = frame.writeClosing(memory, end);
      sizeBytes += block.length;
    }
    pieces.push(memory.subarray(pieceAt, end));
    return new FramedChunk(memory, pieces, sizeBytes + end, blockCount, this.giveBack);
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

  /** Remembers one run: to make its framing again for each of its chunks costs less than to remember them all. */
  private framingOf(run: BlockRun): Framing {
    if (this.last?.run === run) return this.last;
    const { fileBytes } = run;
    const file = Buffer.from(fileBytes.buffer, fileBytes.byteOffset, fileBytes.length);
    this.last = { run, frame: new DataFrame(run), topic: Buffer.from(run.topic), file, head: undefined };
    return this.last;
  }
}

/** At least the size of every packet of a run: heads grow with the block id. */
function longestPacket({ run, frame, topic }: Framing): number {
  const lastId = run.blockIds[run.blockIds.length - 1] as number;
  return publishLength(topic.length, frame.payloadLength(lastId, run.blockSizeBytes));
}

/** A block where it lies in the file. */
function blockOf({ run, file }: Framing, blockId: number): Buffer {
  const start = blockId * run.blockSizeBytes;
  return file.subarray(start, start + run.blockSizeBytes);
}

/** Writes the packet at an index of the run; returns the offset after it. */
function writePacket(target: Buffer, offset: number, framing: Framing, index: number): number {
  const { run, frame, topic, file } = framing;
  const blockId = run.blockIds[index] as number;
  const start = Math.min(blockId * run.blockSizeBytes, file.length);
  const end = Math.min(start + run.blockSizeBytes, file.length);
  if (run.format === "json") {
    const payloadBytes = frame.payloadLength(blockId, end - start);
    return frame.writePayload(target, writePublishHead(target, offset, topic, payloadBytes), blockId, file, start, end);
  }
  const blockAt = writePacketHead(target, offset, framing, blockId, end - start);
  // A view of a block costs more than the copy of a small one.
  file.copy(target, blockAt, start, end);
  return frame.writeClosing(target, blockAt + end - start);
}

/** Writes what stands before a block in its packet, in CBOR; returns the offset after it. */
function writePacketHead(
  target: Buffer,
  offset: number,
  framing: Framing,
  blockId: number,
  blockBytes: number,
): number {
  const { bytes, idAt } = headOf(framing, blockId, blockBytes);
  target.set(bytes, offset);
  writeHead(target, offset + idAt, 0, blockId);
  return offset + bytes.length;
}

function headOf(framing: Framing, blockId: number, blockBytes: number): PacketHead {
  const idBytes = headLength(blockId);
  const known = framing.head;
  if (known?.idBytes === idBytes && known.blockBytes === blockBytes) return known;
  const { frame, topic } = framing;
  const payloadBytes = frame.payloadLength(blockId, blockBytes);
  // Behind the block, one more byte ends the message.
  const bytes = Buffer.allocUnsafe(publishLength(topic.length, payloadBytes) - blockBytes - 1);
  const messageAt = writePublishHead(bytes, 0, topic, payloadBytes);
  frame.writeOpening(bytes, messageAt, blockId, blockBytes);
  framing.head = { idBytes, blockBytes, bytes, idAt: messageAt + frame.idOffset };
  return framing.head;
}
