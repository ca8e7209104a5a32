import { afterEach, describe, expect, it } from "vitest";
import { expectError } from "../support/control-errors.ts";
import { type StartedControlPlane, type StartOptions, startControlPlane } from "../support/control-plane.ts";
import { createBody, fileOf, send } from "../support/control-request.ts";

let plane: StartedControlPlane;
afterEach(() => plane.close());

async function start(options: StartOptions = {}): Promise<void> {
  plane = await startControlPlane(options);
}

const create = (overrides = {}) => send(plane, "POST", "/streams/s", createBody(overrides));

describe("limits", () => {
  it("let a file of exactly 2097152 bytes in and refuse one byte more without reading any file", async () => {
    await start();
    plane.store.put("firmware", "exact.bin", new Uint8Array(2_097_152));
    plane.store.put("firmware", "over.bin", new Uint8Array(2_097_153));
    const message = "file 4 has 2097153 bytes; the limit is 2097152 bytes";
    expectError(await create({ files: [fileOf(1), fileOf(4, "over.bin")] }), "LimitExceededException", message);
    expect(plane.store.calls.filter((call) => call.startsWith("read"))).toEqual([]);
    expect((await create({ files: [fileOf(4, "exact.bin")] })).status).toBe(200);
  });

  it("of file size can be set, up to 25165824", async () => {
    await start({ config: { maxFileBytes: 25_165_824 } });
    plane.store.put("firmware", "exact.bin", new Uint8Array(25_165_824));
    plane.store.put("firmware", "over.bin", new Uint8Array(25_165_825));
    expectError(await create({ files: [fileOf(0, "over.bin")] }), "LimitExceededException", /25165825.*25165824/);
    expect((await create({ files: [fileOf(0, "exact.bin")] })).status).toBe(200);
  });

  it("of files per stream can be set below 50", async () => {
    await start({ config: { maxFilesPerStream: 2 } });
    const files = [fileOf(0), fileOf(1), fileOf(2)];
    const message = "files has 3 items; this server's limit is 2 per stream";
    expectError(await create({ files }), "LimitExceededException", message);
    expect((await create({ files: files.slice(1) })).status).toBe(200);
    expectError(await send(plane, "PUT", "/streams/s", { files }), "LimitExceededException", message);
  });

  it("of 50 files per stream belongs to the request's shape", async () => {
    await start();
    const files = Array.from({ length: 51 }, (_, index) => fileOf(index));
    expectError(await create({ files }), "InvalidRequestException", "files must have 1 to 50 items; it has 51");
  });

  it("of streams holds against creates at the same time", async () => {
    await start({ config: { maxStreams: 2 } });
    const answers = await Promise.all(
      ["a", "b", "c", "d"].map((id) => send(plane, "POST", `/streams/${id}`, createBody())),
    );
    const refused = answers.filter((answer) => answer.status !== 200);
    expect(refused).toHaveLength(2);
    for (const answer of refused) {
      expectError(answer, "LimitExceededException", "there are 2 streams; this server's limit is 2");
    }
    expect(await plane.registry.count()).toBe(2);
  });

  it("of versions ends at 65535", async () => {
    await start();
    await create();
    await plane.registry.change("s", (entry) => {
      if (entry?.state !== "live") throw new Error("not live");
      return { state: "live", record: { ...entry.record, streamVersion: 65_534 } };
    });
    expect((await send(plane, "PUT", "/streams/s", {})).body).toMatchObject({ streamVersion: 65_535 });
    const message = "stream s is at version 65535; the limit is 65535";
    expectError(await send(plane, "PUT", "/streams/s", {}), "LimitExceededException", message);
    await send(plane, "DELETE", "/streams/s");
    expectError(await create(), "LimitExceededException", message);
  });

  it("of requests per second refills with time", async () => {
    await start({ config: { maxRequestsPerSecond: 2 } });
    const list = () => send(plane, "GET", "/streams");
    expect([(await list()).status, (await list()).status]).toEqual([200, 200]);
    const message = "more requests than this server's limit, 2 per second";
    expectError(await list(), "ThrottlingException", message);
    plane.clock.advance(499);
    expectError(await send(plane, "GET", "/nope"), "ThrottlingException", message);
    plane.clock.advance(1);
    expect((await list()).status).toBe(200);
    expect((await list()).status).toBe(429);
  });
});
