/** A run of blocks on its way from the publisher to one device. No IO. */
import type { Format } from "./topics.ts";

/** Blocks of one file that are owed to one device: what one accepted request is answered with, or a part of it. */
export interface BlockRun {
  /** The data topic of the device and stream. */
  readonly topic: string;
  readonly format: Format;
  readonly clientToken?: string;
  readonly fileId: number;
  readonly blockSizeBytes: number;
  /** The whole file; shared between devices and never changed. */
  readonly fileBytes: Uint8Array;
  /** Ascending. */
  readonly blockIds: Uint32Array;
}
