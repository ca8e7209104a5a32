/** The line that the running program logs when it rejects a request: one for each, with what the device really sent. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { encodeCbor } from "../../shared/protocol/cbor.ts";
import { REJECTION_CODES, type RejectionCode } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import type { ObjectStoreBackend } from "../contract/object-store.ts";
import { AskingDevice, rejectionOf } from "../support/asking-device.ts";
import { makeFile } from "../support/broker.ts";
import { send } from "../support/control-request.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/otastream-delivery.ts";
import { killLeftovers, type ServeProcess, startServe } from "../support/otastream-process.ts";
import { createS3Backend, startTemporaryS3 } from "../support/s3-backend.ts";
import { S3Proxy, type S3ProxyBehaviour } from "../support/s3-proxy.ts";

const BUCKET = "firmware";
const IMAGE = makeFile(10_000);
const WHOLE = { f: 0, l: 4096, n: 1 };

interface Case {
  readonly code: RejectionCode;
  /** A map, or bytes as they are. */
  readonly request: Uint8Array | Readonly<Record<string, unknown>>;
  readonly format?: Format;
  readonly operation?: string;
  readonly streamId?: string;
  readonly store?: S3ProxyBehaviour;
  /** What the message names. */
  readonly says: RegExp;
}

const CASES: readonly Case[] = [
  {
    code: "InvalidTopic",
    request: WHOLE,
    operation: "fetch",
    format: "json",
    says: /^topic: operation must be .*"fetch"$/,
  },
  { code: "InvalidJson", request: Buffer.from('{"f":0,\n"l"'), format: "json", says: /^the 11 bytes are not JSON/ },
  {
    code: "InvalidCbor",
    request: Buffer.from("bf6166", "hex"),
    says: /^the 3 bytes are not one well-formed CBOR item/,
  },
  { code: "InvalidRequest", request: { f: 0 }, says: /^block size \(l\) is missing$/ },
  { code: "Unauthorized", request: WHOLE, store: { status: 403, code: "AccessDenied" }, says: /firmware\/image .*403/ },
  { code: "BlockSizeOutOfBounds", request: { ...WHOLE, l: 255 }, says: /\(l\) must be 256 to 131072, not 255$/ },
  { code: "OffsetOutOfBounds", request: { ...WHOLE, o: 98_305 }, says: /\(o\) must be 0 to 98304, not 98305$/ },
  { code: "BlockCountLimitExceeded", request: { ...WHOLE, n: 98_305 }, says: /\(n\) must be 0 to 98304, not 98305$/ },
  {
    code: "BlockBitmapLimitExceeded",
    request: { ...WHOLE, b: new Uint8Array(12_289) },
    says: /\(b\) must be at most 12288 bytes, not 12289$/,
  },
  { code: "ResourceNotFound", request: WHOLE, streamId: "none", says: /^there is no stream none$/ },
  { code: "VersionMismatch", request: { ...WHOLE, s: 7 }, says: /\(s\) must be the latest, 0, not 7$/ },
  { code: "ETagMismatch", request: WHOLE, streamId: "replaced", says: /firmware\/replaced / },
  { code: "InternalError", request: WHOLE, store: "drop", says: /firmware\/image could not be read from http/ },
];

let directory: TemporaryDirectory;
let backend: ObjectStoreBackend;
let door: S3Proxy;
let server: ServeProcess;
let device: AskingDevice;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const s3 = await startTemporaryS3();
  backend = createS3Backend(s3);
  door = await S3Proxy.open(s3.endpoint);
  server = await startServe(directory.in("data"), ["--s3-endpoint", door.url, "--check-interval", "0"]);
  for (const key of ["image", "replaced"]) {
    await backend.put(BUCKET, key, IMAGE);
    const roleArn = "arn:aws:iam::123456789012:role/otastream";
    const body = { files: [{ fileId: 0, s3Location: { bucket: BUCKET, key } }], roleArn };
    const answer = await send({ endpoint: server.urls.http }, "POST", `/streams/${key}`, body);
    expect(answer.status).toBe(200);
  }
  await backend.put(BUCKET, "replaced", makeFile(10_001));
});
beforeEach(async () => {
  device = await AskingDevice.connect(server.urls.mqtt);
  return () => {
    device.close();
    door.behave("forward");
  };
});
afterAll(async () => {
  await killLeftovers();
  await door?.close();
  await backend?.close();
  await directory?.remove();
});

