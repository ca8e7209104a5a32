/** Framing of data messages, from bytes that are the same for every block of one answer. No IO. */
import { base64Length, writeBase64 } from "./base64.ts";
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
const CBOR_TEXT = 0x60;
/** A key of one letter: the head of a text string of one byte, and the letter. */
const KEY_HEAD = CBOR_TEXT | 1;
const KEY_BYTES = 2;
const BLOCK_ID_KEY = WIRE_KEY.blockId.charCodeAt(0);
const LENGTH_KEY = WIRE_KEY.length.charCodeAt(0);
const PAYLOAD_KEY = WIRE_KEY.payload.charCodeAt(0);
const JSON_BEFORE_LENGTH = Buffer.from(`,"${WIRE_KEY.length}":`);
const JSON_BEFORE_PAYLOAD = Buffer.from(`,"${WIRE_KEY.payload}":"`);
const JSON_AFTER_PAYLOAD = Buffer.from('"}');
const PUBLISH_QOS_0 = 0x30;

/**
 * Writes the data messages of one answer (docs/PROTOCOL.md section 2, "WIRE details"): CBOR as an indefinite-length map,
 * JSON as an object, keys in the order c, f, i, l, p. A message is written in place; nothing is allocated for a block.
 */
export class DataFrame {
  private readonly json: boolean;
  /** Everything before the block id. */
  private readonly beforeId: Uint8Array;
  /** Its size without block id, length and payload, in bytes. */
  private readonly fixedBytes: number;

  constructor(options: DataFrameOptions) {
    this.json = options.format === "json";
    this.beforeId = this.json ? jsonOpening(options) : cborOpening(options);
    this.fixedBytes =
      this.beforeId.length +
      (this.json
        ? JSON_BEFORE_LENGTH.length + JSON_BEFORE_PAYLOAD.length + JSON_AFTER_PAYLOAD.length
        : 2 * KEY_BYTES + 1);
  }

  /** The size of a data message in bytes. */
  payloadLength(blockId: number, blockBytes: number): number {
    return this.json
      ? this.fixedBytes + decimalLength(blockId) + decimalLength(blockBytes) + base64Length(blockBytes)
      : this.fixedBytes + headLength(blockId) + 2 * headLength(blockBytes) + blockBytes;
  }

  /**
   * Writes a data message into `target` at `offset`; its block is the bytes of `source` from `start` to before `end`.
   * Returns the offset after it. There must be room for it.
   */
  writePayload(
    target: Uint8Array,
    offset: number,
    blockId: number,
    source: Uint8Array,
    start = 0,
    end = source.length,
  ): number {
    const blockBytes = end - start;
    const at = this.writeOpening(target, offset, blockId, blockBytes);
    if (this.json) return this.writeClosing(target, writeBase64(target, at, source.subarray(start, end)));
    target.set(source.subarray(start, end), at);
    return this.writeClosing(target, at + blockBytes);
  }

  /** Writes what comes before the block of a data message; returns the offset after it. */
  writeOpening(target: Uint8Array, offset: number, blockId: number, blockBytes: number): number {
    let at = put(target, offset, this.beforeId);
    if (this.json) {
      at = put(target, writeDecimal(target, at, blockId), JSON_BEFORE_LENGTH);
      return put(target, writeDecimal(target, at, blockBytes), JSON_BEFORE_PAYLOAD);
    }
    at = writeKey(target, writeHead(target, at, 0, blockId), LENGTH_KEY);
    at = writeKey(target, writeHead(target, at, 0, blockBytes), PAYLOAD_KEY);
    return writeHead(target, at, CBOR_BYTE_STRING, blockBytes);
  }

  /** Writes what comes after the block of a data message; returns the offset after it. */
  writeClosing(target: Uint8Array, offset: number): number {
    if (this.json) return put(target, offset, JSON_AFTER_PAYLOAD);
    target[offset] = CBOR_BREAK;
    return offset + 1;
  }

  /** In CBOR: where the block id stands, from the beginning of the message on. */
  get idOffset(): number {
    return this.beforeId.length;
  }

  /** One data message as bytes of its own. */
  encode(blockId: number, block: Uint8Array): Uint8Array {
    const message = new Uint8Array(this.payloadLength(blockId, block.length));
    this.writePayload(message, 0, blockId, block);
    return message;
  }
}

function jsonOpening({ clientToken, fileId }: DataFrameOptions): Uint8Array {
  const token = clientToken === undefined ? {} : { [WIRE_KEY.clientToken]: clientToken };
  const opening = encodeJson({ ...token, [WIRE_KEY.fileId]: fileId });
  return Buffer.concat([opening.subarray(0, -1), Buffer.from(`,"${WIRE_KEY.blockId}":`)]);
}

/** By hand, because it is made for every answer: the open map, the token if there is one, the file id, the next key. */
function cborOpening({ clientToken, fileId }: DataFrameOptions): Uint8Array {
  const tokenBytes = clientToken === undefined ? 0 : Buffer.byteLength(clientToken);
  const tokenMember = clientToken === undefined ? 0 : KEY_BYTES + headLength(tokenBytes) + tokenBytes;
  const opening = Buffer.allocUnsafe(1 + tokenMember + KEY_BYTES + headLength(fileId) + KEY_BYTES);
  opening[0] = CBOR_MAP;
  let at = 1;
  if (clientToken !== undefined) {
    at = writeHead(opening, writeKey(opening, at, WIRE_KEY.clientToken.charCodeAt(0)), CBOR_TEXT, tokenBytes);
    at += opening.write(clientToken, at);
  }
  at = writeHead(opening, writeKey(opening, at, WIRE_KEY.fileId.charCodeAt(0)), 0, fileId);
  writeKey(opening, at, BLOCK_ID_KEY);
  return opening;
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

function writeKey(target: Uint8Array, offset: number, letter: number): number {
  target[offset] = KEY_HEAD;
  target[offset + 1] = letter;
  return offset + KEY_BYTES;
}

/** The size in bytes of the head of a CBOR item with this argument, below 2^32. */
export function headLength(value: number): number {
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
