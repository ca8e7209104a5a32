/** A walk over the bytes of one CBOR item (RFC 8949) that finds its end and refuses what a peer has no business sending. No IO. */

/** Deepest nesting a peer may send; the messages need 3. */
const MAX_DEPTH = 16;
const BREAK = 0xff;
const utf8 = new TextDecoder("utf-8", { fatal: true });

class Refusal extends Error {}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

/**
 * Finds the end of the first item in `bytes`: the index after its last byte. Undefined when the bytes are not one
 * well-formed item without tags, nested at most 16 deep, with valid UTF-8 in its text. Reads each byte once and
 * allocates nothing that grows with the lengths the bytes claim.
 */
export function findCborEnd(bytes: Uint8Array): number | undefined {
  const cursor: Cursor = { bytes, at: 0 };
  try {
    skipItem(cursor, 0);
    return cursor.at;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function skipItem(cursor: Cursor, depth: number): void {
  if (depth > MAX_DEPTH) throw new Refusal("nested too deep");
  const head = takeByte(cursor);
  const majorType = head >> 5;
  const detail = head & 0x1f;
  if (majorType === 6) throw new Refusal("tags are not part of the protocol");
  if (majorType === 7) skipSimple(cursor, detail);
  else if (detail === 31) skipIndefinite(cursor, majorType, depth);
  else skipDefinite(cursor, majorType, takeArgument(cursor, detail), depth);
}

function skipDefinite(cursor: Cursor, majorType: number, argument: number, depth: number): void {
  if (majorType === 2) take(cursor, argument);
  if (majorType === 3) checkText(take(cursor, argument));
  if (majorType === 4) skipItems(cursor, argument, depth);
  if (majorType === 5) skipItems(cursor, argument * 2, depth);
}

/** Every item is at least a byte long, so a count beyond the rest of the bytes ends the walk before it loops. */
function skipItems(cursor: Cursor, count: number, depth: number): void {
  if (count > cursor.bytes.length - cursor.at) throw new Refusal("claims more items than bytes");
  for (let index = 0; index < count; index++) skipItem(cursor, depth + 1);
}

function skipIndefinite(cursor: Cursor, majorType: number, depth: number): void {
  if (majorType < 2) throw new Refusal("integers have no indefinite length");
  while (cursor.bytes[cursor.at] !== BREAK) {
    if (majorType <= 3) skipChunk(cursor, majorType);
    else skipItem(cursor, depth + 1);
    if (majorType === 5) skipItem(cursor, depth + 1);
  }
  cursor.at++;
}

function skipChunk(cursor: Cursor, majorType: number): void {
  const head = takeByte(cursor);
  if (head >> 5 !== majorType || (head & 0x1f) === 31) throw new Refusal("a chunk must be a definite string");
  const chunk = take(cursor, takeArgument(cursor, head & 0x1f));
  if (majorType === 3) checkText(chunk);
}

function skipSimple(cursor: Cursor, detail: number): void {
  if (detail >= 28) throw new Refusal("reserved, or a break with nothing open");
  if (detail === 24 && takeByte(cursor) < 32) throw new Refusal("simple value in a longer form than needed");
  if (detail > 24) take(cursor, 1 << (detail - 24));
}

function takeArgument(cursor: Cursor, detail: number): number {
  if (detail < 24) return detail;
  if (detail > 27) throw new Refusal("reserved length");
  let argument = 0;
  for (const byte of take(cursor, 1 << (detail - 24))) argument = argument * 256 + byte;
  return argument;
}

function takeByte(cursor: Cursor): number {
  const byte = cursor.bytes[cursor.at++];
  if (byte === undefined) throw new Refusal("ends early");
  return byte;
}

function take(cursor: Cursor, count: number): Uint8Array {
  if (count > cursor.bytes.length - cursor.at) throw new Refusal("ends early");
  cursor.at += count;
  return cursor.bytes.subarray(cursor.at - count, cursor.at);
}

function checkText(bytes: Uint8Array): void {
  try {
    utf8.decode(bytes);
  } catch {
    throw new Refusal("text is not UTF-8");
  }
}
