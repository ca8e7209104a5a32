/** Every limit of the data plane over the wire, at it and one past it, and the block sizes that are easy to get wrong. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uploadFiles } from "../../publisher/object-store/uploader.ts";
import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { AskingDevice, rejectionOf } from "../support/asking-device.ts";
import { makeFile, RawClient } from "../support/broker.ts";
import { send } from "../support/control-request.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";

const FORMATS: readonly Format[] = ["cbor", "json"];
const STREAM_ID = "s".repeat(128);
/** File 0 has 98304 blocks of 256 bytes, as many as an offset or a bitmap can name; file 255 ends one byte into a block. */
const FILES = new Map([
  [0, makeFile(25_165_824)],
  [1, makeFile(1_000_003)],
  [255, makeFile(131_073)],
]);

let server: RunningServer;
let device: AskingDevice;

beforeAll(async () => {
  const control = { region: "us-east-1", accountId: "123456789012", maxFileBytes: 25_165_824 };
  server = await startRunningServer({ control });
  device = await AskingDevice.connect(server.urls.mqtt, "t".repeat(128));
  const files = [...FILES].map(([fileId, bytes]) => ({ key: `file-${fileId}`, bytes }));
  await uploadFiles({ endpoint: server.urls.s3, region: "us-east-1", bucket: "limits", files });
  const answer = await send({ endpoint: server.urls.http }, "POST", `/streams/${STREAM_ID}`, {
    files: [...FILES.keys()].map((fileId) => ({ fileId, s3Location: { bucket: "limits", key: `file-${fileId}` } })),
    roleArn: "arn:aws:iam::123456789012:role/otastream",
  });
  expect(answer.status).toBe(200);
});
afterAll(async () => {
  device?.close();
  await server?.close();
});

/** Asks for blocks and expects exactly these, each with the bytes of the file at its place. */
async function expectBlocks(request: Request, blockIds: readonly number[], format: Format): Promise<void> {
  const { f: fileId = 0, l: sizeBytes, c: clientToken } = { l: 256, ...request };
  const file = FILES.get(fileId) as Uint8Array;
  const blocks = await device.fetch(STREAM_ID, { f: fileId, l: sizeBytes, ...request }, blockIds.length, { format });
  expect(blocks.map(({ blockId }) => blockId)).toEqual(blockIds);
  for (const { blockId, payload, ...rest } of blocks) {
    expect(rest).toEqual(clientToken === undefined ? { fileId } : { fileId, clientToken });
    expect(Buffer.compare(payload, file.subarray(blockId * sizeBytes, (blockId + 1) * sizeBytes))).toBe(0);
  }
  await expectNothingMore();
}

async function expectRejection(request: Request, code: RejectionCode, message: RegExp, format: Format): Promise<void> {
  const rejection = rejectionOf(await device.ask(STREAM_ID, { f: 0, l: 256, ...request }, { format }));
  // A token that is refused is not echoed.
  const echoed = request.c !== undefined && Buffer.byteLength(request.c) <= 64 ? { clientToken: request.c } : {};
  expect(rejection).toEqual({ code, message: expect.stringMatching(message), ...echoed });
  await expectNothingMore();
}

async function expectNothingMore(): Promise<void> {
  await device.ping();
  expect(device.untaken).toBe(0);
}

/** The members of a request that are not 0 for f and 256 for l. */
interface Request {
  readonly c?: string;
  readonly s?: number;
  readonly f?: number;
  readonly l?: number;
  readonly o?: number;
  readonly n?: number;
  readonly b?: Uint8Array;
}

const blocksFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => first + index);
const FULL_BITMAP = new Uint8Array(12_288).fill(0xff);
const LAST_BIT = new Uint8Array(12_288).fill(0x80, 12_287);

/** What is served, and the blocks of the answer. */
const AT_LIMIT: readonly (readonly [name: string, request: Request, blockIds: readonly number[]])[] = [
  ["a token of 64 bytes", { c: "x".repeat(64), n: 1 }, [0]],
  ["a token of 64 bytes in 16 characters", { c: "🛰".repeat(16), n: 1 }, [0]],
  ["file id 255", { f: 255, n: 1 }, [0]],
  ["a block size of 256", { l: 256, n: 1 }, [0]],
  ["a block size of 131072", { l: 131_072, n: 1 }, [0]],
  ["offset 98303, the last block", { o: 98_303 }, [98_303]],
  ["a count of 0, which is none", { n: 0, l: 65_536 }, [0, 1]],
  ["a count of 98304", { n: 98_304 }, blocksFrom(0, 512)],
  ["a bitmap of 98304 ones", { b: FULL_BITMAP }, blocksFrom(0, 512)],
  ["a bitmap whose only one is bit 98303", { b: LAST_BIT }, [98_303]],
  ["98304 ones from offset 98303 on", { b: FULL_BITMAP, o: 98_303 }, [98_303]],
  ["the latest stream version", { s: 0, n: 1 }, [0]],
  ["32 blocks of 4096 bytes, which is 131072", { l: 4096, n: 32 }, blocksFrom(0, 32)],
  ["33 blocks of 4096 bytes: the first 32", { l: 4096, n: 33 }, blocksFrom(0, 32)],
];

