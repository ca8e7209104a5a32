import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ApiException } from "../../publisher/protocol/api-exception.ts";
import {
  parseCreateStream,
  parseListStreams,
  parseStreamId,
  parseUpdateStream,
} from "../../publisher/protocol/stream-input.ts";

const roleArn = "arn:aws:iam::123456789012:role/r";
const file = (fileId: unknown, location: object = {}) => ({
  fileId,
  s3Location: { bucket: "b", key: "k", ...location },
});
const create = (overrides: object) => parseCreateStream("s", { files: [file(0)], roleArn, ...overrides });

function refused(call: () => unknown, message: string): void {
  expect(call).toThrow(expect.objectContaining({ name: "InvalidRequestException", status: 400, message }));
}

describe("streamId", () => {
  it("has 1 to 128 characters", () => {
    expect(parseStreamId("a")).toBe("a");
    expect(parseStreamId("a".repeat(128))).toHaveLength(128);
    refused(() => parseStreamId(""), "streamId must have 1 to 128 characters; it has 0");
    refused(() => parseStreamId("a".repeat(129)), "streamId must have 1 to 128 characters; it has 129");
  });

  it("consists of letters, digits, _ and -", () => {
    expect(parseStreamId("aZ09_-")).toBe("aZ09_-");
    refused(() => parseStreamId("a b"), 'streamId must match [a-zA-Z0-9_-]+; it is "a b", where character 2 is U+0020');
    refused(
      () => parseStreamId("a\n"),
      'streamId must match [a-zA-Z0-9_-]+; it is "a\\n", where character 2 is U+000A',
    );
  });
});

describe("description", () => {
  it("has 1 to 2028 characters, counted as code points", () => {
    expect(create({ description: "x" }).description).toBe("x");
    expect(create({ description: "x".repeat(2028) }).description).toHaveLength(2028);
    expect(create({ description: "\u{1f680}".repeat(2028) }).description).toHaveLength(4056);
    refused(() => create({ description: "" }), "description must have 1 to 2028 characters; it has 0");
    refused(
      () => create({ description: "\u{1f680}".repeat(2029) }),
      "description must have 1 to 2028 characters; it has 2029",
    );
  });

  it.each([
    ["a control character", "\u0007", "\\u0007", "U+0007"],
    ["a format character", "\u200b", "\u200b", "U+200B"],
    ["a lone surrogate", "\ud83d", "\\ud83d", "U+D83D"],
    ["a private-use character", "\ue000", "\ue000", "U+E000"],
  ])("has no %s", (_name, character, shown, codePoint) => {
    const message = `description must match [^\\p{C}]+; it is "ok${shown}", where character 3 is ${codePoint}`;
    refused(() => create({ description: `ok${character}` }), message);
  });

  it("is absent when it is null", () => {
    expect(create({ description: null })).not.toHaveProperty("description");
  });
});

describe("roleArn", () => {
  it("has 20 to 2048 characters", () => {
    expect(create({ roleArn: "r".repeat(20) }).roleArn).toHaveLength(20);
    expect(create({ roleArn: "r".repeat(2048) }).roleArn).toHaveLength(2048);
    refused(() => create({ roleArn: "r".repeat(19) }), "roleArn must have 20 to 2048 characters; it has 19");
    refused(() => create({ roleArn: "r".repeat(2049) }), "roleArn must have 20 to 2048 characters; it has 2049");
    refused(() => create({ roleArn: undefined }), "roleArn must be text; it is missing");
  });
});

