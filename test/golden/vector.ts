/** What the golden vectors are made of. */
import type { GetRequest } from "../../shared/protocol/messages.ts";
import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";

interface Vector {
  readonly name: string;
  /** The section of docs/PROTOCOL.md, with the words that carry the rule, or the RFC. */
  readonly source: string;
  readonly format: Format;
  readonly bytes: Uint8Array;
}

/** A GetStream request that is accepted, at least by the lenient profile. */
export interface RequestVector extends Vector {
  readonly request: GetRequest;
  /** What the strict profile answers, when it differs. */
  readonly strict?: RejectionCode;
}

/** A GetStream request that both profiles reject. */
export interface RejectedVector extends Vector {
  readonly code: RejectionCode;
  /** What the answer echoes. */
  readonly clientToken?: string;
}

/** A message that is encoded to these very bytes, and decoded back from them. */
export interface MessageVector<T> extends Vector {
  readonly message: T;
}

/** Bytes from hex digits; blanks separate what belongs together. */
export function hex(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits.replaceAll(" ", ""), "hex"));
}

/** Bytes of a text in UTF-8. */
export function utf8(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text));
}
