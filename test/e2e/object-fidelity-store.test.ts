/** What a download costs the object store, and what devices are told while the store is down. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { dataOf, rejectionOf } from "../support/asking-device.ts";
import { makeFile } from "../support/broker.ts";
import { fetchStream } from "../support/otastream-delivery.ts";
import { type ProxiedServer, startProxiedServer } from "../support/proxied-server.ts";

const IMAGE = makeFile(512 * 256);
const FIRST_BLOCK = { f: 0, l: 4096, n: 1 };
const HOUR_MS = 3_600_000;
const DOWN = [
  { name: "answers 503", behaviour: { status: 503, code: "ServiceUnavailable" } },
  { name: "drops connections", behaviour: "drop" },
] as const;

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function start(options: Parameters<typeof startProxiedServer>[0] = {}): Promise<ProxiedServer> {
  const server = await startProxiedServer(options);
  cleanUp.push(() => server.close());
  return server;
}

/** Publishes the image and forgets what that cost. */
async function published(server: ProxiedServer, streamId: string): Promise<void> {
  await server.publish(streamId, [IMAGE]);
  server.door.forget();
}

describe("a download of 512 blocks, one request for each", () => {
  async function download(server: ProxiedServer): Promise<number> {
    await published(server, "many");
    const device = await server.device();
    const startedAtMs = performance.now();
    for (let block = 0; block < 512; block++) {
      const data = dataOf(await device.ask("many", { f: 0, l: 256, o: block, n: 1 }));
      expect(data.blockId).toBe(block);
      expect(Buffer.compare(data.payload, IMAGE.subarray(block * 256, block * 256 + 256))).toBe(0);
    }
    return performance.now() - startedAtMs;
  }

  it("costs one read and no check within the interval", async () => {
    const server = await start({ checkIntervalMs: HOUR_MS });
    await download(server);
    expect(server.door.requests).toEqual([{ method: "GET", object: "originals/many/0" }]);
  });

  it.each([20, 100])("costs one read and at most two checks in %i ms", async (checkIntervalMs) => {
    const server = await start({ checkIntervalMs });
    const tookMs = await download(server);
    expect(server.door.count("GET")).toBe(1);
    // Two looks at an object begin more than half an interval apart.
    expect(server.door.requests.length).toBeLessThanOrEqual(1 + Math.floor(tookMs / (checkIntervalMs / 2)));
    expect(server.door.mostInFlight).toBe(1);
  });

  it("costs a read and 511 checks, one at a time, when every request is to be checked", async () => {
    const server = await start({ checkIntervalMs: 0 });
    await download(server);
    expect([server.door.count("GET"), server.door.count("HEAD")]).toEqual([1, 511]);
    expect(server.door.mostInFlight).toBe(1);
  });
});

describe("many devices at once", () => {
  /** Ten requests of each of five devices while the store answers nobody, then everything it owes them. */
  async function askTogether(server: ProxiedServer): Promise<void> {
    const devices = await Promise.all(Array.from({ length: 5 }, () => server.device()));
    server.door.forget();
    server.door.behave("hold");
    for (const device of devices) {
      for (let block = 0; block < 10; block++) device.send("shared", { f: 0, l: 256, o: block, n: 1 });
    }
    await server.door.untilRequests(1);
    // An answer to a ping shows that the requests before it were handled.
    for (const device of devices) await device.ping();
    expect(devices.map((device) => device.untaken)).toEqual([0, 0, 0, 0, 0]);
    server.door.behave("forward");
    for (const device of devices) {
      for (let block = 0; block < 10; block++) dataOf(await device.next());
    }
    expect(server.door.mostInFlight).toBe(1);
  }

  it("share one read, however many wait for it", async () => {
    const server = await start({ checkIntervalMs: HOUR_MS });
    await published(server, "shared");
    await askTogether(server);
    expect(server.door.requests).toEqual([{ method: "GET", object: "originals/shared/0" }]);
  });

  it("share one check after the one that was under way when they asked, where no check may be older", async () => {
    const server = await start({ checkIntervalMs: 0 });
    await published(server, "shared");
    await askTogether(server);
    await askTogether(server);
    expect(server.door.requests.length).toBeLessThanOrEqual(2);
    expect(server.door.count("GET")).toBe(0);
  });

  it("that download whole files cost one read of each", async () => {
    const server = await start({ checkIntervalMs: HOUR_MS });
    await server.publish("fleet", [makeFile(300_000), makeFile(100_000)]);
    server.door.forget();
    const out = await mkdtemp(join(tmpdir(), "otastream-fleet-"));
    cleanUp.push(() => rm(out, { recursive: true, force: true }));
    const downloads = [256, 1000, 4096, 131_072].map((blockSizeBytes) =>
      fetchStream({
        ...{ broker: server.urls.mqtt, streamId: "fleet", format: "cbor", blockSizeBytes },
        out: join(out, String(blockSizeBytes)),
      }),
    );
    await Promise.all(downloads);
    expect(server.door.requests.map(({ object }) => object).sort()).toEqual(["originals/fleet/0", "originals/fleet/1"]);
    expect(server.door.count("GET")).toBe(2);
  });
});

