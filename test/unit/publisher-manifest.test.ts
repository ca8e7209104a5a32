/** Manifest requests: the CRC-32 of each block, in pieces, in both formats. */
import { crc32 } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { ManifestCache } from "../../publisher/manifest-cache.ts";
import { blockChecksums } from "../../shared/protocol/block-checksums.ts";
import { decodeChecksums, decodeRejected } from "../../shared/protocol/decode-response.ts";
import { encodeGet } from "../../shared/protocol/encode.ts";
import type { ManifestRequest } from "../../shared/protocol/messages.ts";
import { type Format, formatTopic } from "../../shared/protocol/topics.ts";
import { HeldStore } from "../support/publisher-held-store.ts";
import { type PublisherRig, type Sent, startRig } from "../support/publisher-rig.ts";

const FORMATS: readonly Format[] = ["cbor", "json"];
const IMAGE = Uint8Array.from({ length: 256 * 40 + 7 }, (_, index) => (index * index) % 251);
/** One more block of 256 bytes than two messages have checksums. */
const LONG_IMAGE = Uint8Array.from({ length: 256 * 32_768 + 1 }, (_, index) => (index >>> 8) % 253);

let rig: PublisherRig;

beforeEach(async () => {
  rig = await startRig();
});

function ask(format: Format, request: Partial<ManifestRequest> = {}): Promise<Sent[]> {
  const payload = encodeGet(format, { fileId: 0, blockSizeBytes: 256, ...request });
  return rig.request(formatTopic("thing-1", "stream-1", "manifest", format), payload);
}

/** The one small message that was sent. */
function messageOf(sent: readonly Sent[]): Extract<Sent, { kind: "message" }> {
  expect(sent).toMatchObject([{ kind: "message", thing: "thing-1" }]);
  return sent[0] as Extract<Sent, { kind: "message" }>;
}

/** What zlib says of the blocks from `first` on. */
function checksumsOf(file: Uint8Array, blockSizeBytes: number, first = 0, count = Number.POSITIVE_INFINITY): number[] {
  const checksums: number[] = [];
  for (let start = first * blockSizeBytes; start < file.length && checksums.length < count; start += blockSizeBytes) {
    checksums.push(crc32(file.subarray(start, start + blockSizeBytes)));
  }
  return checksums;
}

describe.each(FORMATS)("a manifest in %s", (format) => {
  it.each([["rdy"], [undefined]])(
    "has the CRC-32 of every block, the short one too, and the token %j",
    async (token) => {
      await rig.putStream([IMAGE]);
      const clientToken = token === undefined ? {} : { clientToken: token };
      const { topic, payload } = messageOf(await ask(format, clientToken));
      expect(topic).toBe(formatTopic("thing-1", "stream-1", "checksums", format));
      expect(decodeChecksums(format, payload)).toEqual({
        ...clientToken,
        fileId: 0,
        blockSizeBytes: 256,
        blockOffset: 0,
        checksums: Uint32Array.from(checksumsOf(IMAGE, 256)),
      });
      expect(rig.logLines).toEqual([]);
    },
  );

  it("is limited to n blocks from o on", async () => {
    await rig.putStream([IMAGE]);
    const { payload } = messageOf(await ask(format, { blockSizeBytes: 1000, blockOffset: 3, blockCount: 2 }));
    const checksums = Uint32Array.from(checksumsOf(IMAGE, 1000, 3, 2));
    expect(decodeChecksums(format, payload)).toMatchObject({ blockSizeBytes: 1000, blockOffset: 3, checksums });
  });

  it("comes in pieces of at most 16384 checksums, each in a message that fits a packet", async () => {
    await rig.putStream([LONG_IMAGE]);
    const pieces: number[][] = [];
    for (let blockOffset = 0; blockOffset < 32_769; blockOffset += 16_384) {
      const { payload } = messageOf(await ask(format, { blockOffset, blockCount: 98_304 }));
      expect(payload.length).toBeLessThan(256 * 1024);
      const piece = decodeChecksums(format, payload);
      expect(piece?.blockOffset).toBe(blockOffset);
      pieces.push([...(piece?.checksums ?? [])]);
    }
    expect(pieces.map((piece) => piece.length)).toEqual([16_384, 16_384, 1]);
    expect(pieces.flat()).toEqual(checksumsOf(LONG_IMAGE, 256));
  });

  it.each([
    [{ blockSizeBytes: 255 }, "BlockSizeOutOfBounds"],
    [{ blockSizeBytes: 131_073 }, "BlockSizeOutOfBounds"],
    [{ blockOffset: 98_305 }, "OffsetOutOfBounds"],
    [{ blockOffset: 41 }, "ResourceNotFound"],
    [{ blockCount: 98_305 }, "BlockCountLimitExceeded"],
    [{ fileId: 1 }, "ResourceNotFound"],
    [{ streamVersion: 1 }, "VersionMismatch"],
  ])("is refused for %j: %s", async (request, code) => {
    await rig.putStream([IMAGE]);
    const { topic, payload } = messageOf(await ask(format, { clientToken: "rdy", ...request }));
    expect(topic).toBe(formatTopic("thing-1", "stream-1", "rejected", format));
    expect(decodeRejected(format, payload)).toMatchObject({ code, clientToken: "rdy" });
  });

  it("is an unknown operation to the strict profile", async () => {
    rig = await startRig({ profile: "strict" });
    await rig.putStream([IMAGE]);
    const { topic, payload } = messageOf(await ask(format, { clientToken: "rdy" }));
    expect(topic).toBe(formatTopic("thing-1", "stream-1", "rejected", "json"));
    const message = 'topic: operation must be describe or get, not "manifest"';
    expect(decodeRejected("json", payload)).toEqual({ code: "InvalidTopic", message });
    expect(rig.store.calls).toEqual([]);
  });
});

