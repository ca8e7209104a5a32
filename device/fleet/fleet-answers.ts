/** Decodes what simulated devices are answered with, blocks aside, into inputs of their sessions. No IO. */
import { decodeChecksums, decodeDescription, decodeRejected } from "../../shared/protocol/decode-response.ts";
import type { Description } from "../../shared/protocol/messages.ts";
import type { Format, Operation } from "../../shared/protocol/topics.ts";
import { WIRE_KEY } from "../../shared/protocol/wire-keys.ts";
import type { SessionInput } from "../protocol/session-types.ts";

/** A description that was decoded, its token aside. */
interface KnownDescription {
  readonly bytes: Buffer;
  readonly tokenEnd: number;
  readonly description: Description;
}

/** The head of a text of one character: a key. */
const KEY = 0x61;
const TEXT = 0x60;
/** Texts of more bytes have a longer head. */
const MAX_SHORT_BYTES = 23;
const ASCII_END = 0x80;
const TOKEN_AT = 4;
const TOKEN_KEY = Buffer.of(KEY, WIRE_KEY.clientToken.charCodeAt(0));

/**
 * For all devices of a process. A description differs from one device to the next in its token, which stands first: the
 * rest is decoded once, as long as it stays the same.
 */
export class FleetAnswers {
  private readonly format: Format;
  private known: KnownDescription | undefined;

  constructor(format: Format) {
    this.format = format;
  }

  /** The input that a message on an operation's topic makes; undefined when it makes none. */
  decode(operation: Operation | undefined, message: Uint8Array): SessionInput | undefined {
    if (operation === "description") {
      const description = this.decodeDescription(message);
      return description && { on: "described", description };
    }
    if (operation === "checksums") {
      const checksums = decodeChecksums(this.format, message);
      return checksums && { on: "checksumsArrived", message: checksums };
    }
    const rejection = operation === "rejected" ? decodeRejected(this.format, message) : undefined;
    return rejection && { on: "rejected", rejection };
  }

  private decodeDescription(message: Uint8Array): Description | undefined {
    const clientToken = this.format === "cbor" ? readFirstToken(message) : undefined;
    if (clientToken === undefined) return decodeDescription(this.format, message);
    const tokenEnd = TOKEN_AT + clientToken.length;
    const { known } = this;
    if (known !== undefined && message[0] === known.bytes[0]) {
      const isSame = known.bytes.compare(message, tokenEnd, message.length, known.tokenEnd) === 0;
      if (isSame) return { ...known.description, clientToken };
    }
    const description = decodeDescription(this.format, message);
    const bytes = Buffer.from(message);
    // A second token behind the first would be the one that counts.
    const hasOtherToken = bytes.includes(TOKEN_KEY, tokenEnd);
    this.known = description !== undefined && !hasOtherToken ? { bytes, tokenEnd, description } : undefined;
    return description;
  }
}

/** The token of a CBOR map that begins with a short ASCII one. */
function readFirstToken(message: Uint8Array): string | undefined {
  const length = (message[TOKEN_AT - 1] ?? 0) - TEXT;
  if (message[1] !== TOKEN_KEY[0] || message[2] !== TOKEN_KEY[1]) return undefined;
  if (length < 0 || length > MAX_SHORT_BYTES || TOKEN_AT + length > message.length) return undefined;
  let token = "";
  for (let at = TOKEN_AT; at < TOKEN_AT + length; at++) {
    const byte = message[at] as number;
    if (byte >= ASCII_END) return undefined;
    token += String.fromCharCode(byte);
  }
  return token;
}
