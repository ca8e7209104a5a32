/** Turns what a publisher sends into the inputs of a download session. */
import { decodeChecksums, decodeData, decodeDescription, decodeRejected } from "../shared/protocol/decode-response.ts";
import { readDataFrame } from "../shared/protocol/read-data-frame.ts";
import type { Format, Operation } from "../shared/protocol/topics.ts";
import type { SessionInput } from "./protocol/session-types.ts";

/** An input, and the bytes of the block where it is one. */
export interface DecodedMessage {
  readonly input: SessionInput;
  /** A view of the message. */
  readonly payload?: Uint8Array;
}

/** Decodes the message of an operation; undefined when it is none that a device understands. */
export function decodeMessage(operation: Operation, format: Format, message: Uint8Array): DecodedMessage | undefined {
  switch (operation) {
    case "data": {
      const data = (format === "cbor" ? readDataFrame(message) : undefined) ?? decodeData(format, message);
      if (data === undefined) return undefined;
      const { fileId, blockId, clientToken, payload } = data;
      return { input: { on: "blockArrived", fileId, blockId, sizeBytes: payload.length, clientToken }, payload };
    }
    case "description": {
      const description = decodeDescription(format, message);
      return description && { input: { on: "described", description } };
    }
    case "checksums": {
      const checksums = decodeChecksums(format, message);
      return checksums && { input: { on: "checksumsArrived", message: checksums } };
    }
    case "rejected": {
      const rejection = decodeRejected(format, message);
      return rejection && { input: { on: "rejected", rejection } };
    }
    default:
      return undefined;
  }
}