const PAST_LIMIT: readonly (readonly [name: string, request: Request, code: RejectionCode, message: RegExp])[] = [
  ["a token of 65 bytes", { c: "x".repeat(65) }, "InvalidRequest", /^client token \(c\) .* 64 bytes, not 65$/],
  ["a token of 65 bytes in 17 characters", { c: `${"🛰".repeat(16)}x` }, "InvalidRequest", /64 bytes, not 65$/],
  ["file id 256", { f: 256, c: "ok" }, "InvalidRequest", /^file id \(f\) must be 0 to 255, not 256$/],
  ["file id -1", { f: -1 }, "InvalidRequest", /^file id \(f\) must be 0 to 255, not -1$/],
  ["file id 254, which is not there", { f: 254 }, "ResourceNotFound", /^file id \(f\) 254 is not in stream s+$/],
  ["a block size of 255", { l: 255 }, "BlockSizeOutOfBounds", /^block size \(l\) must be 256 to 131072, not 255$/],
  ["a block size of 131073", { l: 131_073 }, "BlockSizeOutOfBounds", /256 to 131072, not 131073$/],
  ["offset 98304, past the end of any file", { o: 98_304 }, "ResourceNotFound", /98304 is past the end/],
  ["offset 98305", { o: 98_305, c: "ok" }, "OffsetOutOfBounds", /^block offset \(o\) must be 0 to 98304, not 98305$/],
  ["offset -1", { o: -1 }, "OffsetOutOfBounds", /0 to 98304, not -1$/],
  ["offset 4 of a file of 4 blocks", { f: 255, l: 40_000, o: 4 }, "ResourceNotFound", /the file has 4 blocks of 40000/],
  ["a count of 98305", { n: 98_305 }, "BlockCountLimitExceeded", /^block count \(n\) must be 0 to 98304, not 98305$/],
  ["a count of -1", { n: -1 }, "BlockCountLimitExceeded", /0 to 98304, not -1$/],
  ["a bitmap of 12289 bytes", { b: new Uint8Array(12_289) }, "BlockBitmapLimitExceeded", /12288 bytes, not 12289$/],
  ["a bitmap of zeros", { b: new Uint8Array(12_288) }, "ResourceNotFound", /^block bitmap \(b\) asks for no block/],
  [
    "stream version 1",
    { s: 1 },
    "VersionMismatch",
    /^stream version \(s\) must be the latest, 0, not 1; .*first-stream/,
  ],
  ["stream version 65536", { s: 65_536 }, "VersionMismatch", /must be the latest, 0, not 65536$/],
  ["stream version -1", { s: -1 }, "VersionMismatch", /must be the latest, 0, not -1$/],
];

describe.each(FORMATS)("in %s, a thing and a stream with names of 128 characters", (format) => {
  it.each(AT_LIMIT)("are served %s", (_name, request, blockIds) => expectBlocks(request, blockIds, format));

  it.each(PAST_LIMIT)("are refused %s", (_name, request, code, message) =>
    expectRejection(request, code, message, format),
  );

  it.each([257, 1000, 4095, 65_535, 131_071])("are served the first and the last block of %i bytes", async (l) => {
    const last = Math.ceil(1_000_003 / l) - 1;
    await expectBlocks({ f: 1, l, n: 1 }, [0], format);
    await expectBlocks({ f: 1, l, o: last }, [last], format);
    // Two blocks of 131071 bytes and less are more than one answer holds.
    const lastTwo = l === 131_071 ? [last - 1] : [last - 1, last];
    await expectBlocks({ f: 1, l, o: last - 1, b: Uint8Array.of(0b1111_1111) }, lastTwo, format);
  });

  it.each([256, 4096, 32_768, 131_072])("are served the last byte as a block of one, of %i", async (l) => {
    const last = 131_072 / l;
    await expectBlocks({ f: 255, l, o: last }, [last], format);
    const [block] = await device.fetch(STREAM_ID, { f: 255, l, o: last }, 1, { format });
    expect(block?.payload).toHaveLength(1);
  });
});

describe("one message", () => {
  it.each([
    // {"f":0,"i":191,"l":131072,"p":""} around 174764 digits of base64; in CBOR, 3 + 4 + 7 + 7 + 2 around the bytes.
    { format: "json", messageBytes: 33 + 174_764 },
    { format: "cbor", messageBytes: 23 + 131_072 },
  ] as const)("of a block of 131072 bytes in $format has $messageBytes bytes and arrives", async (expected) => {
    const { format, messageBytes } = expected;
    const answer = await device.ask(STREAM_ID, { f: 0, l: 131_072, o: 191 }, { format });
    expect(answer.payload).toHaveLength(messageBytes);
    expect(answer).toMatchObject({ kind: "data", data: { blockId: 191 } });
    await expectNothingMore();
  });
});

describe("a name of 129 characters", () => {
  it("for a stream is an InvalidTopic in the log, and the thing is served on", async () => {
    // Of its own: a thing that was rejected often has no more lines in the log.
    const patient = await AskingDevice.connect(server.urls.mqtt);
    patient.send(`${STREAM_ID}s`, { f: 0, l: 256 });
    const [block] = await patient.fetch(STREAM_ID, { f: 0, l: 256, n: 1 }, 1);
    expect(block?.payload).toHaveLength(256);
    const logged = server.log.lines.filter(({ fields }) => fields.thing === patient.thing);
    expect(logged.map(({ fields }) => fields.code)).toEqual(["InvalidTopic"]);
    patient.close();
  });

  it("for a thing is refused its subscription, and its connection is closed when it publishes", async () => {
    const thing = "t".repeat(129);
    const client = await RawClient.connect(Number(new URL(server.urls.mqtt).port), thing);
    expect(await client.subscribe(`$aws/things/${thing}/streams/+/data/+`)).toEqual([0x80]);
    client.publish(`$aws/things/${thing}/streams/${STREAM_ID}/get/cbor`);
    await client.closed();
  });
});
