/** Texts as they stand in packets, so that bytes are compared with them quickly. No IO. */

/** A view of all of some bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes as numbers of four, and of one each where fewer are left: every device has them, and an array is small. */
export interface Spelling {
  readonly byteLength: number;
  readonly words: readonly number[];
  readonly rest: readonly number[];
}

/** Spells a topic as it stands in a packet, its length first. Without iterators: it is made for each connection. */
export function spell(topic: Uint8Array): Spelling {
  const bytes = new Uint8Array(2 + topic.length);
  bytes[0] = topic.length >>> 8;
  bytes[1] = topic.length & 0xff;
  bytes.set(topic, 2);
  const view = viewOf(bytes);
  const words: number[] = [];
  const rest: number[] = [];
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) words.push(view.getInt32(at));
  for (; at < bytes.length; at++) rest.push(view.getUint8(at));
  return { byteLength: bytes.length, words, rest };
}

/** Says whether bytes before `limit` begin with what was spelled: asked for every block, of some sixty bytes. */
export function startsWith(
  bytes: DataView,
  start: number,
  limit: number,
  { byteLength, words, rest }: Spelling,
): boolean {
  if (start + byteLength > limit) return false;
  let at = start;
  for (let index = 0; index < words.length; index++, at += 4) if (bytes.getInt32(at) !== words[index]) return false;
  for (let index = 0; index < rest.length; index++) if (bytes.getUint8(at + index) !== rest[index]) return false;
  return true;
}

/** Says whether bytes spell an ASCII text. */
export function isText(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) if (text.charCodeAt(index) !== bytes[start + index]) return false;
  return true;
}
