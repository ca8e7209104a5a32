/** What a rule of the protocol is, as data: a request, and the messages that must answer it. */
import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import type { StreamFacts } from "./stream-facts.ts";
import type { Format } from "./wire.ts";

/** Where docs/PROTOCOL.md says a rule comes from; what it leaves unmarked in section 2 is the developer guide's. */
export type Origin = "API" | "DG" | "MODEL" | "WIRE" | "OURS";

/** What every rule has. */
interface RuleHead {
  /** `<group>.<name>`, with the format last where a rule is shown in both. */
  readonly id: string;
  /** The rule in one sentence. */
  readonly text: string;
  /** The section of docs/PROTOCOL.md. */
  readonly source: string;
  readonly origin: Origin;
  /** The request profile under which the rule holds. */
  readonly profile: "both" | "strict" | "lenient";
  /** The rule can only be seen when the server is its own broker. */
  readonly needsOwnBroker: boolean;
}

/** A rule about one request and its answer. */
export interface RequestRule extends RuleHead {
  readonly kind: "request";
  readonly exchange: (facts: StreamFacts) => Exchange;
}

/** A rule about a connection of its own. */
export interface ConnectionRule extends RuleHead {
  readonly kind: "connection";
  readonly steps: (facts: StreamFacts) => readonly Step[];
}

/** One rule. */
export type Rule = RequestRule | ConnectionRule;

/** A request and everything that must come back for it, in order; nothing: the server must stay silent. */
export interface Exchange {
  /** `describe/cbor` for example; what follows the stream id in the topic. */
  readonly operation: string;
  /** Another stream than the one under test. */
  readonly streamId?: string;
  readonly payload: Uint8Array;
  readonly expected: readonly Expected[];
}

/** One message that must come back. */
export type Expected = ExpectedBytes | ExpectedRejection;

/** A message of which every byte is known. */
export interface ExpectedBytes {
  readonly kind: "bytes";
  readonly operation: "data" | "description";
  readonly format: Format;
  readonly payload: Uint8Array;
  /** Further members with names of more than one letter may follow the last one: additions that are announced. */
  readonly mayAnnounce?: boolean;
}

/** A rejection of which everything but the words of its message is known. */
export interface ExpectedRejection {
  readonly kind: "rejection";
  readonly format: Format;
  readonly code: RejectionCode;
  /** Absent: the answer must have no token keys. */
  readonly clientToken?: string | undefined;
  /** What the words of the message must contain. */
  readonly says?: readonly string[];
}

/** A step on a connection of its own; the first one is the connecting. */
export type Step =
  | { readonly do: "connect"; readonly clientId: string }
  | { readonly do: "subscribe"; readonly filter: string; readonly isGranted: boolean }
  | { readonly do: "publish"; readonly topic: string; readonly payload: Uint8Array }
  | { readonly do: "expect first message"; readonly topic: string }
  | { readonly do: "expect closed" };
