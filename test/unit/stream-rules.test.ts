import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StreamEntry, StreamFile, StreamRecord } from "../../publisher/protocol/stream.ts";
import type { CreateStreamInput } from "../../publisher/protocol/stream-input.ts";
import {
  checkFileCount,
  checkFileSize,
  checkStreamCount,
  planCreate,
  planDelete,
  planTags,
  planUpdate,
  planUpdateBase,
  requireLive,
  type StreamRules,
} from "../../publisher/protocol/stream-rules.ts";

const DAY_MS = 86_400_000;
const NOW_MS = 1_700_000_000_000;
const rules: StreamRules = {
  scope: { partition: "aws", region: "us-east-1", accountId: "123456789012" },
  firstStreamVersion: 0,
  maxFileBytes: 2_097_152,
  maxFilesPerStream: 50,
};
const file: StreamFile = {
  fileId: 0,
  s3Location: { bucket: "b", key: "k" },
  sizeBytes: 1,
  etag: '"e"',
  crc32: 1,
  sha256: "00".repeat(32),
};
const input: CreateStreamInput = {
  streamId: "s",
  description: "first",
  files: [{ fileId: 0, s3Location: { bucket: "b", key: "k" } }],
  roleArn: "arn:aws:iam::123456789012:role/r",
  tags: [{ key: "team", value: "fw" }],
};

function create(current?: StreamEntry, nowMs = NOW_MS, with_: StreamRules = rules): StreamRecord {
  return requireLive(planCreate(current, input, [file], with_, nowMs), "s");
}

function live(streamVersion: number): StreamEntry {
  return { state: "live", record: { ...create(), streamVersion } };
}

function deleted(streamVersion: number, deletedAtMs = NOW_MS): StreamEntry {
  return { state: "deleted", tombstone: { streamId: "s", streamVersion, deletedAtMs } };
}

describe("creating a stream", () => {
  it.each([0, 1] as const)("starts at the configured first version %i", (firstStreamVersion) => {
    expect(create(undefined, NOW_MS, { ...rules, firstStreamVersion }).streamVersion).toBe(firstStreamVersion);
  });

  it("records what it was given and when", () => {
    expect(create()).toEqual({
      streamId: "s",
      streamVersion: 0,
      description: "first",
      roleArn: input.roleArn,
      files: [file],
      createdAtMs: NOW_MS,
      lastUpdatedAtMs: NOW_MS,
      tags: [{ key: "team", value: "fw" }],
    });
  });

  it("resurrects an id up to 90 days after its deletion with the old version + 1", () => {
    expect(create(deleted(4), NOW_MS).streamVersion).toBe(5);
    expect(create(deleted(4), NOW_MS + 90 * DAY_MS).streamVersion).toBe(5);
  });

  it("starts over later than that", () => {
    expect(create(deleted(4), NOW_MS + 90 * DAY_MS + 1).streamVersion).toBe(0);
    expect(create(deleted(65_535), NOW_MS + 90 * DAY_MS + 1).streamVersion).toBe(0);
  });

  it("gives a resurrected stream a new creation time", () => {
    expect(create(deleted(4), NOW_MS + DAY_MS).createdAtMs).toBe(NOW_MS + DAY_MS);
  });

  it("reaches version 65535 by resurrection and not 65536", () => {
    expect(create(deleted(65_534)).streamVersion).toBe(65_535);
    expect(() => create(deleted(65_535))).toThrow(
      expect.objectContaining({
        name: "LimitExceededException",
        status: 410,
        message: "stream s is at version 65535; the limit is 65535",
      }),
    );
  });

  it("refuses a live id and says whose it is, though the request is identical", () => {
    expect(() => create(live(0))).toThrow(
      expect.objectContaining({
        name: "ResourceAlreadyExistsException",
        status: 409,
        members: { resourceId: "s", resourceArn: "arn:aws:iot:us-east-1:123456789012:stream/s" },
      }),
    );
  });
});

