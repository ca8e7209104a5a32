/** Topics of MQTT-based file delivery: formatting and parsing. No IO. */
import { isStreamId, isThingName } from "./ids.ts";

/** The two encodings of every message. */
export type Format = "cbor" | "json";
/** What a device publishes to. */
export type RequestOperation = "describe" | "get" | "manifest";
/** What a device subscribes to. */
export type ResponseOperation = "description" | "data" | "checksums" | "rejected";
/** The last but one level of a topic. */
export type Operation = RequestOperation | ResponseOperation;

/** A valid topic, taken apart (docs/PROTOCOL.md section 2). */
export interface StreamTopic {
  readonly kind: "stream";
  readonly thing: string;
  readonly streamId: string;
  readonly operation: Operation;
  readonly format: Format;
}

/** A topic under a thing's `streams/` that is malformed; thing and stream are present where they can be read. */
export interface MalformedTopic {
  readonly kind: "malformed";
  readonly thing?: string;
  readonly streamId?: string;
  /** One sentence that names the level, the rule and the value. */
  readonly reason: string;
}

const PREFIX = "$aws/things/";
const STREAMS = "/streams/";
const REQUEST_OPERATIONS: ReadonlySet<string> = new Set<RequestOperation>(["describe", "get", "manifest"]);
const RESPONSE_OPERATIONS: ReadonlySet<string> = new Set<ResponseOperation>([
  "description",
  "data",
  "checksums",
  "rejected",
]);
/** How much of a bad level a message repeats, in characters. */
const SHOWN_CHARACTERS = 64;

/** Says whether an operation is a device's to publish. */
export function isRequestOperation(operation: Operation): operation is RequestOperation {
  return REQUEST_OPERATIONS.has(operation);
}

/** Formats a topic; the names must be valid. */
export function formatTopic(thing: string, streamId: string, operation: Operation, format: Format): string {
  return `${PREFIX}${thing}${STREAMS}${streamId}/${operation}/${format}`;
}

/** The prefix of every stream topic of one thing, with its last slash. */
export function streamsPrefix(thing: string): string {
  return `${PREFIX}${thing}${STREAMS}`;
}

/**
 * Takes a topic apart. A topic that is not of the form `$aws/things/<any>/streams/...` gives undefined: it is not ours.
 * Levels are read left to right, and the first that breaks its rule is the reason.
 */
export function parseTopic(topic: string): StreamTopic | MalformedTopic | undefined {
  if (!topic.startsWith(PREFIX)) return undefined;
  const streamsAt = topic.indexOf("/", PREFIX.length);
  if (streamsAt < 0 || !topic.startsWith(STREAMS, streamsAt)) return undefined;
  const thing = topic.slice(PREFIX.length, streamsAt);
  if (!isThingName(thing)) return malformed(`thing name must be 1-128 of [a-zA-Z0-9:_-], not ${shown(thing)}`);
  const levels = topic.slice(streamsAt + STREAMS.length).split("/");
  const [streamId = "", operation = "", format = ""] = levels;
  if (!isStreamId(streamId)) {
    return { ...malformed(`stream id must be 1-128 of [a-zA-Z0-9_-], not ${shown(streamId)}`), thing };
  }
  const where = { thing, streamId };
  if (levels.length !== 3) {
    return { ...malformed(`a stream topic has 3 levels after streams/, not ${levels.length}`), ...where };
  }
  if (!REQUEST_OPERATIONS.has(operation) && !RESPONSE_OPERATIONS.has(operation)) {
    return { ...malformed(`operation must be describe or get, not ${shown(operation)}`), ...where };
  }
  if (format !== "cbor" && format !== "json") {
    return { ...malformed(`format must be cbor or json, not ${shown(format)}`), ...where };
  }
  return { kind: "stream", thing, streamId, operation: operation as Operation, format };
}

function malformed(reason: string): MalformedTopic {
  return { kind: "malformed", reason };
}

function shown(level: string): string {
  return JSON.stringify(level.length > SHOWN_CHARACTERS ? `${level.slice(0, SHOWN_CHARACTERS)}...` : level);
}
