/** The broker's two ports: where they listen, who may come in over WebSocket, and what is said when they cannot be had. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { generate } from "mqtt-packet";
import { afterEach, describe, expect, it } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import { RawClient, startTestBroker, type TestBroker } from "../support/broker.ts";

const brokers: TestBroker[] = [];
const start = async (options = {}): Promise<TestBroker> => {
  const broker = await startTestBroker(options);
  brokers.push(broker);
  return broker;
};
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
});

const portOf = (url: string): number => Number(new URL(url).port);

/** The addresses that a port is bound to, in the operating system's hexadecimal. */
function boundAddresses(port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === "0A" && local?.endsWith(suffix))
      .map(([, local]) => local?.slice(0, -suffix.length) ?? ""),
  );
}

describe("the ports", () => {
  it("are bound to the given address only", async () => {
    const broker = await start();
    expect(boundAddresses(portOf(broker.mqttUrl))).toEqual(["0100007F"]);
    expect(boundAddresses(portOf(broker.wsUrl))).toEqual(["0100007F"]);
  });

  it("are shown with IPv6 addresses in brackets, and reached there", async () => {
    const broker = await start({ host: "::1" });
    expect(broker.mqttUrl).toMatch(/^mqtt:\/\/\[::1\]:\d+$/);
    for (const url of [broker.mqttUrl, broker.wsUrl]) {
      const device = createDeviceTransport({ url, clientId: "t1", log: silentLog });
      const handlers = { connected: () => {}, disconnected: () => {}, messageArrived: () => {} };
      await device.connect(["$aws/things/t1/streams/#"], handlers);
      await device.close();
    }
  });

  it.each([
    ["mqttPort", "--mqtt-port"],
    ["wsPort", "--ws-port"],
  ])("that are taken are named with their flag (%s)", async (option, flag) => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    await expect(start({ [option]: port })).rejects.toMatchObject({
      code: "AddressInUse",
      message: `127.0.0.1:${port} is in use by another program; choose another port with ${flag}`,
    });
    taken.close();
  });

  it("that failed leave nothing behind", async () => {
    const broker = await start();
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as { port: number };
    free.close();
    await once(free, "close");
    await expect(start({ mqttPort: port, wsPort: portOf(broker.wsUrl) })).rejects.toMatchObject({
      code: "AddressInUse",
    });
    expect(boundAddresses(port)).toEqual([]);
  });

  it.each(["192.0.2.1", "no-such-host.invalid"])("on %s are not available", async (host) => {
    await expect(start({ host })).rejects.toMatchObject({ code: "AddressNotAvailable" });
  });

  it("are closed with every connection on them, those that never said CONNECT too", async () => {
    const broker = await startTestBroker();
    const silent = await RawClient.open(broker.mqttPort);
    const client = await RawClient.connect(broker.mqttPort, "t1");
    const socket = new WebSocket(broker.wsUrl, "mqtt");
    await once(socket, "open");
    await broker.close();
    await Promise.all([
      silent.closed(),
      client.closed(),
      socket.readyState === WebSocket.CLOSED || once(socket, "close"),
    ]);
    expect(boundAddresses(broker.mqttPort)).toEqual([]);
  });
});

describe("WebSocket", () => {
  const outcome = async (url: string, protocols: string[], options: ClientOptions = {}): Promise<number | string> => {
    const socket = new WebSocket(url, protocols, options);
    return await new Promise((resolve) => {
      socket.on("error", () => {});
      socket.once("unexpected-response", (_request, response) => {
        resolve(response.statusCode ?? 0);
        response.destroy();
      });
      socket.once("open", () => {
        resolve(socket.protocol);
        socket.terminate();
      });
    });
  };

  it("is at / and /mqtt, for the subprotocol mqtt", async () => {
    const { wsUrl } = await start();
    expect(await outcome(wsUrl, ["mqtt"])).toBe("mqtt");
    expect(await outcome(`${wsUrl}/mqtt?x=1`, ["other", "mqtt"])).toBe("mqtt");
    expect(await outcome(`${wsUrl}/mqtt`, ["mqttv3.1"])).toBe("mqttv3.1");
    expect(await outcome(`${wsUrl}/other`, ["mqtt"])).toBe(404);
    expect(await outcome(wsUrl, ["other"])).toBe(400);
    expect(await outcome(wsUrl, [])).toBe(400);
  });

  it("is not for pages of other sites", async () => {
    const { wsUrl } = await start();
    for (const origin of ["http://localhost:3000", "http://127.0.0.1:8080", "https://[::1]"]) {
      expect(await outcome(wsUrl, ["mqtt"], { origin })).toBe("mqtt");
    }
    for (const origin of ["https://example.com", "null", "http://localhost.example.com"]) {
      expect(await outcome(wsUrl, ["mqtt"], { origin })).toBe(403);
    }
    const host = `example.com:${portOf(wsUrl)}`;
    expect(await outcome(wsUrl, ["mqtt"], { origin: "http://example.com", headers: { host } })).toBe(403);
  });

  it("answers a plain HTTP request with 426", async () => {
    const { wsUrl } = await start();
    expect((await fetch(wsUrl.replace("ws:", "http:"))).status).toBe(426);
  });

  it("is closed by a message that is larger than any packet may be", async () => {
    const broker = await start();
    const socket = new WebSocket(broker.wsUrl, "mqtt");
    await once(socket, "open");
    socket.send(generate({ cmd: "connect", clientId: "t1", protocolVersion: 4, protocolId: "MQTT", clean: true }));
    await once(socket, "message");
    socket.send(Buffer.alloc(400_000));
    const [code] = await once(socket, "close");
    expect(code).toBe(1009);
  });

  it("is closed by a packet that is too large, in messages of any size", async () => {
    const broker = await start();
    const socket = new WebSocket(broker.wsUrl, "mqtt");
    await once(socket, "open");
    socket.send(generate({ cmd: "connect", clientId: "t1", protocolVersion: 4, protocolId: "MQTT", clean: true }));
    await once(socket, "message");
    for (const byte of [0x30, 0xff, 0xff, 0xff, 0x7f]) socket.send(Buffer.of(byte));
    await once(socket, "close");
    await broker.log.waitFor("packet too large");
  });
});
