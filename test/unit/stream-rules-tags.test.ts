import { describe, expect, it } from "vitest";
import { formatStreamArn, parseStreamArn } from "../../publisher/protocol/arn.ts";
import {
  mergeTags,
  parseListTags,
  parseTagResource,
  parseTags,
  parseUntagResource,
  removeTags,
} from "../../publisher/protocol/tags.ts";

const scope = { partition: "aws", region: "us-east-1", accountId: "123456789012" };
const arn = "arn:aws:iot:us-east-1:123456789012:stream/s-1";
const keys = (count: number, prefix = "k") => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

function refused(call: () => unknown, name: string, message: string): void {
  expect(call).toThrow(expect.objectContaining({ name, message }));
}

describe("tags in a request", () => {
  it("have keys of 1 to 128 characters and values of 0 to 256", () => {
    const longest = { Key: "k".repeat(128), Value: "\u{1f680}".repeat(256) };
    expect(parseTags([longest, { Key: "x", Value: "" }])).toEqual([
      { key: longest.Key, value: longest.Value },
      { key: "x", value: "" },
    ]);
    const length = "InvalidRequestException";
    refused(() => parseTags([{ Key: "" }]), length, "tags[0].Key must have 1 to 128 characters; it has 0");
    refused(
      () => parseTags([{ Key: "k".repeat(129) }]),
      length,
      "tags[0].Key must have 1 to 128 characters; it has 129",
    );
    refused(
      () => parseTags([{ Key: "k", Value: "v".repeat(257) }]),
      length,
      "tags[0].Value must have 0 to 256 characters; it has 257",
    );
    refused(() => parseTags([{ Value: "v" }]), length, "tags[0].Key must be text; it is missing");
  });

  it("have keys of letters, spaces, digits and _.:/=+-@", () => {
    expect(parseTags([{ Key: "Größe 9_.:/=+-@" }])).toEqual([{ key: "Größe 9_.:/=+-@", value: "" }]);
    expect(() => parseTags([{ Key: "a*b" }])).toThrow("where character 2 is U+002A");
  });

  it("have no reserved key and no key twice", () => {
    const name = "InvalidRequestException";
    refused(() => parseTags([{ Key: "aws:x" }]), name, 'tags[0].Key must not begin with aws:; it is "aws:x"');
    refused(() => parseTags([{ Key: "AWS:x" }]), name, 'tags[0].Key must not begin with aws:; it is "AWS:x"');
    refused(() => parseTags([{ Key: "a" }, { Key: "a" }]), name, 'tags must have unique keys; "a" is there twice');
  });

  it("are at most 50", () => {
    expect(parseTags(keys(50).map((Key) => ({ Key })))).toHaveLength(50);
    refused(
      () => parseTags(keys(51).map((Key) => ({ Key }))),
      "LimitExceededException",
      "a stream can have at most 50 tags; it would have 51",
    );
  });
});

describe("the tags of a stream", () => {
  const tags = keys(49).map((key) => ({ key, value: "" }));

  it("merge: a known key takes the new value in its place, a new key comes last", () => {
    const current = [
      { key: "a", value: "1" },
      { key: "b", value: "2" },
    ];
    expect(
      mergeTags(current, [
        { key: "c", value: "3" },
        { key: "a", value: "4" },
      ]),
    ).toEqual([
      { key: "a", value: "4" },
      { key: "b", value: "2" },
      { key: "c", value: "3" },
    ]);
  });

  it("merge up to 50 and no further", () => {
    expect(mergeTags(tags, [{ key: "x", value: "" }])).toHaveLength(50);
    expect(mergeTags(tags, [{ key: "k0", value: "new" }])).toHaveLength(49);
    refused(
      () =>
        mergeTags(tags, [
          { key: "x", value: "" },
          { key: "y", value: "" },
        ]),
      "LimitExceededException",
      "a stream can have at most 50 tags; it would have 51",
    );
  });

  it("go by key; a key that is not there is no error", () => {
    expect(removeTags([{ key: "a", value: "1" }], ["a", "b"])).toEqual([]);
    expect(removeTags([{ key: "a", value: "1" }], ["b"])).toEqual([{ key: "a", value: "1" }]);
  });
});

describe("requests about tags", () => {
  it("need an ARN and their list", () => {
    expect(parseTagResource({ resourceArn: arn, tags: [] })).toEqual({ resourceArn: arn, tags: [] });
    expect(parseUntagResource({ resourceArn: arn, tagKeys: ["a"] })).toEqual({ resourceArn: arn, tagKeys: ["a"] });
    expect(() => parseTagResource({ tags: [] })).toThrow("resourceArn must be text; it is missing");
    expect(() => parseTagResource({ resourceArn: arn })).toThrow("tags must be a list; it is missing");
    expect(() => parseUntagResource({ resourceArn: arn, tagKeys: [""] })).toThrow("tagKeys[0] must have 1 to 128");
  });

  it("take no page token, because one page holds all tags", () => {
    expect(parseListTags({ resourceArn: arn })).toBe(arn);
    expect(() => parseListTags({ resourceArn: arn, nextToken: "x" })).toThrow("nextToken is not one");
  });
});

describe("the ARN of a stream", () => {
  it("is formatted and parsed", () => {
    expect(formatStreamArn(scope, "s-1")).toBe(arn);
    expect(parseStreamArn(scope, arn)).toBe("s-1");
  });

  it.each([
    "stream/s-1",
    "arn:aws:iot:us-east-1:123456789012:thing/s-1",
    "arn:aws:s3:us-east-1:123456789012:stream/s-1",
    "arn:aws:iot:us-east-1:123456789012:stream/",
    "arn:aws:iot:us-east-1:123456789012:stream/a/b",
    `${arn}\n`,
  ])("is not %j", (text) => {
    expect(() => parseStreamArn(scope, text)).toThrow(expect.objectContaining({ name: "InvalidRequestException" }));
  });

  it.each([
    "arn:aws-cn:iot:us-east-1:123456789012:stream/s-1",
    "arn:aws:iot:eu-west-1:123456789012:stream/s-1",
    "arn:aws:iot:us-east-1:210987654321:stream/s-1",
  ])("of another partition, region or account is not found: %s", (text) => {
    expect(() => parseStreamArn(scope, text)).toThrow(expect.objectContaining({ name: "ResourceNotFoundException" }));
  });
});
