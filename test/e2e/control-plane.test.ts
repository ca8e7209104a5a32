import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CONTROL_START_MS, ROLE_ARN, type StartedControlPlane, startControlPlane } from "../support/control-plane.ts";
import { arnOf, createBody, fileOf, send } from "../support/control-request.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const START_SECONDS = CONTROL_START_MS / 1000;

describe("the control plane", () => {
  let plane: StartedControlPlane;
  beforeEach(async () => {
    plane = await startControlPlane();
  });
  afterEach(() => plane.close());

  const call = (method: string, path: string, body?: unknown) => send(plane, method, path, body);
  const create = (streamId: string, overrides = {}) => call("POST", `/streams/${streamId}`, createBody(overrides));

  describe("CreateStream", () => {
    it("answers with the new stream", async () => {
      const answer = await create("s-1", { description: "Größe" });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        streamId: "s-1",
        streamArn: arnOf("s-1"),
        description: "Größe",
        streamVersion: 0,
      });
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(answer.headers.get("x-amzn-requestid")).toMatch(UUID);
      expect(answer.headers.get("x-amzn-errortype")).toBeNull();
    });

    it("records size, ETag and digests of every object, in the caller's order", async () => {
      await create("s", { files: [fileOf(9, "b.bin"), fileOf(3, "a.bin")] });
      const a = Uint8Array.from({ length: 1000 }, (_, index) => index);
      const entry = await plane.registry.find("s");
      expect(entry).toMatchObject({
        state: "live",
        record: {
          files: [
            { fileId: 9, sizeBytes: 1 },
            {
              fileId: 3,
              s3Location: { bucket: "firmware", key: "a.bin" },
              sizeBytes: 1000,
              etag: `"${createHash("md5").update(a).digest("hex")}"`,
              crc32: crc32(a),
              sha256: createHash("sha256").update(a).digest("hex"),
            },
          ],
        },
      });
    });

    it("takes 50 files and ids of 128 characters", async () => {
      const files = Array.from({ length: 50 }, (_, index) => fileOf(index * 5));
      expect((await create("a".repeat(128), { files })).status).toBe(200);
    });

    it("refuses a live id, an identical request included, before it reads an object", async () => {
      await create("s");
      const before = plane.store.calls.length;
      const answer = await create("s");
      expect(answer.status).toBe(409);
      expect(answer.headers.get("x-amzn-errortype")).toBe("ResourceAlreadyExistsException");
      expect(answer.body).toEqual({
        __type: "ResourceAlreadyExistsException",
        message: "stream s already exists",
        resourceId: "s",
        resourceArn: arnOf("s"),
      });
      expect(plane.store.calls).toHaveLength(before);
    });

    it("lets one of two simultaneous requests win", async () => {
      const answers = await Promise.all([create("s"), create("s")]);
      expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409]);
    });
  });

  describe("DescribeStream", () => {
    it("shows the stream as it was asked for, times in seconds with a fraction", async () => {
      const located = { fileId: 0, s3Location: { bucket: "firmware", key: "a.bin" } };
      await create("s", { description: "d", files: [located] });
      plane.clock.advance(1500);
      await call("PUT", "/streams/s", {});
      const answer = await call("GET", "/streams/s");
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        streamInfo: {
          streamId: "s",
          streamArn: arnOf("s"),
          streamVersion: 1,
          description: "d",
          files: [located],
          createdAt: START_SECONDS,
          lastUpdatedAt: START_SECONDS + 1.5,
          roleArn: ROLE_ARN,
        },
      });
    });

    it("finds ids whatever their percent-encoding", async () => {
      await create("s-1");
      expect((await call("GET", "/streams/s%2D1")).status).toBe(200);
    });

    it("leaves out what is not there", async () => {
      await create("s");
      const { body } = await call("GET", "/streams/s");
      expect(body).not.toHaveProperty("streamInfo.description");
    });
  });

  describe("UpdateStream", () => {
    it("keeps what it does not name and adds 1 each time", async () => {
      await create("s", { description: "d" });
      expect((await call("PUT", "/streams/s", {})).body).toMatchObject({ description: "d", streamVersion: 1 });
      expect((await call("PUT", "/streams/s", { description: "e" })).body).toMatchObject({
        description: "e",
        streamVersion: 2,
      });
      const files = [fileOf(1, "b.bin")];
      expect((await call("PUT", "/streams/s", { files, roleArn: "r".repeat(20) })).body).toMatchObject({
        description: "e",
        streamVersion: 3,
      });
      expect((await call("GET", "/streams/s")).body).toMatchObject({
        streamInfo: { files, roleArn: "r".repeat(20) },
      });
      expect((await call("PUT", "/streams/s")).body).toMatchObject({ streamVersion: 4 });
    });

    it("resolves the objects again although it names no files", async () => {
      await create("s");
      plane.store.put("firmware", "a.bin", Uint8Array.of(1, 2, 3));
      await call("PUT", "/streams/s", { description: "new bytes" });
      expect(await plane.registry.find("s")).toMatchObject({ record: { files: [{ sizeBytes: 3 }] } });
    });

    it("leaves the stream as it was when an object is gone", async () => {
      await create("s");
      const before = await plane.registry.find("s");
      plane.store.remove("firmware", "a.bin");
      const answer = await call("PUT", "/streams/s", { description: "never" });
      expect(answer.status).toBe(404);
      expect(await plane.registry.find("s")).toEqual(before);
    });

    it("counts every one of several at once", async () => {
      await create("s");
      const answers = await Promise.all([1, 2, 3, 4].map(() => call("PUT", "/streams/s", {})));
      const versions = answers.map((answer) => (answer.body as { streamVersion: number }).streamVersion);
      expect(versions.sort()).toEqual([1, 2, 3, 4]);
    });
  });

  describe("DeleteStream", () => {
    it("answers with an empty map and leaves nothing but the version", async () => {
      await create("s", { tags: [{ Key: "a", Value: "1" }] });
      const answer = await call("DELETE", "/streams/s");
      expect([answer.status, answer.body]).toEqual([200, {}]);
      for (const [method, path] of [
        ["GET", "/streams/s"],
        ["PUT", "/streams/s"],
        ["DELETE", "/streams/s"],
        ["GET", `/tags?resourceArn=${arnOf("s")}`],
      ] as const) {
        expect((await call(method, path)).body, `${method} ${path}`).toEqual({
          __type: "ResourceNotFoundException",
          message: "stream s does not exist",
        });
      }
    });

    it("lets the id be created again with the next version, new times and no tags", async () => {
      await create("s", { tags: [{ Key: "a" }] });
      await call("DELETE", "/streams/s");
      plane.clock.advance(90 * 86_400_000);
      expect((await create("s")).body).toMatchObject({ streamVersion: 1 });
      expect((await call("GET", "/streams/s")).body).toMatchObject({
        streamInfo: { createdAt: START_SECONDS + 90 * 86_400 },
      });
      expect((await call("GET", `/tags?resourceArn=${arnOf("s")}`)).body).toEqual({ tags: [] });
      await call("DELETE", "/streams/s");
      plane.clock.advance(90 * 86_400_000 + 1);
      expect((await create("s")).body).toMatchObject({ streamVersion: 0 });
    });
  });

  describe("ListStreams", () => {
    const ids = (body: unknown) => (body as { streams: { streamId: string }[] }).streams.map((each) => each.streamId);

    it("pages in either order", async () => {
      for (const streamId of ["b", "a", "c"]) await create(streamId, { description: streamId });
      const newestFirst = await call("GET", "/streams");
      expect(newestFirst.body).toEqual({
        streams: ["c", "a", "b"].map((streamId) => ({
          streamId,
          streamArn: arnOf(streamId),
          streamVersion: 0,
          description: streamId,
        })),
      });
      const first = await call("GET", "/streams?maxResults=2&isAscendingOrder=true");
      expect(ids(first.body)).toEqual(["b", "a"]);
      const token = encodeURIComponent((first.body as { nextToken: string }).nextToken);
      const second = await call("GET", `/streams?maxResults=2&isAscendingOrder=true&nextToken=${token}`);
      expect(second.body).toMatchObject({ streams: [{ streamId: "c" }] });
      expect(second.body).not.toHaveProperty("nextToken");
    });

    it.each([
      ["maxResults=0", "maxResults must be an integer, 1 to 250; it is 0"],
      ["maxResults=251", "maxResults must be an integer, 1 to 250; it is 251"],
      ["isAscendingOrder=1", 'isAscendingOrder must be true or false; it is "1"'],
      ["nextToken=forged", "nextToken is not one that this server gave for a listing in this order"],
      ["nextToken=", "nextToken is not one that this server gave for a listing in this order"],
    ])("refuses %s", async (query, message) => {
      const answer = await call("GET", `/streams?${query}`);
      expect([answer.status, answer.body]).toEqual([400, { __type: "InvalidRequestException", message }]);
    });
  });

  describe("tags", () => {
    const list = async () => (await call("GET", `/tags?resourceArn=${encodeURIComponent(arnOf("s"))}`)).body;

    it("come with a stream, are merged, listed and taken away", async () => {
      await create("s", { tags: [{ Key: "team", Value: "fw" }] });
      expect(await list()).toEqual({ tags: [{ Key: "team", Value: "fw" }] });
      const tags = [
        { Key: "site", Value: "" },
        { Key: "team", Value: "ops" },
      ];
      const tagged = await call("POST", "/tags", { resourceArn: arnOf("s"), tags });
      expect([tagged.status, tagged.body]).toEqual([200, {}]);
      expect(await list()).toEqual({
        tags: [
          { Key: "team", Value: "ops" },
          { Key: "site", Value: "" },
        ],
      });
      const untagged = await call("POST", "/untag", { resourceArn: arnOf("s"), tagKeys: ["team", "absent"] });
      expect([untagged.status, untagged.body]).toEqual([200, {}]);
      expect(await list()).toEqual({ tags: [{ Key: "site", Value: "" }] });
      expect((await call("GET", "/streams/s")).body).toMatchObject({ streamInfo: { streamVersion: 0 } });
    });

    it("survive an update", async () => {
      await create("s", { tags: [{ Key: "team", Value: "fw" }] });
      await call("PUT", "/streams/s", {});
      expect(await list()).toEqual({ tags: [{ Key: "team", Value: "fw" }] });
    });

    it("are 50 at most, and past that nothing changes", async () => {
      const tags = Array.from({ length: 50 }, (_, index) => ({ Key: `k${index}`, Value: "v" }));
      await create("s", { tags });
      const answer = await call("POST", "/tags", { resourceArn: arnOf("s"), tags: [{ Key: "one-more" }] });
      expect(answer.status).toBe(410);
      expect(answer.body).toEqual({
        __type: "LimitExceededException",
        message: "a stream can have at most 50 tags; it would have 51",
      });
      expect(await list()).toEqual({ tags });
    });
  });
});