it("waits for the file as blocks do, and is refused when it cannot be read", async () => {
  const store = new HeldStore();
  rig = await startRig({ objectStore: store });
  await rig.putStream([IMAGE]);
  expect(await ask("cbor", { clientToken: "rdy" })).toEqual([]);
  expect(await ask("cbor")).toEqual([]);
  expect(store.calls).toEqual(["read"]);
  store.take().fail("Changed");
  const [refused] = await rig.request("not/ours", {});
  expect(decodeRejected("cbor", messageOf([refused as Sent]).payload)).toMatchObject({
    code: "ETagMismatch",
    clientToken: "rdy",
  });
});

it("says in the log what the lenient profile forgave", async () => {
  await rig.putStream([IMAGE]);
  const payload = Buffer.concat([encodeGet("cbor", { fileId: 0, blockSizeBytes: 256 }), Uint8Array.of(0, 0)]);
  messageOf(await rig.request(formatTopic("thing-1", "stream-1", "manifest", "cbor"), payload));
  expect(rig.logLines).toMatchObject([{ level: "info", fields: { forgiven: ["2 bytes after the CBOR item"] } }]);
});

describe("block checksums", () => {
  it.each([1, 256, 1000, IMAGE.length, 131_072])("with blocks of %d bytes are those of zlib", (blockSizeBytes) => {
    const blockCount = Math.ceil(IMAGE.length / blockSizeBytes);
    expect([...blockChecksums(IMAGE, blockSizeBytes, 0, blockCount)]).toEqual(checksumsOf(IMAGE, blockSizeBytes));
    const from = Math.min(3, blockCount - 1);
    expect([...blockChecksums(IMAGE, blockSizeBytes, from, 1)]).toEqual(checksumsOf(IMAGE, blockSizeBytes, from, 1));
  });

  it("are computed once for each file and block size, and anew for those that were not asked for longest", () => {
    const cache = new ManifestCache();
    const copy = Uint8Array.from(IMAGE);
    const known = cache.checksumsOf(IMAGE, 256);
    expect(cache.checksumsOf(IMAGE, 256)).toBe(known);
    expect(cache.checksumsOf(IMAGE, 257)).not.toEqual(known);
    expect(cache.checksumsOf(copy, 256)).not.toBe(known);
    expect(cache.checksumsOf(copy, 256)).toEqual(known);
    for (let blockSizeBytes = 258; blockSizeBytes < 321; blockSizeBytes++) cache.checksumsOf(IMAGE, blockSizeBytes);
    expect(cache.checksumsOf(IMAGE, 256)).not.toBe(known);
  });
});
