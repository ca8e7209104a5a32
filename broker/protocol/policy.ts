/** Who may publish and subscribe where (docs/PROTOCOL.md section 2, "Broker refusals"). No IO. */
import { isThingName } from "../../shared/protocol/ids.ts";
import { isRequestOperation, parseTopic, streamsPrefix } from "../../shared/protocol/topics.ts";
import { isTopicFilter } from "./topic-filter.ts";

/** What a connection is, by its client id: a device, one who watches, or one who may do nothing. */
export type ClientRole =
  | { readonly kind: "thing"; readonly thing: string }
  | { readonly kind: "observer" }
  | { readonly kind: "nobody" };

/** Longest topic filter of a thing, in characters; the longest that can match anything has under 320. */
const MAX_FILTER_LENGTH = 512;

/** Reads a client id; `observers` are the ids that watch, whatever they look like. */
export function roleOf(clientId: string, observers: ReadonlySet<string>): ClientRole {
  if (observers.has(clientId)) return { kind: "observer" };
  return isThingName(clientId) ? { kind: "thing", thing: clientId } : { kind: "nobody" };
}

/**
 * Why a publish is refused, as one clause, or undefined when it is allowed: a thing may publish its own requests, and
 * malformed topics under its own `streams/`, which the publisher answers with InvalidTopic.
 */
export function publishRefusal(role: ClientRole, topic: string): string | undefined {
  if (role.kind === "observer") return "an observer publishes nothing";
  if (role.kind === "nobody") return "the client id is not a thing name";
  const prefix = streamsPrefix(role.thing);
  if (!topic.startsWith(prefix)) return `thing ${role.thing} publishes under ${prefix} only`;
  const parsed = parseTopic(topic);
  if (parsed?.kind === "stream" && !isRequestOperation(parsed.operation)) {
    return `only the service publishes ${parsed.operation}`;
  }
  return undefined;
}

/**
 * Why a subscription is refused, as one clause, or undefined when it is allowed: a thing may subscribe to what lies
 * under its own `streams/`, an observer to everything that an ordinary subscription can name.
 */
export function subscribeRefusal(role: ClientRole, topicFilter: string): string | undefined {
  if (!isTopicFilter(topicFilter)) return "the topic filter is malformed";
  if (topicFilter.startsWith("$share/")) return "shared subscriptions are not supported";
  if (role.kind === "observer") return undefined;
  if (role.kind === "nobody") return "the client id is not a thing name";
  if (topicFilter.length > MAX_FILTER_LENGTH) {
    return `a topic filter has at most ${MAX_FILTER_LENGTH} characters, not ${topicFilter.length}`;
  }
  const prefix = streamsPrefix(role.thing);
  return topicFilter.startsWith(prefix) ? undefined : `thing ${role.thing} subscribes under ${prefix} only`;
}
