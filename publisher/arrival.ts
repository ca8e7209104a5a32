/** A request on its way through the publisher, and what is kept of it while it waits. */
import type { RequestTopic } from "./request-topics.ts";

/** How much of a request the log shows, in bytes. */
const SHOWN_BYTES = 512;

/** A request whose topic is valid. */
export interface Arrival {
  readonly topic: RequestTopic;
  /** All of it, or its beginning when it is kept. */
  readonly payload: Uint8Array;
  /** The length of all of it. */
  readonly payloadBytes: number;
}

/** Copies of a request what the log shows, so that it can wait without its memory. */
export function keepArrival({ topic, payload, payloadBytes }: Arrival): Arrival {
  return { topic, payload: Uint8Array.from(beginningOf(payload)), payloadBytes };
}

/** Copies the bitmap of a decoded request, which may be a part of the request's memory. */
export function keepRequest<R extends object>(request: R & { readonly blockBitmap?: Uint8Array }): R {
  const { blockBitmap } = request;
  return blockBitmap === undefined ? request : { ...request, blockBitmap: Uint8Array.from(blockBitmap) };
}

/** The part of a request that the log shows. */
export function beginningOf(payload: Uint8Array): Uint8Array {
  return payload.subarray(0, SHOWN_BYTES);
}
