/** Follows MQTT packets through the bytes of a connection, to find one that is too large by its header alone. No IO. */
import { MAX_PACKET_BYTES } from "../../shared/protocol/limits.ts";

/** What is wrong with a packet that must not be read further. */
export type PacketFault =
  | { readonly kind: "tooLarge"; readonly sizeBytes: number; readonly limitBytes: number }
  | { readonly kind: "malformedLength" };

/** A remaining length has at most four bytes (MQTT 3.1.1 section 2.2.3). */
const MAX_LENGTH_BYTES = 4;

/**
 * Scans a connection's bytes in any chunking. A packet's size counts its fixed header. After a fault the connection
 * must be closed: every further scan repeats the fault.
 */
export class PacketScanner {
  private readonly limitBytes: number;
  /** Bytes of the current packet's body that are still to come. */
  private bodyLeft = 0;
  /** Bytes read of the current fixed header: 0 before a packet, then 1 and one for each length byte. */
  private headerBytes = 0;
  private remainingLength = 0;
  private fault: PacketFault | undefined;

  constructor(limitBytes: number = MAX_PACKET_BYTES) {
    this.limitBytes = limitBytes;
  }

  /** The next byte, if it may come, begins a packet. */
  get isBetweenPackets(): boolean {
    return this.bodyLeft === 0 && this.headerBytes === 0 && this.fault === undefined;
  }

  /** Reads the next bytes; returns the first fault found so far. */
  scan(bytes: Uint8Array): PacketFault | undefined {
    let at = 0;
    while (at < bytes.length && this.fault === undefined) {
      if (this.bodyLeft > 0) {
        const step = Math.min(this.bodyLeft, bytes.length - at);
        this.bodyLeft -= step;
        at += step;
      } else {
        this.readHeaderByte(bytes[at] as number);
        at++;
      }
    }
    return this.fault;
  }

  private readHeaderByte(byte: number): void {
    if (this.headerBytes === 0) {
      this.headerBytes = 1;
      this.remainingLength = 0;
      return;
    }
    this.remainingLength += (byte & 0x7f) * 128 ** (this.headerBytes - 1);
    this.headerBytes++;
    if (byte >= 0x80) {
      if (this.headerBytes > MAX_LENGTH_BYTES) this.fault = { kind: "malformedLength" };
      return;
    }
    const sizeBytes = this.headerBytes + this.remainingLength;
    if (sizeBytes > this.limitBytes) {
      this.fault = { kind: "tooLarge", sizeBytes, limitBytes: this.limitBytes };
    }
    this.bodyLeft = this.remainingLength;
    this.headerBytes = 0;
  }
}
