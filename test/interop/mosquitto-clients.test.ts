/** mosquitto's own clients against the broker: a device that asks, and a person who watches. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestBroker, type TestBroker, TestPublisher } from "../support/broker.ts";
import { hasMosquitto } from "../support/mosquitto.ts";

const run = promisify(execFile);
const own = "$aws/things/t1/streams/s";

describe.skipIf(!hasMosquitto())("mosquitto's clients", () => {
  let broker: TestBroker;
  let publisher: TestPublisher;
  const address = (): string[] => ["-h", "127.0.0.1", "-p", String(broker.mqttPort)];

  beforeAll(async () => {
    broker = await startTestBroker({ observers: ["watcher"] });
    publisher = await TestPublisher.start(broker.transport);
  });
  afterAll(() => broker.close());

  it("show an observer the request and the answer", async () => {
    // stdbuf, because into a pipe mosquitto_sub would keep its lines until it ends.
    const options = [...address(), "-i", "watcher", "-t", "$aws/#", "-v", "-C", "2", "-d"];
    const watcher = spawn("/usr/bin/stdbuf", ["-oL", "mosquitto_sub", ...options]);
    const closed = once(watcher, "close");
    const lines: string[] = [];
    const { promise: subscribed, resolve } = Promise.withResolvers<void>();
    createInterface(watcher.stdout).on("line", (line) => {
      lines.push(line);
      if (line.startsWith("Subscribed")) resolve();
    });
    await subscribed;
    publisher.onRequest = () => broker.transport.sendMessage("t1", `${own}/description/json`, Buffer.from('{"s":0}'));
    await run("mosquitto_pub", [...address(), "-i", "t1", "-q", "1", "-t", `${own}/describe/json`, "-m", "{}"]);
    expect(await closed).toEqual([0, null]);
    expect(lines.filter((line) => line.startsWith("$aws"))).toEqual([
      `${own}/describe/json {}`,
      `${own}/description/json {"s":0}`,
    ]);
  });

  it("tell a thing that its subscription was refused", async () => {
    const { stderr } = await run("mosquitto_sub", [...address(), "-i", "t2", "-t", "#", "-W", "5"]).catch(
      (error) => error,
    );
    expect(stderr).toContain("All subscription requests were denied");
  });
});
