/** Reads the MQTT packets of one connection as they stream in, blocks without putting their messages together. No IO. */
import { MAX_CLIENT_TOKEN_BYTES, MAX_FILE_ID, MAX_PACKET_BYTES } from "../../shared/protocol/limits.ts";
import { WIRE_KEY } from "../../shared/protocol/wire-keys.ts";
import { type GrowingRun, isNextIn, type ReceivedRun } from "./received-run.ts";
import { isText, type Spelling, spell, startsWith, viewOf } from "./spelling.ts";

/** Takes what a {@link LeanParser} finds. */
export interface LeanSink {
  /** The messages of these blocks came whole, one after another; valid during the call. */
  runArrived(run: ReceivedRun): void;
  /**
   * Of a block whose message is cut, or malformed at its end, the next part of the payload: `bytes` from `start` to `end`,
   * valid during the call.
   */
  payloadArrived(bytes: Uint8Array, start: number, end: number): void;
  /** The message of the block whose payload came last is whole. */
  blockArrived(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined): void;
  /** The message of the block whose payload came last is malformed at its end: no such block arrived. */
  blockSpoiled(): void;
  /** Any other packet, whole, with its fixed header; valid during the call. */
  packetArrived(packet: Uint8Array): void;
}

/** Why a connection's bytes cannot be read further. */
export type ParserFault = "malformedLength" | "packetTooLarge";

const PUBLISH_QOS_0 = 0x30;
/** A remaining length has at most four bytes (MQTT 3.1.1 section 2.2.3). */
const MAX_LENGTH_BYTES = 4;
/** Most bytes of a data message before its payload: bf, then a key of two bytes before each value, the longest of each. */
const MAX_BEFORE_PAYLOAD = 1 + (2 + 2 + MAX_CLIENT_TOKEN_BYTES) + 4 * (2 + 5);
const ASCII_END = 0x80;

const CBOR_MAP = 0xbf;
const CBOR_BREAK = 0xff;
const CBOR_INTEGER = 0x00;
const CBOR_BYTES = 0x40;
const CBOR_TEXT = 0x60;
/** The head of a text of one character: every key. */
const CBOR_KEY = 0x61;
const TOKEN_KEY = WIRE_KEY.clientToken.charCodeAt(0);
const FILE_ID_KEY = WIRE_KEY.fileId.charCodeAt(0);
const BLOCK_ID_KEY = WIRE_KEY.blockId.charCodeAt(0);
const LENGTH_KEY = WIRE_KEY.length.charCodeAt(0);
const PAYLOAD_KEY = WIRE_KEY.payload.charCodeAt(0);

/**
 * Longer payloads are not moved to those before them: to look at each by itself costs as much as to copy so many bytes.
 */
const MAX_MOVED_BYTES = 16 * 1024;

/** More bytes are needed to tell. */
const NEED_MORE = -1;
/** Not a data message in the form that is streamed. */
const OTHER = -2;

/**
 * Streams what a download consists of: PUBLISH packets at QoS 0, not retained, on the data topic, with a CBOR data
 * message in the form of docs/PROTOCOL.md section 2 ("WIRE details": an indefinite map, keys c?, f, i, l, p) and an ASCII
 * token. Everything else is collected, up to 262,144 bytes, and handed over as packets. Packets may be cut anywhere.
 *
 * Blocks that follow one another, as those of an answer do, are handed over at once, their payloads moved together where
 * they were read: what is done for each block is most of what a simulated device costs.
 */
export class LeanParser {
  private readonly sink: LeanSink;
  /** Length and bytes of the data topic as they stand in a packet; undefined streams nothing. */
  private readonly topic: Spelling | undefined;
  /** With so many bytes of a packet, or all of them, its form can be told. */
  private readonly enoughBytes: number;
  /** The beginning of a packet whose form could not be told yet. */
  private carried: Uint8Array | undefined;
  /** A packet that is being collected, and how much of it is there. */
  private packet: Uint8Array | undefined;
  private packetBytes = 0;
  /** Of the block whose message is being streamed. */
  private fileId = 0;
  private blockId = 0;
  private sizeBytes = 0;
  private clientToken: string | undefined;
  private payloadLeft = 0;
  /** Blocks that are whole and not handed over yet. */
  private run: GrowingRun | undefined;
  private awaitsBreak = false;
  /** The newest token: all blocks of an answer have the same. */
  private knownToken = "";
  /** Where the head that is being read stands. */
  private at = 0;
  private fault: ParserFault | undefined;