describe("updating a stream", () => {
  const update = (current: StreamEntry | undefined, changes: object, base = create()) =>
    requireLive(planUpdate(current, { streamId: "s", ...changes }, base, [file], NOW_MS + 5), "s");

  it("adds 1 and keeps the rest when the request names nothing", () => {
    expect(update(live(0), {})).toEqual({ ...create(), streamVersion: 1, lastUpdatedAtMs: NOW_MS + 5 });
  });

  it("changes only what the request names", () => {
    expect(update(live(0), { description: "second" })).toMatchObject({ description: "second", roleArn: input.roleArn });
    expect(update(live(0), { roleArn: "r".repeat(20) })).toMatchObject({
      description: "first",
      roleArn: "r".repeat(20),
    });
  });

  it("reaches version 65535 and not 65536", () => {
    const base = { ...create(), streamVersion: 65_534 };
    expect(update(live(65_534), {}, base).streamVersion).toBe(65_535);
    expect(() => planUpdateBase(live(65_535), "s")).toThrow(
      expect.objectContaining({ name: "LimitExceededException" }),
    );
  });

  it("refuses what is not there or no longer there", () => {
    for (const current of [undefined, deleted(3)]) {
      expect(() => planUpdateBase(current, "s")).toThrow(
        expect.objectContaining({ name: "ResourceNotFoundException", message: "stream s does not exist" }),
      );
      expect(() => update(current, {})).toThrow(expect.objectContaining({ name: "ResourceNotFoundException" }));
    }
  });

  it("refuses files that were resolved for another version", () => {
    expect(() => update(live(1), {})).toThrow(expect.objectContaining({ name: "ServiceUnavailableException" }));
  });
});

describe("deleting a stream", () => {
  it("leaves the version and the time, and no tags", () => {
    expect(planDelete(live(7), "s", false, NOW_MS)).toEqual(deleted(7));
  });

  it("refuses one in use, and one that is not there first of all", () => {
    expect(() => planDelete(live(7), "s", true, NOW_MS)).toThrow(
      expect.objectContaining({ name: "DeleteConflictException", status: 409 }),
    );
    expect(() => planDelete(deleted(7), "s", true, NOW_MS)).toThrow(
      expect.objectContaining({ name: "ResourceNotFoundException" }),
    );
  });
});

describe("tagging a stream", () => {
  it("changes neither version nor times", () => {
    expect(planTags(live(3), "s", () => [])).toEqual({
      state: "live",
      record: { ...create(), streamVersion: 3, tags: [] },
    });
  });
});

describe("quotas", () => {
  it("let a file of exactly the limit through and name file, size and limit one byte past it", () => {
    checkFileSize(3, 2_097_152, rules);
    expect(() => checkFileSize(3, 2_097_153, rules)).toThrow(
      expect.objectContaining({
        name: "LimitExceededException",
        message: "file 3 has 2097153 bytes; the limit is 2097152 bytes",
      }),
    );
  });

  it("count files", () => {
    checkFileCount(2, { ...rules, maxFilesPerStream: 2 });
    expect(() => checkFileCount(3, { ...rules, maxFilesPerStream: 2 })).toThrow("files has 3 items");
  });

  it("count streams, and count none when there is no quota", () => {
    checkStreamCount(1_000_000, rules);
    checkStreamCount(1, { ...rules, maxStreams: 2 });
    expect(() => checkStreamCount(2, { ...rules, maxStreams: 2 })).toThrow("there are 2 streams");
  });
});

describe("any history of a stream id", () => {
  it("never gives the same version twice within 90 days", () => {
    const steps = fc.array(fc.constantFrom("create", "update", "delete"), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (history) => {
        let entry: StreamEntry | undefined;
        const versions: number[] = [];
        for (const step of history) {
          const isLive = entry?.state === "live";
          if (step === "create" && !isLive) entry = planCreate(entry, input, [file], rules, NOW_MS);
          else if (step === "update" && isLive) {
            entry = planUpdate(entry, { streamId: "s" }, requireLive(entry, "s"), [file], NOW_MS);
          } else if (step === "delete" && isLive) {
            entry = planDelete(entry, "s", false, NOW_MS);
            continue;
          } else continue;
          versions.push(requireLive(entry, "s").streamVersion);
        }
        expect(versions).toEqual(versions.map((_, index) => index));
      }),
    );
  });
});
