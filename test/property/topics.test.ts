/** Topics: what is formatted is parsed again, and nothing makes the parser throw. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { formatTopic, parseTopic, streamsPrefix } from "../../shared/protocol/topics.ts";
import { formats, streamIds, thingNames } from "../support/arbitraries.ts";

const operations = fc.constantFrom(
  "describe" as const,
  "get" as const,
  "description" as const,
  "data" as const,
  "rejected" as const,
);
const levels = fc.oneof(
  fc.constantFrom("$aws", "things", "streams", "get", "describe", "data", "cbor", "json", "", "+", "#", "a"),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.string({ minLength: 120, maxLength: 140 }),
);
const topics = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(levels, { maxLength: 9 }).map((parts) => parts.join("/")),
  fc.array(levels, { maxLength: 6 }).map((parts) => ["$aws/things", ...parts].join("/")),
  fc
    .tuple(levels, fc.array(levels, { maxLength: 5 }))
    .map(([thing, parts]) => `$aws/things/${thing}/streams/${parts.join("/")}`),
);

it("parses what it formats", () => {
  fc.assert(
    fc.property(thingNames, streamIds, operations, formats, (thing, streamId, operation, format) => {
      const topic = formatTopic(thing, streamId, operation, format);
      expect(topic).toBe(`$aws/things/${thing}/streams/${streamId}/${operation}/${format}`);
      expect(topic.startsWith(streamsPrefix(thing))).toBe(true);
      expect(parseTopic(topic)).toEqual({ kind: "stream", thing, streamId, operation, format });
    }),
  );
});

it("takes any string: a stream topic only if it is formatted as one, ours only under streams/", () => {
  fc.assert(
    fc.property(topics, (topic) => {
      const parsed = parseTopic(topic);
      expect(parsed !== undefined).toBe(/^\$aws\/things\/[^/]*\/streams\//.test(topic));
      if (parsed?.kind === "stream") {
        const { thing, streamId, operation, format } = parsed;
        expect(formatTopic(thing, streamId, operation, format)).toBe(topic);
        expect(thing).toMatch(/^[a-zA-Z0-9:_-]{1,128}$/);
        expect(streamId).toMatch(/^[a-zA-Z0-9_-]{1,128}$/);
      } else if (parsed !== undefined) {
        expect(parsed.reason.isWellFormed()).toBe(true);
        expect(Buffer.byteLength(parsed.reason)).toBeLessThan(600);
        if (parsed.thing !== undefined) expect(topic.startsWith(streamsPrefix(parsed.thing))).toBe(true);
        if (parsed.streamId !== undefined) expect(parsed.thing).toBeDefined();
      }
    }),
    { numRuns: 3000 },
  );
});
