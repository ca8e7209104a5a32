/** `publish` and `streams` as their user meets them. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { someBytes } from "../contract/object-store.ts";
import {
  expectDelivered,
  type TemporaryDirectory,
  temporaryDirectory,
  writeImages,
} from "../support/otastream-delivery.ts";
import {
  killLeftovers,
  OtastreamProcess,
  type ProgramRun,
  runOtastream,
  type ServeProcess,
  startServe,
} from "../support/otastream-process.ts";

const NOBODY = "http://127.0.0.1:1";
const SHAPE = { format: "cbor", blockSizeBytes: 4096 } as const;
const arnOf = (streamId: string): string => `arn:aws:iot:us-east-1:123456789012:stream/${streamId}`;

let directory: TemporaryDirectory;
let server: ServeProcess;
let image: string;
let other: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startServe(directory.in("data"));
  [image = "", other = ""] = await writeImages(directory.path, [10_001, 5000]);
});
afterAll(async () => {
  await killLeftovers();
  await directory.remove();
});

function publish(...args: readonly string[]): Promise<ProgramRun> {
  return runOtastream(["publish", "--endpoint", server.urls.http, "--s3-endpoint", server.urls.s3, ...args]);
}

function streams(...args: readonly string[]): Promise<ProgramRun> {
  return runOtastream(["streams", ...args, "--endpoint", server.urls.http]);
}

async function publishJson(...args: readonly string[]) {
  const { status, stdout, stderr } = await publish("--json", ...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout);
}

function expectDeliveredAs(streamId: string, originals: readonly string[]): Promise<void> {
  return expectDelivered({ broker: server.urls.mqtt, streamId, out: directory.in("out"), ...SHAPE }, originals);
}

async function expectRefusal(run: Promise<ProgramRun>, status: number, message: string): Promise<void> {
  expect(await run).toEqual({ status, stdout: "", stderr: `otastream: ${message}\n` });
}

describe("publish", () => {
  it("creates the bucket, uploads, creates the stream and prints it", async () => {
    const run = await publish(
      image,
      other,
      "--stream-id",
      "printed",
      "--bucket",
      "a-new-bucket",
      "--description",
      "Größe 1",
    );
    expect(run.status).toBe(0);
    expect(run.stdout.trimEnd().split("\n")).toEqual([
      `stream printed  version 0  ${arnOf("printed")}`,
      "  file 0  10001.bin  10001 bytes",
      "  file 1  5000.bin  5000 bytes",
      "fetch it: otastream download printed",
    ]);
    expect(run.stderr).toMatch(
      /^uploaded 10001\.bin to a-new-bucket\/\S+, 10001 bytes\nuploaded 5000\.bin to \S+, 5000 bytes\n$/,
    );
    await expectDeliveredAs("printed", [image, other]);
  });

  it("chooses an id of its own, and prints JSON", async () => {
    const [first, second] = await Promise.all([publishJson(image), publishJson(image)]);
    expect(first).toEqual({
      streamId: expect.stringMatching(/^stream-[0-9a-f]{8}$/),
      streamArn: arnOf(first.streamId),
      streamVersion: 0,
      files: [{ fileId: 0, name: "10001.bin", sizeBytes: 10_001 }],
    });
    expect(second.streamId).not.toBe(first.streamId);
  });

  it("keeps apart files of one name, and takes any name", async () => {
    const odd = directory.in("Größe #1?% +&=.bin");
    const twin = directory.in("twin", "10001.bin");
    await mkdir(directory.in("twin"));
    await Promise.all([copyFile(other, odd), writeFile(twin, someBytes(3))]);
    const { files } = await publishJson(image, twin, odd, "--stream-id", "names");
    expect(files.map(({ name }: { name: string }) => name)).toEqual(["10001.bin", "10001.bin", "Größe #1?% +&=.bin"]);
    await expectDeliveredAs("names", [image, twin, odd]);
  });

  it("takes 50 files and refuses 51 before it uploads any", async () => {
    const files = Array<string>(50).fill(other);
    expect((await publishJson(...files, "--stream-id", "fifty")).files).toHaveLength(50);
    await expectDeliveredAs("fifty", files);
    const refusal = "a stream has at most 50 files, not 51 (InvalidArgument)";
    await expectRefusal(publish(...files, other), 2, refusal);
  });

  it("leaves a stream that exists as it was", async () => {
    await publishJson(image, "--stream-id", "taken");
    const refused = await publish(other, "--stream-id", "taken");
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain(
      "otastream: ResourceAlreadyExistsException: stream taken already exists (ApiError)\n",
    );
    // A new device is not served from memory: its file is checked against the object.
    await server.process.stop();
    server = await startServe(directory.in("data"));
    await expectDeliveredAs("taken", [image]);
  });

  it("passes on what the API refuses, and then there is no stream", async () => {
    const oversize = directory.in("oversize.bin");
    await writeFile(oversize, someBytes(2_097_153));
    const { status, stderr } = await publish(oversize, "--stream-id", "oversize");
    expect(status).toBe(1);
    expect(stderr).toContain(
      "otastream: LimitExceededException: file 0 has 2097153 bytes; the limit is 2097152 bytes (ApiError)\n",
    );
    const missing = "ResourceNotFoundException: stream oversize does not exist (ApiError)";
    await expectRefusal(streams("describe", "oversize"), 1, missing);
  });

  it("refuses what is not a file", async () => {
    const nothing = directory.in("nothing");
    await expectRefusal(publish(nothing), 1, `${nothing} cannot be read: there is no such file (FileNotReadable)`);
    await expectRefusal(publish(directory.path), 1, `${directory.path} is not a regular file (FileNotReadable)`);
  });

  it("says which server is not there", async () => {
    const api = await runOtastream(["publish", image, "--endpoint", NOBODY, "--s3-endpoint", server.urls.s3]);
    expect(api).toMatchObject({ status: 1, stdout: "" });
    expect(api.stderr).toContain(
      `otastream: cannot reach ${NOBODY}: connection refused; is otastream serve running? (ApiUnreachable)\n`,
    );
    const storage = `bucket otastream could not be looked up at ${NOBODY}: the connection was refused (StoreUnreachable)`;
    await expectRefusal(publish(image, "--s3-endpoint", NOBODY), 1, storage);
  });

  it("says which server is another one", async () => {
    const { http, s3 } = server.urls;
    const api = await runOtastream(["publish", image, "--endpoint", s3, "--s3-endpoint", s3]);
    expect(api.status).toBe(1);
    expect(api.stderr).toMatch(
      /otastream: .* is not a stream API: its answer is not JSON( \(HTTP status \d+\))? \(ApiError\)\n$/,
    );
    const storage = await runOtastream(["publish", image, "--endpoint", http, "--s3-endpoint", http]);
    expect(storage.status).not.toBe(0);
    expect(storage.stderr).toMatch(new RegExp(`^otastream: bucket otastream could not be .* at ${http}: .*\n$`));
  });

  it("needs a role for an endpoint elsewhere", async () => {
    const run = runOtastream(["publish", image, "--endpoint", "https://iot.example.com"]);
    const message =
      "--role-arn is needed for https://iot.example.com: the service reads the files with it (InvalidArgument)";
    await expectRefusal(run, 2, message);
  });

  it.each([
    [["--stream-id", "a b"], 'stream id must be 1-128 of [a-zA-Z0-9_-], not "a b"'],
    [
      ["--endpoint", "mqtt://127.0.0.1"],
      '--endpoint must be a URL that starts with http:// or https://, not "mqtt://127.0.0.1"',
    ],
    [["--bucket", ""], "--bucket must not be empty"],
  ])("refuses %j", async (flags, message) => {
    await expectRefusal(publish(image, ...flags), 2, `${message} (InvalidArgument)`);
  });
});

describe("streams", () => {
  it("lists, describes and deletes", async () => {
    await publishJson(image, "--stream-id", "seen", "--description", "to be seen");
    const list = await streams("list");
    expect(list).toMatchObject({ status: 0, stderr: "" });
    expect(list.stdout).toMatch(/^seen {2}version 0 {2}to be seen$/m);
    const listed = JSON.parse((await streams("list", "--json")).stdout).streams;
    expect(listed).toContainEqual({
      streamId: "seen",
      streamArn: arnOf("seen"),
      streamVersion: 0,
      description: "to be seen",
    });

    const described = await streams("describe", "seen");
    expect(described.stdout).toMatch(
      new RegExp(
        [
          `^seen {2}version 0 {2}${arnOf("seen")}`,
          " {2}description {2}to be seen",
          " {2}created {6}\\d{4}-\\d\\d-\\d\\dT\\S+Z",
          " {2}updated {6}\\d{4}-\\d\\d-\\d\\dT\\S+Z",
          " {2}role {9}arn:aws:iam::123456789012:role/otastream",
          " {2}file 0 {2}s3://otastream/seen/\\S+/10001\\.bin\n$",
        ].join("\n"),
      ),
    );
    expect(JSON.parse((await streams("describe", "seen", "--json")).stdout)).toMatchObject({
      streamId: "seen",
      streamVersion: 0,
      files: [{ fileId: 0, s3Location: { bucket: "otastream" } }],
    });

    expect(await streams("delete", "seen")).toEqual({
      status: 0,
      stdout: "deleted seen; its objects stay in storage\n",
      stderr: "",
    });
    const missing = "ResourceNotFoundException: stream seen does not exist (ApiError)";
    await expectRefusal(streams("describe", "seen"), 1, missing);
    await expectRefusal(streams("delete", "seen"), 1, missing);
    expect(await publishJson(image, "--stream-id", "seen")).toMatchObject({ streamVersion: 1 });
    expect(JSON.parse((await streams("delete", "seen", "--json")).stdout)).toEqual({ streamId: "seen", deleted: true });
  });

  it("say that the server is not there", async () => {
    const message = `cannot reach ${NOBODY}: connection refused; is otastream serve running? (ApiUnreachable)`;
    await expectRefusal(runOtastream(["streams", "list", "--endpoint", NOBODY]), 1, message);
  });

  it("may have a reader that reads no further", async () => {
    const process = new OtastreamProcess(["streams", "list", "--endpoint", server.urls.http]);
    process.child.stdout.destroy();
    expect(await process.ended).toMatchObject({ status: 0, stderr: "" });
  });
});
