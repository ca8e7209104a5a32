/** Decodes what a simulated device is answered with, blocks aside, into inputs of its session. No IO. */
import { decodeChecksums, decodeDescription, decodeRejected } from "../../shared/protocol/decode-response.ts";
import type { Format, Operation } from "../../shared/protocol/topics.ts";
import type { SessionInput } from "../protocol/session-types.ts";

/** The input that a message on an operation's topic makes; undefined when it makes none. */
export function decodeAnswer(
  operation: Operation | undefined,
  format: Format,
  message: Uint8Array,
): SessionInput | undefined {
  if (operation === "description") {
    const description = decodeDescription(format, message);
    return description && { on: "described", description };
  }
  if (operation === "checksums") {
    const checksums = decodeChecksums(format, message);
    return checksums && { on: "checksumsArrived", message: checksums };
  }
  const rejection = operation === "rejected" ? decodeRejected(format, message) : undefined;
  return rejection && { on: "rejected", rejection };
}
