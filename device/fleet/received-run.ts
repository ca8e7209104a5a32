/** Blocks that came at once, with their payloads where they were read. No IO. */
import { crc32 } from "../../shared/crc32.ts";
import type { RunArrived } from "../protocol/session-types.ts";

/** Valid during the call that hands it over. */
export interface ReceivedRun extends RunArrived {
  /** The payloads stand here one after another, without a gap, from `start` on. */
  readonly bytes: Uint8Array;
  readonly start: number;
}

/** The CRC-32 of all payloads, unsigned, behind bytes whose CRC-32 is `previous`. */
export function crcOfRun({ bytes, start, blockCount, sizeBytes }: ReceivedRun, previous: number): number {
  return crc32(new Uint8Array(bytes.buffer, bytes.byteOffset + start, blockCount * sizeBytes), previous);
}

/** The blocks by themselves, in their order: each as a run of one. */
export function* blocksIn(run: ReceivedRun): Generator<ReceivedRun> {
  const { blockId, blockCount, sizeBytes, start } = run;
  for (let index = 0; index < blockCount; index++) {
    yield { ...run, blockId: blockId + index, blockCount: 1, start: start + index * sizeBytes };
  }
}

/** Whoever takes blocks by themselves. */
interface BlockTaker {
  readonly isEnded: boolean;
  takeBlock(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined, crc32: number): void;
}

/** Hands the blocks over by themselves, until their taker has ended. */
export function takeOneByOne(run: ReceivedRun, taker: BlockTaker): void {
  for (const block of blocksIn(run)) {
    // What comes behind the block that ended a download is nobody's.
    if (taker.isEnded) return;
    taker.takeBlock(block.fileId, block.blockId, block.sizeBytes, block.clientToken, crcOfRun(block, 0));
  }
}

/** A run that still grows. */
export type GrowingRun = { -readonly [Key in keyof ReceivedRun]: ReceivedRun[Key] };

/** Says whether a block with this name is one more of a run. */
export function isNextIn(
  run: ReceivedRun,
  fileId: number,
  blockId: number,
  sizeBytes: number,
  clientToken: string | undefined,
): boolean {
  return (
    blockId === run.blockId + run.blockCount &&
    sizeBytes === run.sizeBytes &&
    fileId === run.fileId &&
    clientToken === run.clientToken
  );
}
