/** Tags of a stream: the inputs of the three tag operations and what they do to a list of tags. No IO. */
import { invalidRequest, limitExceeded } from "./api-exception.ts";
import { asList, asMap, asText, type JsonMap, optional, type TextRule } from "./json-fields.ts";
import { quote } from "./quote.ts";
import type { StreamTag } from "./stream.ts";

/** The most tags a stream can have; AWS's limit for any resource. */
const MAX_TAGS_PER_STREAM = 50;

const TAG_KEY: TextRule = {
  min: 1,
  max: 128,
  alphabet: { character: /[\p{L}\p{Z}\p{N}_.:/=+\-@]/u, pattern: "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*" },
};
const TAG_VALUE: TextRule = { min: 0, max: 256 };
const RESOURCE_ARN: TextRule = { min: 1, max: 2048 };
/** Prefix that AWS keeps to itself, in any case. */
const RESERVED_PREFIX = "aws:";

/** A valid TagResource request, its ARN not yet parsed. */
export interface TagResourceInput {
  readonly resourceArn: string;
  readonly tags: readonly StreamTag[];
}

/** A valid UntagResource request, its ARN not yet parsed. */
export interface UntagResourceInput {
  readonly resourceArn: string;
  readonly tagKeys: readonly string[];
}

/** Parses the body of TagResource (docs/PROTOCOL.md section 1). Throws ApiException. */
export function parseTagResource(body: unknown): TagResourceInput {
  const map = asMap(body ?? {}, "the request body");
  return { resourceArn: parseResourceArn(map), tags: parseTags(map.tags) };
}

/** Parses the body of UntagResource (docs/PROTOCOL.md section 1). Throws ApiException. */
export function parseUntagResource(body: unknown): UntagResourceInput {
  const map = asMap(body ?? {}, "the request body");
  const resourceArn = parseResourceArn(map);
  const keys = asList(map.tagKeys, "tagKeys");
  return { resourceArn, tagKeys: keys.map((key, index) => asText(key, `tagKeys[${index}]`, TAG_KEY)) };
}

/** Parses the query of ListTagsForResource into its ARN; all tags fit in one page, so no token is ever valid. */
export function parseListTags(query: JsonMap): string {
  const resourceArn = parseResourceArn(query);
  if (query.nextToken !== undefined) throw invalidRequest("nextToken is not one that this server gave");
  return resourceArn;
}

/**
 * Parses a list of tags: keys 1-128 characters, unique, without the prefix `aws:`; values 0-256 characters, empty when
 * absent; at most 50, and more is LimitExceededException.
 */
export function parseTags(value: unknown): readonly StreamTag[] {
  const list = asList(value, "tags");
  checkTagCount(list.length);
  const seenKeys = new Set<string>();
  return list.map((item, index) => {
    const map = asMap(item, `tags[${index}]`);
    const key = asText(map.Key, `tags[${index}].Key`, TAG_KEY);
    if (key.toLowerCase().startsWith(RESERVED_PREFIX)) {
      throw invalidRequest(`tags[${index}].Key must not begin with ${RESERVED_PREFIX}; it is ${quote(key)}`);
    }
    if (seenKeys.has(key)) throw invalidRequest(`tags must have unique keys; ${quote(key)} is there twice`);
    seenKeys.add(key);
    const tagValue = optional(map.Value, (text) => asText(text, `tags[${index}].Value`, TAG_VALUE)) ?? "";
    return { key, value: tagValue };
  });
}

/** Adds tags to a list; a key that is there takes the new value and keeps its place. Past 50: LimitExceededException. */
export function mergeTags(current: readonly StreamTag[], added: readonly StreamTag[]): readonly StreamTag[] {
  const values = new Map(current.map((tag) => [tag.key, tag.value]));
  for (const tag of added) values.set(tag.key, tag.value);
  checkTagCount(values.size);
  return [...values].map(([key, value]) => ({ key, value }));
}

/** Takes tags out of a list; a key that is not there is no error. */
export function removeTags(current: readonly StreamTag[], keys: readonly string[]): readonly StreamTag[] {
  const removed = new Set(keys);
  return current.filter((tag) => !removed.has(tag.key));
}

function parseResourceArn(map: JsonMap): string {
  return asText(map.resourceArn, "resourceArn", RESOURCE_ARN);
}

function checkTagCount(count: number): void {
  if (count <= MAX_TAGS_PER_STREAM) return;
  throw limitExceeded(`a stream can have at most ${MAX_TAGS_PER_STREAM} tags; it would have ${count}`);
}
