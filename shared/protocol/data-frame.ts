/** Framing of data messages, from bytes that are the same for every block of one answer. No IO. */
import { base64Length, writeBase64 } from "./base64.ts";
import { encodeCbor } from "./cbor.ts";
import { encodeJson } from "./json.ts";
import type { Format } from "./topics.ts";
import { WIRE_KEY } from "./wire-keys.ts";

/** What all data messages of one answer share. */
export interface DataFrameOptions {
  readonly format: Format;
  readonly clientToken?: string | undefined;
  readonly fileId: number;
}

const CBOR_MAP = 0xbf;
const CBOR_BREAK = 0xff;
const CBOR_BYTE_STRING = 0x40;
const PUBLISH_QOS_0 = 0x30;

/**
 * Writes the data messages of one answer (docs/PROTOCOL.md section 2, "WIRE details"): CBOR as an indefinite-length map,
 * JSON as an object, keys in the order c, f, i, l, p. A message is written in place; nothing is allocated for a block.
 */
export class DataFrame {
  private readonly json: boolean;
  /** Everything before the block id. */
  private readonly beforeId: Uint8Array;
  private readonly beforeLength: Uint8Array;
  private readonly beforePayload: Uint8Array;
  private readonly afterPayload: Uint8Array;

  constructor({ format, clientToken, fileId }: DataFrameOptions) {
    this.json = format === "json";
    const token = clientToken === undefined ? {} : { [WIRE_KEY.clientToken]: clientToken };
    const opening = { ...token, [WIRE_KEY.fileId]: fileId };
    if (this.json) {
      this.beforeId = Buffer.concat([encodeJson(opening).subarray(0, -1), Buffer.from(`,"${WIRE_KEY.blockId}":`)]);
      this.beforeLength = Buffer.from(`,"${WIRE_KEY.length}":`);
      this.beforePayload = Buffer.from(`,"${WIRE_KEY.payload}":"`);
      this.afterPayload = Buffer.from('"}');
    } else {
      // A definite map of fewer than 24 members has a one-byte head: cut it off, and the members remain.
      const members = encodeCbor(opening).slice(1);
      this.beforeId = Buffer.concat([Uint8Array.of(CBOR_MAP), members, encodeCbor(WIRE_KEY.blockId)]);
      this.beforeLength = encodeCbor(WIRE_KEY.length).slice();
      this.beforePayload = encodeCbor(WIRE_KEY.payload).slice();
      this.afterPayload = Uint8Array.of(CBOR_BREAK);
    }
  }

  /** The size of a data message in bytes. */
  payloadLength(blockId: number, blockBytes: number): number {
    const fixed =
      this.beforeId.length + this.beforeLength.length + this.beforePayload.length + this.afterPayload.length;
    return this.json
      ? fixed + decimalLength(blockId) + decimalLength(blockBytes) + base64Length(blockBytes)
      : fixed + headLength(blockId) + 2 * headLength(blockBytes) + blockBytes;
  }

  /** Writes a data message into `target` at `offset`; returns the offset after it. There must be room for it. */
  writePayload(target: Uint8Array, offset: number, blockId: number, block: Uint8Array): number {
    let at = put(target, offset, this.beforeId);
    at = this.json ? writeDecimal(target, at, blockId) : writeHead(target, at, 0, blockId);
    at = put(target, at, this.beforeLength);
    at = this.json ? writeDecimal(target, at, block.length) : writeHead(target, at, 0, block.length);
    at = put(target, at, this.beforePayload);
    if (this.json) {
      at = writeBase64(target, at, block);
    } else {
      at = put(target, writeHead(target, at, CBOR_BYTE_STRING, block.length), block);
    }
    return put(target, at, this.afterPayload);
  }

  /** One data message as bytes of its own. */
  encode(blockId: number, block: Uint8Array): Uint8Array {
    const message = new Uint8Array(this.payloadLength(blockId, block.length));
    this.writePayload(message, 0, blockId, block);
    return message;
  }
}

/** The size in bytes of an MQTT 3.1.1 PUBLISH packet at QoS 0 with a topic of `topicBytes` and a payload of `payloadBytes`. */
export function publishLength(topicBytes: number, payloadBytes: number): number {
  const remaining = 2 + topicBytes + payloadBytes;
  return 1 + variableLength(remaining) + remaining;
}

/** Writes all of a PUBLISH packet at QoS 0, not retained, up to its payload; returns the offset where the payload goes. */
export function writePublishHead(target: Uint8Array, offset: number, topic: Uint8Array, payloadBytes: number): number {
  let at = offset;
  target[at++] = PUBLISH_QOS_0;
  let remaining = 2 + topic.length + payloadBytes;
  while (remaining > 127) {
    target[at++] = (remaining & 127) | 128;
    remaining >>>= 7;
  }
  target[at++] = remaining;
  target[at++] = topic.length >>> 8;
  target[at++] = topic.length & 0xff;
  return put(target, at, topic);
}

function variableLength(remaining: number): number {
  if (remaining < 128) return 1;
  if (remaining < 16_384) return 2;
  return remaining < 2_097_152 ? 3 : 4;
}

function put(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  target.set(bytes, offset);
  return offset + bytes.length;
}

function headLength(value: number): number {
  if (value < 24) return 1;
  if (value < 0x100) return 2;
  return value < 0x1_0000 ? 3 : 5;
}

/** Writes the head of a CBOR item, shortest form: a major type (in its upper three bits) and an argument below 2^32. Returns where the next byte goes. */
export function writeHead(target: Uint8Array, offset: number, majorType: number, value: number): number {
  let at = offset;
  if (value < 24) {
    target[at++] = majorType | value;
    return at;
  }
  const width = headLength(value) - 1;
  target[at++] = majorType | (width === 1 ? 24 : width === 2 ? 25 : 26);
  for (let shift = (width - 1) * 8; shift >= 0; shift -= 8) target[at++] = (value >>> shift) & 0xff;
  return at;
}

function decimalLength(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits;
}

function writeDecimal(target: Uint8Array, offset: number, value: number): number {
  const end = offset + decimalLength(value);
  let rest = value;
  for (let at = end - 1; at >= offset; at--) {
    target[at] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return end;
}
