/** The messages of a linked connection, and what damage makes of them. */
import { crc32 } from "../../shared/crc32.ts";
import { decodeData } from "../../shared/protocol/decode-response.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";
import { combineCrc32 } from "./crc-combine.ts";
import { corruptBytes, truncateBytes } from "./damage.ts";
import type { Faults, LinkFault } from "./faults.ts";

/** A message with its bytes. */
export interface WholeMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Payload bytes of the block in it; 0 when there is none. */
  readonly blockBytes: number;
}

/** A block in CBOR that was streamed: its bytes are gone, and their CRC-32 is known. */
export interface BlockNote {
  readonly fileId: number;
  readonly blockId: number;
  readonly blockBytes: number;
  readonly clientToken: string | undefined;
  /** Unsigned. */
  readonly crc32: number;
  /** Damaged where the name of the block is. */
  readonly isSpoiled?: boolean;
}

/** What a link carries towards a device. */
export type LinkMessage = WholeMessage | BlockNote;

/** What a data message in CBOR has besides its payload, about. */
const BLOCK_HEAD_BYTES = 32;

/** The bytes of a message, topic aside. */
export function sizeOf(message: LinkMessage): number {
  return "payload" in message ? message.payload.length : message.blockBytes + BLOCK_HEAD_BYTES;
}

/** The payload bytes of the block that a message on some topic carries; 0 when there is none. */
export function blockBytesIn(topic: string, payload: Uint8Array): number {
  const parsed = parseTopic(topic);
  if (parsed?.kind !== "stream" || parsed.operation !== "data") return 0;
  return decodeData(parsed.format, payload)?.payload.length ?? 0;
}

/** The message with one bit changed; of a block that was streamed, the CRC-32 becomes that of the changed bytes. */
export function corruptMessage<Message extends LinkMessage>(message: Message, faults: Faults<LinkFault>): Message {
  if ("payload" in message) return { ...message, payload: corruptBytes(message.payload, faults) };
  const at = faults.between(0, sizeOf(message) - 1) - BLOCK_HEAD_BYTES;
  if (at < 0) return { ...message, isSpoiled: true };
  const changed = Uint8Array.of(1 << faults.between(0, 7));
  // CRC-32 is linear: a changed byte changes it by what the change alone is worth at its place.
  const difference = (crc32(changed) ^ crc32(Uint8Array.of(0))) >>> 0;
  return { ...message, crc32: (message.crc32 ^ combineCrc32(difference, 0, message.blockBytes - 1 - at)) >>> 0 };
}

/** The message cut somewhere; a block that was streamed is of no use then. */
export function truncateMessage<Message extends LinkMessage>(message: Message, faults: Faults<LinkFault>): Message {
  if ("payload" in message) return { ...message, payload: truncateBytes(message.payload, faults) };
  return { ...message, isSpoiled: true };
}
