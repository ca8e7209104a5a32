/** `serve` with a pace and with quotas, as devices and their owner meet it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AskingDevice } from "../support/asking-device.ts";
import {
  expectSameBytes,
  type TemporaryDirectory,
  temporaryDirectory,
  writeImages,
} from "../support/otastream-delivery.ts";
import { killLeftovers, runOtastream, type ServeProcess, startServe } from "../support/otastream-process.ts";

const FILE_BYTES = 200_000;

let directory: TemporaryDirectory;
let image: string;
beforeAll(async () => {
  directory = await temporaryDirectory();
  [image = ""] = await writeImages(directory.path, [FILE_BYTES]);
});
afterAll(async () => {
  await killLeftovers();
  await directory.remove();
});

async function serveImage(name: string, ...flags: readonly string[]): Promise<ServeProcess> {
  const server = await startServe(directory.in(name), flags);
  const { http, s3 } = server.urls;
  const args = ["publish", image, "--stream-id", "image", "--endpoint", http, "--s3-endpoint", s3];
  expect(await runOtastream(args)).toMatchObject({ status: 0 });
  return server;
}

/** Downloads through the command line, compares, and returns how long the blocks took, in milliseconds. */
async function download({ urls }: ServeProcess, out: string): Promise<number> {
  const args = ["download", "image", "--broker", urls.mqtt, "--out", directory.in(out), "--json"];
  const { status, stdout, stderr } = await runOtastream(args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  await expectSameBytes(directory.in(out, "image", "0"), image);
  return JSON.parse(stdout).files[0].milliseconds;
}

function linesOf({ stderr }: { readonly stderr: string }): Record<string, unknown>[] {
  return stderr
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text));
}

describe("with --pace-bytes-per-second 65536", () => {
  it("no download is faster, each has its own pace, and nothing is logged", async () => {
    const server = await serveImage("paced", "--pace-bytes-per-second", "65536");
    const times = await Promise.all([download(server, "first"), download(server, "second")]);
    // The first block and a tenth of a second's worth come at once.
    const leastMs = ((FILE_BYTES - 6554) / 65_536) * 1000;
    for (const milliseconds of times) expect(milliseconds).toBeGreaterThanOrEqual(leastMs);
    expect(linesOf(await server.process.stop()).map(({ msg }) => msg)).toEqual(["stopping"]);
  });
});

describe("with --quotas aws", () => {
  let server: ServeProcess;
  beforeAll(async () => {
    server = await serveImage("aws", "--quotas", "aws");
  });

  it("a download arrives", async () => {
    await download(server, "third");
  });

  it("every message that is not answered has been counted in the log", async () => {
    const device = await AskingDevice.connect(server.urls.mqtt, "flood");
    // From here on the stream is remembered, and every answer is on its way before that of the ping.
    await device.ask("image", {}, { operation: "describe" });
    for (let number = 0; number < 1000; number++) device.send("image", {}, { operation: "describe" });
    const line = await server.process.stderrLine(/quota exceeded.*flood|flood.*quota exceeded/);
    expect(JSON.parse(line)).toMatchObject({ client: "flood" });
    await device.ping();
    const answered = device.untaken;
    expect(answered).toBeGreaterThan(0);
    const logged = linesOf(await server.process.stop()).filter(({ client }) => client === "flood");
    const discarded = logged.filter(({ quota }) => quota === "publishesPerSecond");
    expect(discarded[0]).toMatchObject({ msg: "quota exceeded", limit: 100, effect: "discarded" });
    expect(discarded.length).toBeLessThan(10);
    expect(discarded.reduce((sum, { count }) => sum + (count as number), 0)).toBe(1000 - answered);
  });
});