  /** `dataTopic` is the topic in UTF-8 on which blocks arrive in CBOR. */
  constructor(sink: LeanSink, dataTopic: Uint8Array | undefined) {
    this.sink = sink;
    this.topic = dataTopic && spell(dataTopic);
    this.enoughBytes = 1 + MAX_LENGTH_BYTES + (this.topic?.byteLength ?? 0) + MAX_BEFORE_PAYLOAD;
  }

  /**
   * Reads `length` bytes, which it may change; afterwards they are the caller's again. `view` is of all of `bytes`, where
   * the caller has one. After a fault the connection must be closed.
   */
  push(bytes: Uint8Array, length: number, view: DataView = viewOf(bytes)): ParserFault | undefined {
    let at = 0;
    while (this.carried !== undefined && at < length) {
      const joined = new Uint8Array(Math.min(this.carried.length + length - at, this.enoughBytes));
      joined.set(this.carried);
      const added = joined.length - this.carried.length;
      joined.set(bytes.subarray(at, at + added), this.carried.length);
      this.carried = undefined;
      this.read(joined, viewOf(joined), 0, joined.length);
      at += added;
    }
    this.read(bytes, view, at, length);
    return this.fault;
  }

  private read(bytes: Uint8Array, view: DataView, start: number, limit: number): void {
    let at = start;
    while (at < limit && this.fault === undefined) {
      if (this.payloadLeft > 0) {
        const end = Math.min(at + this.payloadLeft, limit);
        this.payloadLeft -= end - at;
        this.sink.payloadArrived(bytes, at, end);
        at = end;
      } else if (this.awaitsBreak) {
        this.awaitsBreak = false;
        if (bytes[at++] !== CBOR_BREAK) this.sink.blockSpoiled();
        else this.sink.blockArrived(this.fileId, this.blockId, this.sizeBytes, this.clientToken);
      } else if (this.packet !== undefined) {
        at += this.collect(this.packet, bytes, at, limit);
      } else {
        const taken = this.beginPacket(bytes, view, at, limit);
        if (taken === NEED_MORE) this.carried = new Uint8Array(bytes.subarray(at, limit));
        at = taken === NEED_MORE ? limit : at + taken;
      }
    }
    this.endRun();
  }

  /** Reads the beginning of a packet; returns how many bytes it took, or NEED_MORE and takes none. */
  private beginPacket(bytes: Uint8Array, view: DataView, start: number, limit: number): number {
    const end = this.readLength(bytes, start, limit);
    if (end === NEED_MORE) return NEED_MORE;
    if (end - start > MAX_PACKET_BYTES) this.fault ??= "packetTooLarge";
    if (this.fault !== undefined) return limit - start;
    let isData = false;
    if (bytes[start] === PUBLISH_QOS_0 && this.topic !== undefined) {
      if (limit < end && limit - start < this.enoughBytes) return NEED_MORE;
      isData = startsWith(view, this.at, limit, this.topic) && this.readDataHead(bytes, end, this.topic.byteLength);
    }
    if (isData && end <= limit && bytes[end - 1] === CBOR_BREAK) {
      this.addToRun(bytes);
      return end - start;
    }
    this.endRun();
    if (isData) {
      this.payloadLeft = this.sizeBytes;
      this.awaitsBreak = true;
      return this.at - start;
    }
    const available = Math.min(end, limit);
    if (available === end) {
      this.sink.packetArrived(bytes.subarray(start, end));
    } else {
      this.packet = new Uint8Array(end - start);
      this.packet.set(bytes.subarray(start, available));
      this.packetBytes = available - start;
    }
    return available - start;
  }