describe("files", () => {
  const files = (count: number) => Array.from({ length: count }, (_, index) => file(index));

  it("has 1 to 50 items", () => {
    expect(create({ files: files(1) }).files).toHaveLength(1);
    expect(create({ files: files(50) }).files).toHaveLength(50);
    refused(() => create({ files: [] }), "files must have 1 to 50 items; it has 0");
    refused(() => create({ files: files(51) }), "files must have 1 to 50 items; it has 51");
    refused(() => create({ files: undefined }), "files must be a list; it is missing");
    refused(() => create({ files: [7] }), "files[0] must be a map; it is 7");
  });

  it("has file ids from 0 to 255", () => {
    expect(create({ files: [file(0), file(255)] }).files.map((each) => each.fileId)).toEqual([0, 255]);
    for (const [fileId, shown] of [
      [-1, "-1"],
      [256, "256"],
      [1.5, "1.5"],
      ["1", '"1"'],
      [null, "missing"],
    ] as const) {
      refused(() => create({ files: [file(fileId)] }), `files[0].fileId must be an integer, 0 to 255; it is ${shown}`);
    }
  });

  it("has no file id twice", () => {
    refused(
      () => create({ files: [file(7), file(8), file(7)] }),
      "fileId must be unique in a stream; files[0] and files[2] both have fileId 7",
    );
  });

  it("has a bucket and a key in every location", () => {
    refused(() => create({ files: [{ fileId: 0 }] }), "files[0].s3Location must be a map; it is missing");
    refused(
      () => create({ files: [file(0, { bucket: undefined })] }),
      "files[0].s3Location.bucket must be text; it is missing",
    );
    refused(
      () => create({ files: [file(0, { key: "" })] }),
      "files[0].s3Location.key must have 1 to 1024 characters; it has 0",
    );
  });

  it("keeps a version that says something", () => {
    const location = (version: unknown) => create({ files: [file(0, { version })] }).files[0]?.s3Location;
    expect(location("v1")).toEqual({ bucket: "b", key: "k", version: "v1" });
    expect(location("")).toEqual({ bucket: "b", key: "k" });
    expect(location(null)).toEqual({ bucket: "b", key: "k" });
  });
});

describe("UpdateStream", () => {
  it("may name nothing", () => {
    expect(parseUpdateStream("s", undefined)).toEqual({ streamId: "s" });
    expect(parseUpdateStream("s", { description: null, files: null })).toEqual({ streamId: "s" });
  });

  it("has the ranges of CreateStream for what it names", () => {
    refused(() => parseUpdateStream("s", { files: [] }), "files must have 1 to 50 items; it has 0");
    refused(() => parseUpdateStream("s", { roleArn: "r" }), "roleArn must have 20 to 2048 characters; it has 1");
  });
});

describe("ListStreams", () => {
  it("defaults to 25 streams, newest first", () => {
    expect(parseListStreams({})).toEqual({ maxResults: 25, isAscendingOrder: false });
  });

  it("takes maxResults from 1 to 250", () => {
    expect(parseListStreams({ maxResults: "1" }).maxResults).toBe(1);
    expect(parseListStreams({ maxResults: "250" }).maxResults).toBe(250);
    refused(() => parseListStreams({ maxResults: "0" }), "maxResults must be an integer, 1 to 250; it is 0");
    refused(() => parseListStreams({ maxResults: "251" }), "maxResults must be an integer, 1 to 250; it is 251");
    refused(() => parseListStreams({ maxResults: "ten" }), 'maxResults must be an integer, 1 to 250; it is "ten"');
    refused(
      () => parseListStreams({ maxResults: ["1", "2"] }),
      "maxResults must be an integer, 1 to 250; it is a list",
    );
  });

  it("takes isAscendingOrder as true or false", () => {
    expect(parseListStreams({ isAscendingOrder: "true" }).isAscendingOrder).toBe(true);
    refused(() => parseListStreams({ isAscendingOrder: "yes" }), 'isAscendingOrder must be true or false; it is "yes"');
    refused(() => parseListStreams({ nextToken: ["a", "b"] }), "nextToken must be given once");
  });
});

describe("any request", () => {
  it("is taken or refused with an ApiException whose message stays short", () => {
    const body = fc.record(
      {
        description: fc.anything(),
        files: fc.oneof(fc.anything(), fc.array(fc.record({ fileId: fc.anything(), s3Location: fc.anything() }))),
        roleArn: fc.oneof(fc.anything(), fc.string({ maxLength: 3000 })),
        tags: fc.oneof(fc.anything(), fc.array(fc.record({ Key: fc.anything(), Value: fc.anything() }))),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.string(),
        fc.oneof(
          body,
          fc.json().map((text) => JSON.parse(text)),
        ),
        (streamId, request) => {
          for (const parse of [parseCreateStream, parseUpdateStream]) {
            try {
              parse(streamId, request);
            } catch (error) {
              expect(error).toBeInstanceOf(ApiException);
              expect((error as ApiException).message.length).toBeLessThan(700);
            }
          }
        },
      ),
    );
  });
});
