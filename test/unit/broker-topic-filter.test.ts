/** MQTT topic filters: validity and matching, against the specification's examples and a second implementation. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTopicFilter, matchesTopic } from "../../broker/protocol/topic-filter.ts";

describe("isTopicFilter", () => {
  it.each(["a", "/", "a/b", "#", "+", "a/#", "a/+/b", "+/+", "/+", "$aws/things/+/streams/#", "a//b"])(
    "takes %j",
    (filter) => {
      expect(isTopicFilter(filter)).toBe(true);
    },
  );

  it.each(["", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "a/+b", "a/b#", "a\0b"])("refuses %j", (filter) => {
    expect(isTopicFilter(filter)).toBe(false);
  });
});

describe("matchesTopic", () => {
  it.each([
    ["sport/tennis/player1/#", "sport/tennis/player1", true],
    ["sport/tennis/player1/#", "sport/tennis/player1/ranking", true],
    ["sport/#", "sport", true],
    ["sport/tennis/+", "sport/tennis/player1", true],
    ["sport/tennis/+", "sport/tennis/player1/ranking", false],
    ["sport/+", "sport", false],
    ["sport/+", "sport/", true],
    ["+/+", "/finance", true],
    ["/+", "/finance", true],
    ["+", "/finance", false],
    ["#", "$SYS/x", false],
    ["+/monitor", "$SYS/monitor", false],
    ["$SYS/#", "$SYS/x", true],
    ["$SYS/+/x", "$SYS/monitor/x", true],
    ["#", "a/b", true],
    ["a/b", "a/b/c", false],
    ["a/b/c", "a/b", false],
    ["a/+/#", "a/b", true],
    ["ab/#", "a", false],
    ["a/b", "a/bc", false],
  ] as const)("%j and %j: %j", (filter, topic, expected) => {
    expect(matchesTopic(filter, topic)).toBe(expected);
  });

  it("agrees with matching level by level", () => {
    const level = fc.constantFrom("", "a", "b", "ab", "$x");
    const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/"));
    const filters = fc
      .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 5 }), fc.boolean())
      .map(([levels, isOpen]) => (isOpen ? [...levels, "#"] : levels).join("/"));
    fc.assert(
      fc.property(fc.oneof(filters, fc.constant("#")), topics, (filter, topic) => {
        fc.pre(filter !== "" && topic !== "");
        expect(matchesTopic(filter, topic)).toBe(matchesByLevel(filter, topic));
      }),
      { numRuns: 2_000 },
    );
  });
});

function matchesByLevel(filter: string, topic: string): boolean {
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const filterLevels = filter.split("/");
  const topicLevels = topic.split("/");
  const isOpen = filterLevels.at(-1) === "#";
  if (isOpen) filterLevels.pop();
  if (isOpen ? topicLevels.length < filterLevels.length : topicLevels.length !== filterLevels.length) return false;
  return filterLevels.every((level, index) => level === "+" || level === topicLevels[index]);
}
