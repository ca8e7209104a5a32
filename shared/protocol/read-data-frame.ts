/** Reading of CBOR data messages in the one form that publishers send, without building what a decoder builds. No IO. */
import { isFileId } from "./ids.ts";
import type { DataMessage } from "./messages.ts";
import { WIRE_KEY } from "./wire-keys.ts";

const CBOR_MAP = 0xbf;
const CBOR_BREAK = 0xff;
const ONE_CHARACTER = 0x61;
/** A major type, as the upper three bits of a head. */
const UNSIGNED = 0x00;
const BYTE_STRING = 0x40;
const TEXT = 0x60;
/** Longer tokens are for the decoder. */
const MAX_TOKEN_BYTES = 64;

/**
 * Reads what `DataFrame` writes: an indefinite-length map with the keys c (which may be absent), f, i, l and p in this
 * order. The payload is a view of `bytes`. Undefined for anything else, which may still be a data message: `decodeData`
 * knows, and what this function reads, `decodeData` reads the same.
 */
export function readDataFrame(bytes: Uint8Array): DataMessage | undefined {
  if (bytes[0] !== CBOR_MAP) return undefined;
  const cursor: Cursor = { bytes, at: 1 };
  const hasToken = skipKey(cursor, WIRE_KEY.clientToken);
  const clientToken = hasToken ? readToken(cursor) : undefined;
  if (hasToken && clientToken === undefined) return undefined;
  const fileId = skipKey(cursor, WIRE_KEY.fileId) ? readHead(cursor, UNSIGNED) : -1;
  const blockId = skipKey(cursor, WIRE_KEY.blockId) ? readHead(cursor, UNSIGNED) : -1;
  const length = skipKey(cursor, WIRE_KEY.length) ? readHead(cursor, UNSIGNED) : -1;
  const payloadBytes = skipKey(cursor, WIRE_KEY.payload) ? readHead(cursor, BYTE_STRING) : -1;
  if (!isFileId(fileId) || blockId < 0 || length < 0 || length !== payloadBytes) return undefined;
  const end = cursor.at + length;
  if (bytes.length !== end + 1 || bytes[end] !== CBOR_BREAK) return undefined;
  const payload = bytes.subarray(cursor.at, end);
  return clientToken === undefined ? { fileId, blockId, payload } : { clientToken, fileId, blockId, payload };
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function skipKey(cursor: Cursor, key: string): boolean {
  const { bytes, at } = cursor;
  if (bytes[at] !== ONE_CHARACTER || bytes[at + 1] !== key.charCodeAt(0)) return false;
  cursor.at = at + 2;
  return true;
}

/** The argument of a head of this major type, with up to four bytes of its own; -1 when there is none. */
function readHead(cursor: Cursor, majorType: number): number {
  const { bytes } = cursor;
  const detail = (bytes[cursor.at++] ?? 0xff) - majorType;
  if (detail >= 0 && detail < 24) return detail;
  if (detail < 24 || detail > 26) return -1;
  const end = cursor.at + (1 << (detail - 24));
  if (end > bytes.length) return -1;
  let argument = 0;
  while (cursor.at < end) argument = argument * 256 + (bytes[cursor.at++] as number);
  return argument;
}

/** A token of ASCII only, which needs no check of its encoding. */
function readToken(cursor: Cursor): string | undefined {
  const { bytes } = cursor;
  const length = readHead(cursor, TEXT);
  if (length < 0 || length > MAX_TOKEN_BYTES || length > bytes.length - cursor.at) return undefined;
  let token = "";
  for (const end = cursor.at + length; cursor.at < end; cursor.at++) {
    const character = bytes[cursor.at] as number;
    if (character > 0x7f) return undefined;
    token += String.fromCharCode(character);
  }
  return token;
}
