/** Decodes what simulated devices are answered with, blocks aside, into inputs of their sessions. No IO. */
import { decodeChecksums, decodeDescription, decodeRejected } from "../../shared/protocol/decode-response.ts";
import type { Description } from "../../shared/protocol/messages.ts";
import type { Format, Operation } from "../../shared/protocol/topics.ts";
import { readFirstToken } from "../../shared/protocol/usual-get.ts";
import { WIRE_KEY } from "../../shared/protocol/wire-keys.ts";
import type { SessionInput } from "../protocol/session-types.ts";

/** A description that was decoded, its token aside. */
interface KnownDescription {
  readonly bytes: Buffer;
  readonly tokenEnd: number;
  readonly description: Description;
}

/** As CBOR spells it: a text of one character. */
const TOKEN_KEY = Buffer.of(0x61, WIRE_KEY.clientToken.charCodeAt(0));

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
    const first = this.format === "cbor" ? readFirstToken(message) : undefined;
    if (first === undefined) return decodeDescription(this.format, message);
    const { clientToken, end: tokenEnd } = first;
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
