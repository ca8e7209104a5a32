/** The bounds a download session keeps, and what they are when the caller does not say. No IO. */
import type { SessionOptions } from "./session-types.ts";

/** Eight full answers. */
const DEFAULT_MAX_WINDOW_BYTES = 1_048_576;
const DEFAULT_FRUITLESS_ROUNDS = 8;
const DEFAULT_RESTARTS = 1;
const DEFAULT_DISCONNECTED_MS = 120_000;

/** The bounds as numbers; see {@link SessionOptions} for each. */
export interface SessionBounds {
  /** Most bytes asked for ahead: no more than the link needs, the caller allows, or the device's buffers hold. */
  readonly windowBytes: number;
  readonly maxFruitlessRounds: number;
  readonly maxRestarts: number;
  readonly maxDisconnectedMs: number;
}

/** Reads the bounds out of the options. */
export function boundsOf(options: SessionOptions): SessionBounds {
  const { blockSizeBytes, bufferBlocks = Number.POSITIVE_INFINITY } = options;
  return {
    windowBytes: Math.min(options.maxWindowBytes ?? DEFAULT_MAX_WINDOW_BYTES, bufferBlocks * blockSizeBytes),
    maxFruitlessRounds: options.maxFruitlessRounds ?? DEFAULT_FRUITLESS_ROUNDS,
    maxRestarts: options.maxRestarts ?? DEFAULT_RESTARTS,
    maxDisconnectedMs: options.maxDisconnectedMs ?? DEFAULT_DISCONNECTED_MS,
  };
}
