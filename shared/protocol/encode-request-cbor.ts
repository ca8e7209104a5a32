/** What devices ask in CBOR, written byte by byte: thousands of them ask, each often, and all in one form. No IO. */
import { writeHead } from "./data-frame.ts";
import type { DescribeRequest, GetRequest } from "./messages.ts";
import { WIRE_KEY } from "./wire-keys.ts";

/** The longest head of a value. */
const HEAD_BYTES = 5;
/** A key, which is a text of one character. */
const KEY_BYTES = 2;
const INTEGERS = 5;
const MAX_INTEGER = 0xffff_ffff;
const ASCII_END = 0x80;

const CBOR_INTEGER = 0x00;
const CBOR_BYTES = 0x40;
const CBOR_TEXT = 0x60;
const CBOR_KEY = 0x61;
const CBOR_MAP = 0xa0;

/** Encodes a describe request as `{c?}`, the bytes that {@link encodeCbor} makes; undefined for a token that is not ASCII. */
export function encodeDescribeCbor({ clientToken }: DescribeRequest): Uint8Array | undefined {
  if (clientToken === undefined) return Uint8Array.of(CBOR_MAP);
  const bytes = Buffer.allocUnsafe(1 + KEY_BYTES + HEAD_BYTES + clientToken.length);
  bytes[0] = CBOR_MAP + 1;
  const end = writeToken(bytes, 1, clientToken);
  return end === undefined ? undefined : bytes.subarray(0, end);
}

/**
 * Encodes a GetStream request as `{c?, s?, f, l, o?, n?, b?}`, the bytes that {@link encodeCbor} makes of the same map;
 * undefined for what only that one can write: a token that is not ASCII, or a number that is no integer from 0 to 2^32 - 1.
 */
export function encodeGetCbor(request: GetRequest): Uint8Array | undefined {
  const { clientToken, streamVersion, fileId, blockSizeBytes, blockOffset, blockCount, blockBitmap } = request;
  const variableBytes = (clientToken?.length ?? 0) + (blockBitmap?.length ?? 0);
  const bytes = Buffer.allocUnsafe(1 + (INTEGERS + 2) * (KEY_BYTES + HEAD_BYTES) + variableBytes);
  let at = 1;
  let members = 0;
  if (clientToken !== undefined) {
    members++;
    const tokenEnd = writeToken(bytes, at, clientToken);
    if (tokenEnd === undefined) return undefined;
    at = tokenEnd;
  }
  const writeInteger = (key: string, value: number | undefined): boolean => {
    if (value === undefined) return true;
    if (!Number.isInteger(value) || value < 0 || value > MAX_INTEGER || Object.is(value, -0)) return false;
    members++;
    at = writeHead(bytes, writeKey(bytes, at, key), CBOR_INTEGER, value);
    return true;
  };
  const isWritten =
    writeInteger(WIRE_KEY.streamVersion, streamVersion) &&
    writeInteger(WIRE_KEY.fileId, fileId) &&
    writeInteger(WIRE_KEY.length, blockSizeBytes) &&
    writeInteger(WIRE_KEY.blockOffset, blockOffset) &&
    writeInteger(WIRE_KEY.blockCount, blockCount);
  if (!isWritten) return undefined;
  if (blockBitmap !== undefined) {
    members++;
    at = writeHead(bytes, writeKey(bytes, at, WIRE_KEY.blockBitmap), CBOR_BYTES, blockBitmap.length);
    bytes.set(blockBitmap, at);
    at += blockBitmap.length;
  }
  bytes[0] = CBOR_MAP + members;
  return bytes.subarray(0, at);
}

/** Writes key and value, and returns where they end; undefined when the token is not ASCII. */
function writeToken(bytes: Uint8Array, start: number, clientToken: string): number | undefined {
  let at = writeHead(bytes, writeKey(bytes, start, WIRE_KEY.clientToken), CBOR_TEXT, clientToken.length);
  for (let index = 0; index < clientToken.length; index++) {
    const code = clientToken.charCodeAt(index);
    if (code >= ASCII_END) return undefined;
    bytes[at++] = code;
  }
  return at;
}

function writeKey(bytes: Uint8Array, at: number, key: string): number {
  bytes[at] = CBOR_KEY;
  bytes[at + 1] = key.charCodeAt(0);
  return at + KEY_BYTES;
}