/** The lines about a thing's rejected requests. A pino line is one JSON object; each thing here sends one request. */
function loggedAbout(thing: string): Record<string, unknown>[] {
  const lines = server.process.stderr.filter((line) => line.includes(thing));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const PINO_WARN = 40;
/** Things that were rejected once. */
const oneLiners: string[] = [];

it("has a case for every code", () => {
  expect(CASES.map(({ code }) => code)).toEqual(REJECTION_CODES);
});

describe("the program's log on stderr", () => {
  it.each(CASES)("has one line for $code", async ({ request, format = "cbor", operation, streamId, ...rest }) => {
    const { code, store, says } = rest;
    if (store !== undefined) door.behave(store);
    const asked = streamId ?? "image";
    const bytes = bytesOf(request, format);
    const rejection = rejectionOf(
      await device.ask(asked, bytes, { format, ...(operation !== undefined && { operation }) }),
    );
    expect(rejection).toEqual({ code, message: expect.stringMatching(says) });
    // The log is written before the answer, and read through another pipe.
    await server.process.stderrLine(new RegExp(device.thing));
    const hex = Buffer.from(bytes).toString("hex");
    const shown = bytes.length > 512 ? `${hex.slice(0, 1024)}... (${bytes.length} bytes)` : hex;
    const line: Record<string, unknown> = { thing: device.thing, streamId: asked, code, request: shown };
    if (code === "InvalidTopic") line.topic = `$aws/things/${device.thing}/streams/${asked}/${operation}/${format}`;
    oneLiners.push(device.thing);
    const fixed = { level: PINO_WARN, time: expect.any(Number), msg: "request rejected", message: rejection.message };
    expect(loggedAbout(device.thing)).toEqual([{ ...fixed, ...line }]);
  });

  it("shows 512 bytes in full and cuts after them", async () => {
    for (const sizeBytes of [512, 513]) {
      const bytes = Buffer.alloc(sizeBytes, 0xff);
      expect(rejectionOf(await device.ask("image", bytes)).code).toBe("InvalidCbor");
    }
    await server.process.stderrLine(new RegExp(`${device.thing}.*513 bytes`));
    const requests = loggedAbout(device.thing).map(({ request }) => request);
    expect(requests).toEqual(["ff".repeat(512), `${"ff".repeat(512)}... (513 bytes)`]);
  });

  it("has the line for a topic whose stream cannot be read, which nobody can be answered on", async () => {
    device.send("not a stream!", WHOLE);
    const line = await server.process.stderrLine(new RegExp(device.thing));
    expect(JSON.parse(line)).toMatchObject({
      ...{ msg: "request rejected", thing: device.thing, code: "InvalidTopic" },
      message: 'topic: stream id must be 1-128 of [a-zA-Z0-9_-], not "not a stream!"',
      request: Buffer.from(encodeCbor(WHOLE)).toString("hex"),
    });
    await device.ping();
    expect(device.untaken).toBe(0);
  });

  it("stays one line, whatever a device or an object is called", async () => {
    const key = "two\nlines";
    await backend.put(BUCKET, key, IMAGE);
    const roleArn = "arn:aws:iam::123456789012:role/otastream";
    const body = { files: [{ fileId: 0, s3Location: { bucket: BUCKET, key } }], roleArn };
    expect(await send({ endpoint: server.urls.http }, "POST", "/streams/odd", body)).toMatchObject({ status: 200 });
    await backend.remove(BUCKET, key);
    expect(rejectionOf(await device.ask("odd", WHOLE)).code).toBe("ResourceNotFound");
    await server.process.stderrLine(new RegExp(device.thing));
    expect(loggedAbout(device.thing)).toMatchObject([{ message: expect.stringContaining(key) }]);
  });
});

it("has no second line for any of them when the program has ended", async () => {
  await server.process.stop();
  expect(oneLiners).toHaveLength(REJECTION_CODES.length);
  expect(oneLiners.map((thing) => loggedAbout(thing).length)).toEqual(oneLiners.map(() => 1));
});

function bytesOf(request: Case["request"], format: Format): Uint8Array {
  if (request instanceof Uint8Array) return request;
  return format === "json" ? Buffer.from(JSON.stringify(request)) : Buffer.from(encodeCbor(request));
}
