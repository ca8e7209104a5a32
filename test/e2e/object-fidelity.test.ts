/** What devices and the stream API are told when an object is replaced, deleted or locked after its stream was made. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { downloadStream } from "../../device/agent.ts";
import { systemFileSystem } from "../../device/file-system.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import { systemRandom } from "../../shared/random.ts";
import { dataOf, rejectionOf } from "../support/asking-device.ts";
import { makeFile } from "../support/broker.ts";
import { expectError } from "../support/control-errors.ts";
import { HeldTransport } from "../support/held-transport.ts";
import { type ProxiedServer, startProxiedServer } from "../support/proxied-server.ts";

const FORMATS = ["cbor", "json"] as const;
const OLD = makeFile(10_000);
const NEW = makeFile(12_345);
const FIRST_BLOCK = { f: 0, l: 4096, n: 1 };

describe("with every request checked", () => {
  let server: ProxiedServer;
  beforeAll(async () => {
    server = await startProxiedServer();
  });
  afterAll(() => server.close());

  it.each(FORMATS)("a replaced object is ETagMismatch in %s until the stream is updated", async (format) => {
    const streamId = `replaced-${format}`;
    await server.publish(streamId, [OLD]);
    const device = await server.device();
    const ask = (members = {}) => device.ask(streamId, { c: "t", ...FIRST_BLOCK, ...members }, { format });
    expect(Buffer.compare(dataOf(await ask({ s: 0 })).payload, OLD.subarray(0, 4096))).toBe(0);

    await server.replace(streamId, 0, NEW);
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(rejectionOf(await ask({ s: 0 }))).toEqual({
        code: "ETagMismatch",
        clientToken: "t",
        message: expect.stringMatching(
          /originals\/replaced-\w+\/0 has ETag ".*", not ".*" as recorded: update the stream/,
        ),
      });
    }
    expect((await server.api("GET", `/streams/${streamId}`)).body).toMatchObject({ streamInfo: { streamVersion: 0 } });

    expect((await server.api("PUT", `/streams/${streamId}`, {})).body).toMatchObject({ streamVersion: 1 });
    expect(rejectionOf(await ask({ s: 0 }))).toMatchObject({
      code: "VersionMismatch",
      message: "stream version (s) must be the latest, 1, not 0",
    });
    for (const members of [{ s: 1 }, {}]) {
      expect(Buffer.compare(dataOf(await ask(members)).payload, NEW.subarray(0, 4096))).toBe(0);
    }
    const description = await device.ask(streamId, {}, { format, operation: "describe" });
    expect(description).toMatchObject({ description: { streamVersion: 1, files: [{ sizeBytes: NEW.length }] } });
  });

  it("an object that is put again with the bytes it had goes on being served", async () => {
    await server.publish("same", [OLD]);
    const device = await server.device();
    await server.replace("same", 0, OLD);
    expect(dataOf(await device.ask("same", FIRST_BLOCK)).payload).toHaveLength(4096);
  });

  it("a deleted object is ResourceNotFound until it is back, to devices and to the stream API", async () => {
    await server.publish("deleted", [OLD, NEW]);
    const device = await server.device();
    dataOf(await device.ask("deleted", FIRST_BLOCK));
    await server.remove("deleted", 0);
    expect(rejectionOf(await device.ask("deleted", FIRST_BLOCK))).toEqual({
      code: "ResourceNotFound",
      message: expect.stringContaining("s3://originals/deleted/0 was not found"),
    });
    dataOf(await device.ask("deleted", { ...FIRST_BLOCK, f: 1 }));
    expectError(await server.api("PUT", "/streams/deleted", {}), "ResourceNotFoundException", /^file 0: .*deleted\/0/);
    await server.replace("deleted", 0, OLD);
    dataOf(await device.ask("deleted", FIRST_BLOCK));
  });

  it("denied access is Unauthorized to devices and UnauthorizedException to the stream API", async () => {
    await server.publish("denied", [OLD]);
    const device = await server.device();
    dataOf(await device.ask("denied", FIRST_BLOCK));
    server.door.behave({ status: 403, code: "AccessDenied" });
    try {
      expect(rejectionOf(await device.ask("denied", FIRST_BLOCK))).toMatchObject({
        code: "Unauthorized",
        message: expect.stringContaining("s3://originals/denied/0"),
      });
      const update = await server.api("PUT", "/streams/denied", {});
      expectError(update, "UnauthorizedException", /^file 0: s3:\/\/originals\/denied\/0 could not be read/);
    } finally {
      server.door.behave("forward");
    }
    dataOf(await device.ask("denied", { ...FIRST_BLOCK, s: 0 }));
  });

  it("an empty object is refused in those words, at create and at update, and nothing changes", async () => {
    const sentence = "file 0 has 0 bytes; a file has 1 to 2097152 bytes";
    await expect(server.publish("empty", [new Uint8Array(0)])).rejects.toThrow(sentence);
    expectError(await server.api("GET", "/streams/empty"), "ResourceNotFoundException", /empty does not exist/);
    await server.publish("emptied", [OLD]);
    await server.replace("emptied", 0, new Uint8Array(0));
    expectError(await server.api("PUT", "/streams/emptied", {}), "InvalidRequestException", sentence);
    expect((await server.api("GET", "/streams/emptied")).body).toMatchObject({ streamInfo: { streamVersion: 0 } });
    const device = await server.device();
    expect(rejectionOf(await device.ask("emptied", FIRST_BLOCK)).code).toBe("ETagMismatch");
  });

  it("a version of an object on a store without versions is refused in those words, and nothing is made", async () => {
    await server.publish("unversioned", [OLD]);
    const s3Location = { bucket: "originals", key: "unversioned/0", version: "3HL4kqtJvjVBH40Nrjfkd" };
    const body = { files: [{ fileId: 0, s3Location }], roleArn: "arn:aws:iam::123456789012:role/otastream" };
    const sentence =
      "file 0: version 3HL4kqtJvjVBH40Nrjfkd of s3://originals/unversioned/0 was asked for and the store's answer carries no version";
    expectError(await server.api("POST", "/streams/pinned", body), "ResourceNotFoundException", sentence);
    expectError(await server.api("GET", "/streams/pinned"), "ResourceNotFoundException", /pinned does not exist/);
    expectError(await server.api("PUT", "/streams/unversioned", body), "ResourceNotFoundException", sentence);
    expect((await server.api("GET", "/streams/unversioned")).body).toMatchObject({ streamInfo: { streamVersion: 0 } });
  });
});

describe("with the default interval of 1000 ms", () => {
  it("no request sent more than 1000 ms after the change is answered with the old bytes", async () => {
    const server = await startProxiedServer({ checkIntervalMs: 1000 });
    try {
      await server.publish("timed", [OLD]);
      const device = await server.device();
      dataOf(await device.ask("timed", FIRST_BLOCK));
      await server.replace("timed", 0, NEW);
      const replacedAtMs = performance.now();
      for (;;) {
        const sentAtMs = performance.now();
        const answer = await device.ask("timed", FIRST_BLOCK);
        if (answer.kind === "data") {
          expect(sentAtMs - replacedAtMs).toBeLessThanOrEqual(1000);
          continue;
        }
        expect(rejectionOf(answer).code).toBe("ETagMismatch");
        break;
      }
    } finally {
      await server.close();
    }
  });
});

describe("our own device", () => {
  let server: ProxiedServer;
  let directory: string;
  beforeAll(async () => {
    server = await startProxiedServer();
    directory = await mkdtemp(join(tmpdir(), "otastream-fidelity-"));
  });
  afterAll(async () => {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });

  it.each([
    { name: "replaced, then updated once it was told", updateAtOnce: false, told: "ETagMismatch" },
    { name: "replaced and updated at once", updateAtOnce: true, told: "VersionMismatch" },
  ] as const)("finishes with the new bytes when the object is $name mid-download", async ({ updateAtOnce, told }) => {
    const before = makeFile(400_000);
    const after = makeFile(400_001);
    const streamId = `mid-download-${told}`;
    await server.publish(streamId, [before]);
    const update = () => server.api("PUT", `/streams/${streamId}`, {});
    const transport = createDeviceTransport({ url: server.urls.mqtt, clientId: streamId, log: silentLog });
    const held = new HeldTransport(transport);
    const changed = held.isHeld.then(async () => {
      await server.replace(streamId, 0, after);
      if (updateAtOnce) await update();
      held.release();
      await held.rejected(told);
      if (!updateAtOnce) await update();
    });
    const result = await downloadStream({
      ...{ fileSystem: systemFileSystem, clock: systemClock, random: systemRandom, log: silentLog },
      ...{ transport: held, thing: streamId, streamId, directory, format: "json", blockSizeBytes: 4096 },
      // A small window: most of the file is yet to be asked for when the device is held.
      bufferBlocks: 8,
      onProgress: ({ heldBlocks }) => {
        if (heldBlocks >= 20) held.hold();
      },
    });
    await changed;
    expect(result.streamVersion).toBe(1);
    expect(result.files).toMatchObject([{ fileId: 0, verified: "digest", sizeBytes: 400_001 }]);
    expect(Buffer.compare(await readFile(join(directory, streamId, "0")), after)).toBe(0);
  });
});