describe.each(DOWN)("a store that $name", ({ behaviour }) => {
  it("is InternalError to devices, without stale bytes, and ServiceUnavailableException to the stream API", async () => {
    const server = await start();
    await published(server, "down");
    const device = await server.device();
    dataOf(await device.ask("down", FIRST_BLOCK));
    server.door.behave(behaviour);
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(rejectionOf(await device.ask("down", { c: "t", ...FIRST_BLOCK }))).toMatchObject({
        code: "InternalError",
        clientToken: "t",
        message: expect.stringMatching(/^s3:\/\/originals\/down\/0 could not be read from http/),
      });
    }
    expect(await device.ask("down", {}, { operation: "describe" })).toMatchObject({ kind: "description" });
    expect(await server.api("PUT", "/streams/down", {})).toMatchObject({
      status: 503,
      body: {
        __type: "ServiceUnavailableException",
        message: expect.stringContaining("file 0: s3://originals/down/0"),
      },
    });
    server.door.behave("forward");
    expect(dataOf(await device.ask("down", { ...FIRST_BLOCK, s: 0 })).payload).toHaveLength(4096);
  });

  it.each([
    { what: "rejected", serveStaleMs: 0, kind: "rejected" },
    { what: "served stale bytes", serveStaleMs: HOUR_MS, kind: "data" },
  ] as const)("is asked once in 200 ms while requests are $what", async ({ serveStaleMs, kind }) => {
    const checkIntervalMs = 200;
    const server = await start({ checkIntervalMs, serveStaleMs });
    await published(server, "asked");
    const device = await server.device();
    dataOf(await device.ask("asked", FIRST_BLOCK));
    const readAtMs = performance.now();
    server.door.behave(behaviour);
    // Until the read is older than the interval, its bytes are as good as checked.
    while (performance.now() - readAtMs <= checkIntervalMs) await device.ping();
    server.door.forget();
    const startedAtMs = performance.now();
    for (let request = 0; request < 100; request++) {
      expect((await device.ask("asked", FIRST_BLOCK)).kind).toBe(kind);
    }
    const looks = 1 + Math.floor((performance.now() - startedAtMs) / checkIntervalMs);
    // One look is two attempts.
    expect(server.door.requests.length).toBeLessThanOrEqual(2 * looks);
    expect(server.door.mostInFlight).toBe(1);
  });

  it("is no obstacle for as long as stale bytes are allowed", async () => {
    const server = await start({ serveStaleMs: HOUR_MS });
    await published(server, "stale");
    const device = await server.device();
    dataOf(await device.ask("stale", FIRST_BLOCK));
    server.door.behave(behaviour);
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(Buffer.compare(dataOf(await device.ask("stale", FIRST_BLOCK)).payload, IMAGE.subarray(0, 4096))).toBe(0);
    }
    server.door.behave("forward");
    await server.remove("stale", 0);
    expect(rejectionOf(await device.ask("stale", FIRST_BLOCK)).code).toBe("ResourceNotFound");
  });

  it("is InternalError again once the last check is older than that", async () => {
    const serveStaleMs = 1500;
    const server = await start({ serveStaleMs });
    await published(server, "aging");
    const device = await server.device();
    dataOf(await device.ask("aging", FIRST_BLOCK));
    const checkedAfterMs = performance.now();
    dataOf(await device.ask("aging", FIRST_BLOCK));
    const checkedBeforeMs = performance.now();
    server.door.behave(behaviour);
    for (;;) {
      const sentAtMs = performance.now();
      const answer = await device.ask("aging", FIRST_BLOCK);
      if (answer.kind === "data") {
        expect(sentAtMs).toBeLessThanOrEqual(checkedBeforeMs + serveStaleMs);
        continue;
      }
      expect(rejectionOf(answer).code).toBe("InternalError");
      expect(performance.now()).toBeGreaterThan(checkedAfterMs + serveStaleMs);
      break;
    }
  });

  it("has no stale bytes of a file that was never read", async () => {
    const server = await start({ serveStaleMs: HOUR_MS });
    await published(server, "unread");
    const device = await server.device();
    server.door.behave(behaviour);
    expect(rejectionOf(await device.ask("unread", FIRST_BLOCK)).code).toBe("InternalError");
  });
});
