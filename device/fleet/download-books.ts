/** Counts what a client that is not simulated itself receives and keeps, from its messages and its own reports. No IO. */
import { countBlocks } from "../../shared/protocol/blocks.ts";
import { decodeData, decodeDescription } from "../../shared/protocol/decode-response.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";
import type { FileProgress } from "../protocol/session-types.ts";
import { addProgress, type DeviceStats, type SessionCounts } from "./fleet-stats.ts";
import type { HeatMap } from "./heat-map.ts";

/** The books of one device. */
export class DownloadBooks {
  private readonly stats: DeviceStats;
  private readonly heat: HeatMap;
  private readonly place: number;
  private readonly blockSizeBytes: number;
  private readonly fileSizes = new Map<number, number>();
  /** Of the file in work, or of the run. */
  private current: SessionCounts | undefined;
  private file: FileProgress | undefined;
  /** Payload bytes of the block that arrived last. */
  lastBlockBytes = 0;

  constructor(stats: DeviceStats, heat: HeatMap, place: number, blockSizeBytes: number) {
    this.stats = stats;
    this.heat = heat;
    this.place = place;
    this.blockSizeBytes = blockSizeBytes;
  }

  /** What is counted of the file in work, and not in the stats yet. */
  get progress(): SessionCounts | undefined {
    return this.current;
  }

  /** A message arrived. */
  note(name: string, message: Uint8Array, nowMs: number): void {
    const topic = parseTopic(name);
    if (topic?.kind !== "stream") return;
    if (topic.operation === "description") {
      const description = decodeDescription(topic.format, message);
      for (const { fileId, sizeBytes } of description?.files ?? []) this.fileSizes.set(fileId, sizeBytes);
    }
    if (topic.operation !== "data") return;
    const data = decodeData(topic.format, message);
    if (data === undefined) {
      this.stats.malformedMessages++;
      return;
    }
    const { fileId, blockId, payload } = data;
    this.stats.messages++;
    this.stats.receivedBytes += payload.length;
    this.stats.firstBlockAtMs ??= nowMs;
    const blockCount = countBlocks(this.fileSizes.get(fileId) ?? 0, this.blockSizeBytes);
    if (blockId < blockCount) this.heat.note(this.place, blockId, blockCount, nowMs);
    this.lastBlockBytes = payload.length;
  }

  /** A new block was kept, of so many bytes. */
  keep(sizeBytes: number): void {
    this.stats.blocks++;
    this.stats.bytes += sizeBytes;
  }

  /** The agent kept a block of the file in work. */
  follow(progress: FileProgress): void {
    const { file } = this;
    const isSame = file?.fileId === progress.fileId && file.requests <= progress.requests;
    if (!isSame) addProgress(this.stats, this.current);
    const before = isSame ? file.heldBlocks : progress.resumedBlocks;
    this.file = progress;
    this.current = progress;
    this.keep(Math.max(0, this.bytesIn(progress, progress.heldBlocks) - this.bytesIn(progress, before)));
  }

  /** What a client that counts over all files has counted. */
  count(counts: SessionCounts): void {
    this.current = counts;
  }

  /** The run is over, one way or the other. */
  close(): void {
    addProgress(this.stats, this.current);
    this.current = undefined;
    this.file = undefined;
  }

  /** Exact once all blocks are held; before that the last one may be taken for a whole one. */
  private bytesIn({ blocks, sizeBytes }: FileProgress, heldBlocks: number): number {
    return heldBlocks === blocks ? sizeBytes : heldBlocks * this.blockSizeBytes;
  }
}
