/** The whole way over WebSocket, and the two doors of the broker side by side. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  expectDelivered,
  REQUEST_SHAPES,
  type TemporaryDirectory,
  temporaryDirectory,
  writeImages,
} from "../support/otastream-delivery.ts";
import { killLeftovers, runOtastream, type ServeProcess, startServe } from "../support/otastream-process.ts";

let directory: TemporaryDirectory;
let server: ServeProcess;
let images: string[];

beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startServe(directory.in("data"));
  images = await writeImages(directory.path);
  const { http, s3 } = server.urls;
  const run = await runOtastream([
    "publish",
    ...images,
    "--stream-id",
    "images",
    "--endpoint",
    http,
    "--s3-endpoint",
    s3,
  ]);
  expect(run).toMatchObject({ status: 0 });
});
afterAll(async () => {
  await killLeftovers();
  await directory.remove();
});

describe("over WebSocket", () => {
  it.each(REQUEST_SHAPES)("delivers every file in $format, blocks of $blockSizeBytes bytes", async (shape) => {
    const out = directory.in(`${shape.format}-${shape.blockSizeBytes}`);
    await expectDelivered({ broker: server.urls.ws, streamId: "images", out, ...shape }, images);
  });

  it.each(["", "/mqtt"])("delivers through the command line at the path %j", async (path) => {
    const out = directory.in(`cli${path.replace("/", "-")}`);
    const args = ["download", "images", "--broker", `${server.urls.ws}${path}`, "--out", out, "--json"];
    expect(await runOtastream(args)).toMatchObject({ status: 0, stderr: "" });
  });

  it("says what is wrong at any other path", async () => {
    const args = ["download", "images", "--broker", `${server.urls.ws}/elsewhere`, "--out", directory.in("none")];
    const { status, stderr } = await runOtastream(args);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `otastream: cannot reach the broker ${server.urls.ws}/elsewhere: Unexpected server response: 404 (BrokerUnreachable)\n`,
    );
  });

  it("serves many devices at once, over both doors and in both formats", async () => {
    const devices = (["mqtt", "ws"] as const).flatMap((door) => REQUEST_SHAPES.map((shape) => ({ door, shape })));
    await Promise.all(
      devices.map(({ door, shape }, index) => {
        const out = directory.in(`device-${index}`);
        return expectDelivered({ broker: server.urls[door], streamId: "images", out, ...shape }, images);
      }),
    );
  });
});