  /** Reads the remaining length of a packet; returns where the packet ends, and leaves `at` behind the fixed header. */
  private readLength(bytes: Uint8Array, start: number, limit: number): number {
    let remaining = 0;
    let scale = 1;
    for (let at = start + 1; at < limit; at++) {
      const byte = bytes[at] as number;
      remaining += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.at = at + 1;
        return at + 1 + remaining;
      }
      if (at - start === MAX_LENGTH_BYTES) {
        this.fault = "malformedLength";
        return limit;
      }
      scale *= 128;
    }
    return NEED_MORE;
  }

  /**
   * Reads a PUBLISH packet behind its topic up to its payload; says whether it is a data message to be streamed. What lies
   * beyond the packet's end may be read, and then the lengths do not add up.
   */
  private readDataHead(bytes: Uint8Array, end: number, topicBytes: number): boolean {
    const at = this.at + topicBytes;
    if (bytes[at] !== CBOR_MAP) return false;
    this.at = at + 1;
    this.clientToken = undefined;
    if (bytes[at + 1] === CBOR_KEY && bytes[at + 2] === TOKEN_KEY) {
      this.at = at + 3;
      if (!this.readToken(bytes)) return false;
    }
    this.fileId = this.readValue(bytes, FILE_ID_KEY, CBOR_INTEGER);
    this.blockId = this.readValue(bytes, BLOCK_ID_KEY, CBOR_INTEGER);
    this.sizeBytes = this.readValue(bytes, LENGTH_KEY, CBOR_INTEGER);
    const payloadBytes = this.readValue(bytes, PAYLOAD_KEY, CBOR_BYTES);
    if (this.fileId < 0 || this.fileId > MAX_FILE_ID || this.blockId < 0 || this.sizeBytes < 0) return false;
    return payloadBytes === this.sizeBytes && this.at + payloadBytes + 1 === end;
  }

  /** Takes the block whose payload begins at `at` and is all there. */
  private addToRun(bytes: Uint8Array): void {
    const { run, fileId, blockId, sizeBytes, clientToken, at } = this;
    if (run !== undefined && sizeBytes <= MAX_MOVED_BYTES && isNextIn(run, fileId, blockId, sizeBytes, clientToken)) {
      bytes.copyWithin(run.start + run.blockCount * sizeBytes, at, at + sizeBytes);
      run.blockCount++;
    } else {
      this.endRun();
      this.run = { fileId, blockId, blockCount: 1, sizeBytes, clientToken, bytes, start: at };
    }
  }

  private endRun(): void {
    const { run } = this;
    if (run === undefined) return;
    this.run = undefined;
    this.sink.runArrived(run);
  }

  /** Reads a key and the head of its value, whose argument it returns; OTHER when it is not that. */
  private readValue(bytes: Uint8Array, key: number, majorType: number): number {
    const { at } = this;
    if (bytes[at] !== CBOR_KEY || bytes[at + 1] !== key) return OTHER;
    const detail = (bytes[at + 2] as number) - majorType;
    const first = bytes[at + 3] as number;
    if (detail >= 0 && detail < 24) {
      this.at = at + 3;
      return detail;
    }
    if (detail === 24) {
      this.at = at + 4;
      return first;
    }
    if (detail === 25) {
      this.at = at + 5;
      return first * 0x100 + (bytes[at + 4] as number);
    }
    if (detail !== 26) return OTHER;
    this.at = at + 7;
    const [high, low] = [first * 0x100 + (bytes[at + 4] as number), bytes[at + 5] as number];
    return (high * 0x100 + low) * 0x100 + (bytes[at + 6] as number);
  }

  private readToken(bytes: Uint8Array): boolean {
    let length = (bytes[this.at] as number) - CBOR_TEXT;
    let start = this.at + 1;
    if (!(length >= 0 && length <= 24)) return false;
    if (length === 24) length = bytes[start++] as number;
    if (!(length <= MAX_CLIENT_TOKEN_BYTES)) return false;
    this.at = start + length;
    if (!isText(this.knownToken, bytes, start, length)) {
      let token = "";
      for (let index = start; index < start + length; index++) {
        const byte = bytes[index] as number;
        if (!(byte < ASCII_END)) return false;
        token += String.fromCharCode(byte);
      }
      this.knownToken = token;
    }
    this.clientToken = this.knownToken;
    return true;
  }

  /** Adds to the packet that is being collected; returns how many bytes it took. */
  private collect(packet: Uint8Array, bytes: Uint8Array, at: number, limit: number): number {
    const taken = Math.min(packet.length - this.packetBytes, limit - at);
    packet.set(bytes.subarray(at, at + taken), this.packetBytes);
    this.packetBytes += taken;
    if (this.packetBytes === packet.length) {
      this.packet = undefined;
      this.sink.packetArrived(packet);
    }
    return taken;
  }
}
