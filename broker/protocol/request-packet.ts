/** Finds a thing's requests among the MQTT packets of its connection without decoding the others. No IO. */
import { isRequestOperation, parseTopic } from "../../shared/protocol/topics.ts";

/** A request as a PUBLISH packet carries it. */
export interface RequestPacket {
  readonly topic: string;
  /** A part of the bytes it was read from. */
  readonly payload: Uint8Array;
  /** The index after the packet's last byte. */
  readonly end: number;
}

/** The first byte of PUBLISH at QoS 0, neither repeated nor retained. */
const PLAIN_PUBLISH = 0x30;
const NO_BYTES = new Uint8Array(0);

/** Reads the requests of one thing. The topic of the last one is kept: a download repeats it, and only compares it. */
export class RequestPacketReader {
  private readonly thing: string;
  private lastTopic = "";
  private lastTopicBytes: Uint8Array = NO_BYTES;

  constructor(thing: string) {
    this.thing = thing;
  }

  /**
   * Reads the packet that begins at `at`: a whole plain PUBLISH below 16 KiB to a valid request topic of this thing.
   * Undefined for every other packet, and for one whose end is not there.
   */
  read(bytes: Buffer, at: number): RequestPacket | undefined {
    if (bytes[at] !== PLAIN_PUBLISH) return undefined;
    const low = bytes[at + 1] ?? 0xff;
    const high = low < 0x80 ? 0 : (bytes[at + 2] ?? 0xff);
    if (high >= 0x80) return undefined;
    const bodyAt = low < 0x80 ? at + 2 : at + 3;
    const end = bodyAt + (low & 0x7f) + high * 0x80;
    if (end > bytes.length || end < bodyAt + 2) return undefined;
    const topicAt = bodyAt + 2;
    const topicEnd = topicAt + (bytes[bodyAt] as number) * 256 + (bytes[bodyAt + 1] as number);
    if (topicEnd > end || !this.isOwnRequest(bytes, topicAt, topicEnd)) return undefined;
    return { topic: this.lastTopic, payload: bytes.subarray(topicEnd, end), end };
  }

  /** Says whether the bytes are such a topic, which is then the last one. */
  private isOwnRequest(bytes: Buffer, from: number, end: number): boolean {
    if (isSame(this.lastTopicBytes, bytes, from, end)) return true;
    // A character outside ASCII is allowed nowhere in such a topic, and stays one that is not when read as latin1.
    const topic = bytes.toString("latin1", from, end);
    const parsed = parseTopic(topic);
    if (parsed?.kind !== "stream" || parsed.thing !== this.thing || !isRequestOperation(parsed.operation)) return false;
    this.lastTopic = topic;
    this.lastTopicBytes = Uint8Array.from(bytes.subarray(from, end));
    return true;
  }
}

function isSame(known: Uint8Array, bytes: Uint8Array, from: number, end: number): boolean {
  if (known.length !== end - from || known.length === 0) return false;
  // Topics of one thing differ in their last levels, if at all.
  for (let index = known.length - 1; index >= 0; index--) {
    if (known[index] !== bytes[from + index]) return false;
  }
  return true;
}
