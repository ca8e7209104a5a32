/** The whole way with mosquitto: as the broker between publisher and device, and as the client that watches. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasMosquitto, type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import {
  expectDelivered,
  REQUEST_SHAPES,
  type TemporaryDirectory,
  temporaryDirectory,
  writeImages,
} from "../support/otastream-delivery.ts";
import { killLeftovers, runOtastream, type ServeProcess, startServe } from "../support/otastream-process.ts";

/** A running mosquitto_sub. */
interface Watcher {
  readonly child: ChildProcess;
  readonly reader: Interface;
  readonly lines: readonly string[];
  readonly granted: boolean;
}

const SUBSCRIBER = "/usr/bin/mosquitto_sub";

describe.skipIf(!hasMosquitto())("with mosquitto", () => {
  let directory: TemporaryDirectory;
  let images: string[];
  beforeAll(async () => {
    directory = await temporaryDirectory();
    images = await writeImages(directory.path);
  });
  afterAll(async () => {
    await killLeftovers();
    await directory.remove();
  });

  async function publish({ urls }: ServeProcess, ...files: readonly string[]): Promise<void> {
    const flags = ["--stream-id", "images", "--endpoint", urls.http, "--s3-endpoint", urls.s3];
    expect(await runOtastream(["publish", ...files, ...flags])).toMatchObject({ status: 0 });
  }

  describe("as the broker", () => {
    let mosquitto: Mosquitto;
    let server: ServeProcess;
    beforeAll(async () => {
      mosquitto = await startMosquitto();
      server = await startServe(directory.in("data"), ["--broker", mosquitto.url]);
      await publish(server, ...images);
    });
    afterAll(() => mosquitto?.stop());

    it("is named in the ready line, with no door for WebSocket", () => {
      expect(server.urls).toEqual({
        ready: true,
        mqtt: mosquitto.url,
        http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
        s3: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      });
    });

    it.each(REQUEST_SHAPES)("delivers every file in $format, blocks of $blockSizeBytes bytes", async (shape) => {
      const out = directory.in(`${shape.format}-${shape.blockSizeBytes}`);
      await expectDelivered({ broker: mosquitto.url, streamId: "images", out, ...shape }, images);
    });

    it("delivers through the command line, and again after mosquitto was away", async () => {
      const download = (out: string) =>
        runOtastream(["download", "images", "--broker", mosquitto.url, "--out", directory.in(out), "--json"]);
      expect(await download("before")).toMatchObject({ status: 0, stderr: "" });
      const { port } = mosquitto;
      await mosquitto.stop();
      await server.process.stderrLine(/the broker is gone/);
      mosquitto = await startMosquitto(port);
      await server.process.stderrLine(/the broker is back/);
      expect(await download("after")).toMatchObject({ status: 0, stderr: "" });
    });
  });

  it("has its password kept out of the ready line", async () => {
    const mosquitto = await startMosquitto();
    try {
      const secretUrl = mosquitto.url.replace("//", "//user:open-sesame@");
      const server = await startServe(directory.in("secret"), ["--broker", secretUrl]);
      expect(server.urls.mqtt).toBe(mosquitto.url);
      const { stdout, stderr } = await server.process.stop();
      expect(stdout + stderr).not.toContain("open-sesame");
    } finally {
      await mosquitto.stop();
    }
  });

  describe("as the observer", () => {
    let server: ServeProcess;
    beforeAll(async () => {
      server = await startServe(directory.in("observed"), ["--observer", "watcher", "--observer", "second"]);
      await publish(server, ...images.slice(0, 3));
    });

    /** Subscribes to everything under `$aws` and resolves once the broker has answered. */
    async function watch(clientId: string): Promise<Watcher> {
      const { port } = new URL(server.urls.mqtt);
      const args = ["-h", "127.0.0.1", "-p", port, "-i", clientId, "-t", "$aws/#", "-F", "%t %l", "-d"];
      // Otherwise what it prints waits in its buffer.
      const child = spawn("stdbuf", ["-oL", SUBSCRIBER, ...args], { stdio: ["ignore", "pipe", "pipe"] });
      child.stderr.resume();
      const lines: string[] = [];
      const reader = createInterface({ input: child.stdout });
      const answered = Promise.withResolvers<boolean>();
      reader.on("line", (line) => {
        lines.push(line);
        if (/^Subscribed \(mid: \d+\): \d+$/.test(line)) answered.resolve(!line.endsWith(": 128"));
      });
      child.once("close", () => answered.reject(new Error(lines.join("\n"))));
      return { child, reader, lines, granted: await answered.promise };
    }

    it("sees every message of a download", async () => {
      const { child, reader, lines, granted } = await watch("watcher");
      expect(granted).toBe(true);
      const args = [
        "download",
        "images",
        "--broker",
        server.urls.mqtt,
        "--thing",
        "d1",
        "--out",
        directory.in("watched"),
      ];
      expect(await runOtastream([...args, "--block-size", "1000"])).toMatchObject({ status: 0 });
      while (lines.filter((line) => line.startsWith("$aws/")).length < 12) await once(reader, "line");
      child.kill("SIGTERM");
      await once(child, "close");
      const topics = lines.filter((line) => line.startsWith("$aws/")).map((line) => line.split(" ")[0] as string);
      const counts = Object.fromEntries(
        [...Map.groupBy(topics, (topic) => topic)].map(([topic, seen]) => [topic, seen.length]),
      );
      const prefix = "$aws/things/d1/streams/images";
      expect(counts).toEqual({
        [`${prefix}/describe/cbor`]: 1,
        [`${prefix}/description/cbor`]: 1,
        [`${prefix}/get/cbor`]: 3,
        [`${prefix}/data/cbor`]: 1 + 1 + 5,
      });
    });

    it("is refused under any other name, and may publish nothing", async () => {
      const stranger = await watch("stranger");
      expect(stranger.granted).toBe(false);
      stranger.child.kill("SIGKILL");
      const { port } = new URL(server.urls.mqtt);
      const topic = "$aws/things/second/streams/images/describe/json";
      const args = ["-h", "127.0.0.1", "-p", port, "-i", "second", "-t", topic, "-m", "{}"];
      const publisher = spawn("/usr/bin/mosquitto_pub", args, { stdio: "ignore" });
      await once(publisher, "close");
      await server.process.stderrLine(/"clientId":"second".*publish refused/);
    });
  });
});
