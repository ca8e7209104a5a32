/** Reads requests in CBOR as devices usually write them, and the tokens of messages, without the general decoder. No IO. */
import {
  MAX_BITMAP_BYTES,
  MAX_BLOCK_COUNT,
  MAX_BLOCK_OFFSET,
  MAX_BLOCK_SIZE_BYTES,
  MAX_CLIENT_TOKEN_BYTES,
  MIN_BLOCK_SIZE_BYTES,
} from "./limits.ts";
import type { DescribeRequest, GetRequest } from "./messages.ts";
import { WIRE_KEY } from "./wire-keys.ts";

/** A request while its members are read. */
type Draft = { -readonly [Key in keyof GetRequest]: GetRequest[Key] };

/** CBOR's major types, in the three high bits of a head. */
const UNSIGNED = 0 << 5;
const BYTES = 2 << 5;
const TEXT = 3 << 5;
const MAP = 5 << 5;
/** Seven fields are known. */
const MAX_MEMBERS = 7;

const CLIENT_TOKEN = WIRE_KEY.clientToken.charCodeAt(0);
const STREAM_VERSION = WIRE_KEY.streamVersion.charCodeAt(0);
const FILE_ID = WIRE_KEY.fileId.charCodeAt(0);
const BLOCK_SIZE = WIRE_KEY.length.charCodeAt(0);
const BLOCK_OFFSET = WIRE_KEY.blockOffset.charCodeAt(0);
const BLOCK_COUNT = WIRE_KEY.blockCount.charCodeAt(0);
const BLOCK_BITMAP = WIRE_KEY.blockBitmap.charCodeAt(0);

const ABSENT = -1;

/**
 * Reads a request that needs neither judgement nor leniency: one definite map of known keys, each at most once, of
 * unsigned integers below 2^32, an ASCII token and a byte string, everything in its range. Undefined for all else,
 * which the general decoder is to accept or refuse. The bitmap is a part of `bytes`.
 */
export function readUsualGet(bytes: Uint8Array): GetRequest | undefined {
  const head = bytes[0] as number;
  if (head < MAP || head > MAP + MAX_MEMBERS) return undefined;
  const draft: Draft = { fileId: ABSENT, blockSizeBytes: ABSENT };
  let at = 1;
  for (let left = head - MAP; left > 0; left--) {
    if (bytes[at] !== TEXT + 1) return undefined;
    at = readMember(bytes, at + 2, bytes[at + 1] as number, draft);
    if (at === ABSENT) return undefined;
  }
  return at === bytes.length && isInRange(draft) ? draft : undefined;
}

/** Reads a describe request in CBOR as {@link readUsualGet} does: a map of nothing, or of an ASCII token. */
export function readUsualDescribe(bytes: Uint8Array): DescribeRequest | undefined {
  if (bytes.length === 1 && bytes[0] === MAP) return {};
  const first = bytes[0] === MAP + 1 ? readFirstToken(bytes) : undefined;
  return first?.end === bytes.length ? { clientToken: first.clientToken } : undefined;
}

/**
 * Reads the token with which a map in CBOR begins, and where it ends: ASCII, of at most 64 bytes. Undefined for a map that
 * begins with another member or another token.
 */
export function readFirstToken(bytes: Uint8Array): { readonly clientToken: string; readonly end: number } | undefined {
  if (bytes[1] !== TEXT + 1 || bytes[2] !== CLIENT_TOKEN) return undefined;
  const tokenBytes = argumentAt(bytes, 3);
  if (tokenBytes === ABSENT || tokenBytes > MAX_CLIENT_TOKEN_BYTES) return undefined;
  if (((bytes[3] as number) & 0xe0) !== TEXT) return undefined;
  const from = 3 + headLength(bytes[3] as number);
  const end = from + tokenBytes;
  const clientToken = asciiAt(bytes, from, end);
  return clientToken === undefined ? undefined : { clientToken, end };
}

/** Reads the value that begins at `at` into the draft; returns the index after it, or ABSENT. */
function readMember(bytes: Uint8Array, at: number, key: number, draft: Draft): number {
  const argument = argumentAt(bytes, at);
  if (argument === ABSENT) return ABSENT;
  const from = at + headLength(bytes[at] as number);
  switch ((bytes[at] as number) & 0xe0) {
    case UNSIGNED:
      return setInteger(draft, key, argument) ? from : ABSENT;
    case BYTES:
      if (key !== BLOCK_BITMAP || draft.blockBitmap !== undefined || argument > bytes.length - from) return ABSENT;
      draft.blockBitmap = bytes.subarray(from, from + argument);
      return from + argument;
    case TEXT:
      if (key !== CLIENT_TOKEN || draft.clientToken !== undefined || argument > MAX_CLIENT_TOKEN_BYTES) return ABSENT;
      return setToken(draft, asciiAt(bytes, from, from + argument)) ? from + argument : ABSENT;
    default:
      return ABSENT;
  }
}

function setToken(draft: Draft, token: string | undefined): boolean {
  if (token === undefined) return false;
  draft.clientToken = token;
  return true;
}

/** Sets a field once; false for a second time and for a key that is no integer's. */
function setInteger(draft: Draft, key: number, value: number): boolean {
  switch (key) {
    case STREAM_VERSION:
      if (draft.streamVersion !== undefined) return false;
      draft.streamVersion = value;
      return true;
    case FILE_ID:
      if (draft.fileId !== ABSENT) return false;
      draft.fileId = value;
      return true;
    case BLOCK_SIZE:
      if (draft.blockSizeBytes !== ABSENT) return false;
      draft.blockSizeBytes = value;
      return true;
    case BLOCK_OFFSET:
      if (draft.blockOffset !== undefined) return false;
      draft.blockOffset = value;
      return true;
    case BLOCK_COUNT:
      if (draft.blockCount !== undefined) return false;
      draft.blockCount = value;
      return true;
    default:
      return false;
  }
}

function isInRange({ fileId, blockSizeBytes, blockOffset = 0, blockCount = 0, blockBitmap }: Draft): boolean {
  return (
    fileId !== ABSENT &&
    blockSizeBytes >= MIN_BLOCK_SIZE_BYTES &&
    blockSizeBytes <= MAX_BLOCK_SIZE_BYTES &&
    blockOffset <= MAX_BLOCK_OFFSET &&
    blockCount <= MAX_BLOCK_COUNT &&
    (blockBitmap === undefined || blockBitmap.length <= MAX_BITMAP_BYTES)
  );
}

/** The argument of the head at `at`, in at most four bytes; ABSENT when it is longer, indefinite or cut off. */
function argumentAt(bytes: Uint8Array, at: number): number {
  const head = bytes[at];
  if (head === undefined) return ABSENT;
  const detail = head & 0x1f;
  if (detail < 24) return detail;
  if (detail > 26 || at + headLength(head) > bytes.length) return ABSENT;
  const first = bytes[at + 1] as number;
  if (detail === 24) return first;
  const short = first * 256 + (bytes[at + 2] as number);
  return detail === 25 ? short : short * 65_536 + (bytes[at + 3] as number) * 256 + (bytes[at + 4] as number);
}

function headLength(head: number): number {
  const detail = head & 0x1f;
  return detail < 24 ? 1 : detail === 24 ? 2 : detail === 25 ? 3 : 5;
}

/** Text of ASCII characters; undefined when there are others, or when it is cut off. */
function asciiAt(bytes: Uint8Array, from: number, end: number): string | undefined {
  let text = "";
  for (let at = from; at < end; at++) {
    const byte = bytes[at] ?? 0xff;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
