/** `serve` killed with SIGKILL: what was acknowledged is there after a restart on the same directory. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type IotApi, openIotApi } from "../../cli/iot-api.ts";
import { type UploadedObject, uploadFiles } from "../../publisher/object-store/uploader.ts";
import { someBytes } from "../contract/object-store.ts";
import {
  expectDelivered,
  expectSameBytes,
  openHoldingDoor,
  type TemporaryDirectory,
  temporaryDirectory,
  writeImages,
} from "../support/otastream-delivery.ts";
import { killLeftovers, OtastreamProcess, type ServerUrls, startServe } from "../support/otastream-process.ts";

const REGION = "us-east-1";
const BUCKET = "firmware";
const ROLE_ARN = "arn:aws:iam::123456789012:role/reader";
const SHAPE = { format: "cbor", blockSizeBytes: 4096 } as const;

let directory: TemporaryDirectory;
let api: IotApi | undefined;

beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  api?.close();
  await killLeftovers();
  await directory.remove();
});

function upload({ s3 }: ServerUrls, key: string, path: string): Promise<UploadedObject[]> {
  return uploadFiles({ endpoint: s3, region: REGION, bucket: BUCKET, files: [{ key, path }] });
}

function createStream({ http }: ServerUrls, streamId: string, key: string): Promise<{ streamVersion: number }> {
  api?.close();
  api = openIotApi({ endpoint: http, region: REGION });
  return api.createStream({ streamId, roleArn: ROLE_ARN, files: [{ fileId: 0, bucket: BUCKET, key }] });
}

describe("serve and SIGKILL", () => {
  it("keeps streams and objects whose creation was acknowledged, through one kill after another", async () => {
    const [image = ""] = await writeImages(directory.path, [300_001]);
    const streamIds = ["first", "second", "third"];
    for (const streamId of streamIds) {
      const { urls, process } = await startServe(directory.in("data"));
      await upload(urls, `${streamId}.bin`, image);
      await createStream(urls, streamId, `${streamId}.bin`);
      await process.stop("SIGKILL");
    }
    const { urls } = await startServe(directory.in("data"));
    for (const streamId of streamIds) {
      await expectDelivered({ broker: urls.mqtt, streamId, out: directory.in("out"), ...SHAPE }, [image]);
    }
  });

  it("keeps a deletion and the version that follows it", async () => {
    const [image = ""] = await writeImages(directory.path, [1000]);
    const first = await startServe(directory.in("data"));
    await upload(first.urls, "image", image);
    expect(await createStream(first.urls, "again", "image")).toMatchObject({ streamVersion: 0 });
    await api?.deleteStream("again");
    await first.process.stop("SIGKILL");
    const second = await startServe(directory.in("data"));
    expect(await createStream(second.urls, "again", "image")).toMatchObject({ streamVersion: 1 });
  });

  it("lets a download under way go on after the restart, with the blocks it had", async () => {
    const [image = ""] = await writeImages(directory.path, [2_097_152]);
    const first = await startServe(directory.in("data"));
    await upload(first.urls, "image", image);
    await createStream(first.urls, "images", "image");
    const { port } = new URL(first.urls.mqtt);
    const door = await openHoldingDoor(first.urls.mqtt, 1_500_000);
    const args = ["download", "images", "--broker", door.url, "--out", directory.in("out")];
    const device = new OtastreamProcess(args);
    await device.stderrLine(/\(50 %\)/);
    await first.process.stop("SIGKILL");
    await device.stderrLine(/disconnected from the broker/);
    await startServe(directory.in("data"), ["--mqtt-port", port]);
    door.release();
    const { status, stdout } = await device.ended;
    await door.close();
    expect(status).toBe(0);
    expect(stdout).toContain("2097152 bytes in 512 blocks");
    await expectSameBytes(directory.in("out", "images", "0"), image);
  });

  it("forgets an upload that was not acknowledged, or keeps all of it", async () => {
    const { urls, process } = await startServe(directory.in("data"));
    const bytes = someBytes(2_000_000);
    const uploading = uploadFiles({
      endpoint: urls.s3,
      region: REGION,
      bucket: BUCKET,
      maxAttempts: 1,
      files: [{ key: "image", bytes }],
      onProgress: () => process.child.kill("SIGKILL"),
    });
    await uploading.catch((error: unknown) => expect(error).toMatchObject({ code: "StoreUnreachable" }));
    await process.ended;
    const next = await startServe(directory.in("data"));
    const created = createStream(next.urls, "maybe", "image");
    await created.then(
      async () => {
        const [image = ""] = await writeImages(directory.path, [2_000_000]);
        await expectDelivered({ broker: next.urls.mqtt, streamId: "maybe", out: directory.in("out"), ...SHAPE }, [
          image,
        ]);
      },
      (error: unknown) => expect(String(error)).toContain("ResourceNotFoundException"),
    );
  });
});
