/** The embedded S3 server: where it listens, what it keeps, what it refuses, and how it stops. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedS3, startEmbeddedS3 } from "../../publisher/object-store/embedded-s3.ts";

let dir: string;
let servers: EmbeddedS3[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "otastream-embedded-"));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(dir, { recursive: true, force: true });
});

async function start(options: Partial<Parameters<typeof startEmbeddedS3>[0]> = {}): Promise<EmbeddedS3> {
  const server = await startEmbeddedS3({ dataDir: join(dir, "data"), host: "127.0.0.1", port: 0, ...options });
  servers.push(server);
  return server;
}

/** The local addresses that listen on a port, as the operating system has them: hex, low byte first. */
function listenersOn(port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => {
    const rows = readFileSync(path, "utf8").trim().split("\n").slice(1);
    const fields = rows.map((row) => row.trim().split(/\s+/));
    const listening = fields.filter(([, address, , state]) => state === "0A" && address?.endsWith(suffix));
    return listening.map(([, address]) => address?.slice(0, -suffix.length) ?? "");
  });
}

async function put(server: EmbeddedS3, path: string, body: string, type = "application/octet-stream"): Promise<number> {
  const response = await fetch(`${server.endpoint}${path}`, { method: "PUT", body, headers: { "content-type": type } });
  await response.arrayBuffer();
  return response.status;
}

describe("listening", () => {
  it.skipIf(process.platform !== "linux").each([
    ["127.0.0.1", "0100007F"],
    ["127.0.0.2", "0200007F"],
  ])("is on %s only", async (host, expected) => {
    const server = await start({ host });
    expect(server).toMatchObject({ host, endpoint: `http://${host}:${server.port}` });
    expect(listenersOn(server.port)).toEqual([expected]);
    expect((await fetch(server.endpoint)).status).toBe(200);
  });

  it("on a taken port is AddressInUse, and leaves the data free", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const refused = start({ port });
    await expect(refused).rejects.toMatchObject({ name: "OtaError", code: "AddressInUse" });
    await expect(refused).rejects.toThrow(`S3 address 127.0.0.1:${port} is already in use`);
    await once(other.close(), "close");
    expect((await start({ port })).port).toBe(port);
  });

  it("on an address that is not this machine's is AddressNotAvailable", async () => {
    const refused = start({ host: "192.0.2.1" });
    await expect(refused).rejects.toMatchObject({ code: "AddressNotAvailable" });
    await expect(refused).rejects.toThrow("192.0.2.1:0");
  });

  it("on every interface is reached through loopback", async () => {
    const server = await start({ host: "0.0.0.0" });
    expect(server.endpoint).toBe(`http://127.0.0.1:${server.port}`);
  });
});

describe("a data directory", () => {
  it("keeps its objects over a restart", async () => {
    const first = await start();
    await put(first, "/images", "");
    await put(first, "/images/a", "hello");
    await first.close();
    const second = await start();
    expect(await (await fetch(`${second.endpoint}/images/a`)).text()).toBe("hello");
  });

  it("that another server uses is DataDirNotUsable", async () => {
    await start();
    const refused = start();
    await expect(refused).rejects.toMatchObject({ code: "DataDirNotUsable" });
    await expect(refused).rejects.toThrow(`${join(dir, "data")} cannot be used: another process is using it`);
  });

  it.each([
    ["is a file", "", "file"],
    ["is below a file", "", "file/data"],
  ])("that %s is DataDirNotUsable", async (_name, content, path) => {
    writeFileSync(join(dir, "file"), content);
    const dataDir = join(dir, path);
    const refused = start({ dataDir });
    await expect(refused).rejects.toMatchObject({ name: "OtaError", code: "DataDirNotUsable" });
    await expect(refused).rejects.toThrow(`S3 data directory ${dataDir} cannot be used`);
  });

  it("that holds something else under its name is DataDirNotUsable", async () => {
    writeFileSync(join(dir, "fauxqs.db"), "not a database".repeat(1000));
    await expect(start({ dataDir: dir })).rejects.toMatchObject({ code: "DataDirNotUsable" });
  });
});

describe("requests", () => {
  it.each([
    ["POST", "/", "application/x-amz-json-1.0"],
    ["POST", "/", "application/x-www-form-urlencoded"],
    ["GET", "/_fauxqs/queues", ""],
    ["GET", "/_fauxqs/queues/any", ""],
    ["HEAD", "/_fauxqs/queues", ""],
    ["GET", "/health", ""],
    ["PATCH", "/bucket/key", ""],
  ])("that are not S3's get S3's error: %s %s %s", async (method, path, type) => {
    const server = await start();
    const headers = type === "" ? {} : { "content-type": type, "x-amz-target": "AmazonSQS.ListQueues" };
    const body = type === "" ? null : "{}";
    const response = await fetch(`${server.endpoint}${path}`, { method, headers, body });
    const text = await response.text();
    expect(response.status).toBe(405);
    if (method !== "HEAD") expect(text).toContain("<Code>MethodNotAllowed</Code>");
  });

  it.each(["application/x-www-form-urlencoded", "application/x-amz-json-1.0", "application/json", "text/plain"])(
    "with a body of %s store it as it is",
    async (type) => {
      const server = await start();
      await put(server, "/images", "");
      expect(await put(server, "/images/a", "a=b&c=%41", type)).toBe(200);
      expect(await (await fetch(`${server.endpoint}/images/a`)).text()).toBe("a=b&c=%41");
    },
  );

  it("with a body above 11 MiB are refused in S3's form", async () => {
    const server = await start();
    await put(server, "/images", "");
    const body = new Uint8Array(11 * 1_048_576 + 1);
    const response = await fetch(`${server.endpoint}/images/large`, { method: "PUT", body });
    expect(response.status).toBe(413);
    expect(await response.text()).toContain("<Code>EntityTooLarge</Code>");
  });
});

describe("closing", () => {
  it("does not wait for idle connections, nor for requests that never end, and may be repeated", async () => {
    const server = await start();
    const idle = connect(server.port, server.host);
    idle.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(idle, "data");
    const halfSent = connect(server.port, server.host);
    await once(halfSent, "connect");
    halfSent.write("PUT /images/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
    const closed = [idle, halfSent].map((socket) => {
      socket.on("error", () => {});
      socket.resume();
      return new Promise((resolve) => socket.once("close", resolve));
    });
    await server.close();
    await server.close();
    await Promise.all(closed);
    await expect(fetch(server.endpoint)).rejects.toThrow();
  });
});
