/** What a GetStream request selects, and what it is refused for. */
import { describe, expect, it } from "vitest";
import { planGet } from "../../publisher/protocol/response-planner.ts";
import type { StreamRecord } from "../../publisher/protocol/stream.ts";
import type { RequestProfile } from "../../shared/protocol/decode.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import type { Rejection } from "../../shared/protocol/rejection.ts";
import { sizedFile, streamRecord } from "../support/publisher-stream.ts";

const PROFILES: readonly RequestProfile[] = ["lenient", "strict"];
const KIB_128 = 131_072;

/** Plans for a stream with one file, id 0, of `sizeBytes`; returns the blocks or the rejection. */
function plan(
  sizeBytes: number,
  request: Omit<GetRequest, "fileId">,
  profile: RequestProfile = "lenient",
): number[] | Rejection {
  return planIn(streamRecord([sizedFile(sizeBytes)]), { fileId: 0, ...request }, profile);
}

function planIn(stream: StreamRecord, request: GetRequest, profile: RequestProfile = "lenient"): number[] | Rejection {
  const planned = planGet(request, stream, profile);
  return planned.ok ? [...planned.value.blockIds] : planned.rejection;
}

/** The numbers from `first` to `last`, both inclusive. */
function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

const bits = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

describe("a request with a bitmap", () => {
  it("selects blocks 20, 21, 24 and 43 with the bytes 13 00 80 at offset 20", () => {
    const request = { blockSizeBytes: 256, blockOffset: 20, blockBitmap: bits(0x13, 0x00, 0x80) };
    expect(plan(256 * 100, request)).toEqual([20, 21, 24, 43]);
  });

  it("counts bits from block 0 without an offset, least significant first", () => {
    expect(plan(256 * 100, { blockSizeBytes: 256, blockBitmap: bits(0x01, 0x80) })).toEqual([0, 15]);
  });

  it("selects the first n of the asked blocks, not the asked ones among n", () => {
    const request = { blockSizeBytes: 256, blockBitmap: bits(0x00, 0xaa, 0x01), blockCount: 3 };
    expect(plan(256 * 100, request)).toEqual([9, 11, 13]);
  });

  it("takes n = 0 as absent", () => {
    expect(plan(256 * 100, { blockSizeBytes: 256, blockBitmap: bits(0x0f), blockCount: 0 })).toEqual([0, 1, 2, 3]);
  });

  it("selects all that are asked for when n is larger", () => {
    expect(plan(256 * 100, { blockSizeBytes: 256, blockBitmap: bits(0x05), blockCount: 98_304 })).toEqual([0, 2]);
  });

  it("serves a library whose four dummy bytes are MQ== and whose n is 1", () => {
    const request = { blockSizeBytes: 256, blockOffset: 7, blockBitmap: Buffer.from("MQ=="), blockCount: 1 };
    expect(plan(256 * 100, request)).toEqual([7]);
  });

  it("ignores bits past the end while one asked block exists", () => {
    expect(plan(256 * 10, { blockSizeBytes: 256, blockOffset: 8, blockBitmap: bits(0xfe, 0xff) })).toEqual([9]);
    expect(plan(256 * 9 + 1, { blockSizeBytes: 256, blockOffset: 9, blockBitmap: bits(0xff) })).toEqual([9]);
  });

  it.each([
    ["has no bytes", bits()],
    ["has no bit set", bits(0, 0, 0)],
    ["asks only for blocks past the end", bits(0x00, 0xfc)],
  ])("is ResourceNotFound when it %s", (_name, blockBitmap) => {
    const refused = plan(256 * 10, { blockSizeBytes: 256, blockBitmap, blockCount: 1 });
    expect(refused).toMatchObject({ code: "ResourceNotFound" });
    expect((refused as Rejection).message).toContain("(b)");
    expect((refused as Rejection).message).toContain("10 blocks of 256 bytes");
  });

  it("may have all of its 98304 bits", () => {
    const blockBitmap = new Uint8Array(12_288);
    blockBitmap[12_287] = 0x80;
    expect(plan(25_165_824, { blockSizeBytes: 256, blockBitmap })).toEqual([98_303]);
    blockBitmap.fill(0xff);
    expect(plan(25_165_824, { blockSizeBytes: 256, blockBitmap })).toEqual(range(0, 511));
  });
});

describe("a request without a bitmap", () => {
  it("selects blocks o to o + n - 1", () => {
    expect(plan(256 * 100, { blockSizeBytes: 256, blockOffset: 20, blockCount: 3 })).toEqual([20, 21, 22]);
  });

  it("selects the blocks that exist of o to o + n - 1", () => {
    expect(plan(256 * 22 - 1, { blockSizeBytes: 256, blockOffset: 20, blockCount: 3 })).toEqual([20, 21]);
  });

  it.each([
    [256, 512],
    [1000, 131],
    [4096, 32],
    [65_535, 2],
    [65_537, 1],
    [KIB_128, 1],
  ])("selects floor(131072 / %d) = %d blocks without n, or with n = 0", (blockSizeBytes, count) => {
    const sizeBytes = blockSizeBytes * 600;
    expect(plan(sizeBytes, { blockSizeBytes })).toEqual(range(0, count - 1));
    expect(plan(sizeBytes, { blockSizeBytes, blockCount: 0 })).toEqual(range(0, count - 1));
  });

  it("does not select one more without n, even where a short last block would fit", () => {
    expect(plan(100_001, { blockSizeBytes: 100_000 })).toEqual([0]);
  });
});

describe("the 131072 bytes of one answer", () => {
  it("hold 512 blocks of 256 bytes and not one more", () => {
    expect(plan(256 * 600, { blockSizeBytes: 256, blockCount: 513 })).toEqual(range(0, 511));
    expect(plan(256 * 512 + 1, { blockSizeBytes: 256, blockCount: 513 })).toEqual(range(0, 511));
  });

  it("hold a short last block beyond the full ones when it fits exactly, and not when it is a byte longer", () => {
    const shortBytes = KIB_128 - 100_000;
    expect(plan(100_000 + shortBytes, { blockSizeBytes: 100_000, blockCount: 2 })).toEqual([0, 1]);
    expect(plan(100_000 + shortBytes + 1, { blockSizeBytes: 100_000, blockCount: 2 })).toEqual([0]);
    expect(plan(300_000 + shortBytes, { blockSizeBytes: 100_000, blockBitmap: bits(0x0a) })).toEqual([1, 3]);
  });

  it("end at the first block that does not fit: a later, shorter one is not pulled forward", () => {
    expect(plan(200_001, { blockSizeBytes: 100_000, blockBitmap: bits(0x07) })).toEqual([0]);
  });

  it("hold one block of 131072 bytes, and the last byte of a file of 131073", () => {
    expect(plan(KIB_128 + 1, { blockSizeBytes: KIB_128, blockCount: 2 })).toEqual([0]);
    expect(plan(KIB_128 + 1, { blockSizeBytes: KIB_128, blockOffset: 1 })).toEqual([1]);
  });
});

describe("the checks", () => {
  const stream = streamRecord([sizedFile(256 * 10), sizedFile(5, { fileId: 255 })], { streamVersion: 7 });
  const faults = {
    version: { streamVersion: 6 },
    file: { fileId: 3 },
    offset: { blockOffset: 10 },
    bitmap: { blockBitmap: bits(0) },
  };
  const request: GetRequest = { clientToken: "rdy", fileId: 0, blockSizeBytes: 256, blockCount: 1 };

  it.each([
    [
      "the version",
      { ...faults.version, ...faults.file, ...faults.offset, ...faults.bitmap },
      "VersionMismatch",
      "(s)",
    ],
    ["the file", { ...faults.file, ...faults.offset, ...faults.bitmap }, "ResourceNotFound", "(f)"],
    ["the offset", { ...faults.offset, ...faults.bitmap }, "ResourceNotFound", "(o)"],
    ["the blocks", { ...faults.bitmap }, "ResourceNotFound", "(b)"],
  ])("name %s first when later ones would fail, too", (_name, fault, code, field) => {
    for (const profile of PROFILES) {
      const refused = planIn(stream, { ...request, ...fault }, profile) as Rejection;
      expect(refused).toMatchObject({ code, clientToken: "rdy" });
      expect(refused.message).toContain(field);
    }
  });

  it("echo no token where none was sent", () => {
    const refused = planIn(stream, { fileId: 3, blockSizeBytes: 256 });
    expect(refused).not.toHaveProperty("clientToken");
  });

  it("let the latest version pass, and a request that names none", () => {
    expect(planIn(stream, { ...request, streamVersion: 7 })).toEqual([0]);
    expect(planIn(stream, request)).toEqual([0]);
    expect(planIn(stream, { ...request, streamVersion: 8 })).toMatchObject({ code: "VersionMismatch" });
  });

  it("name the versions that were asked for and that is the latest", () => {
    const { message } = planIn(stream, { ...request, streamVersion: 6 }) as Rejection;
    expect(message).toContain("7");
    expect(message).toContain("6");
    expect(message).not.toContain("--first-stream-version");
  });

  it("name --first-stream-version to a client that always sends 1, and only where it would have helped", () => {
    const hint = (asked: number, latest: number): boolean => {
      const at = streamRecord([sizedFile(256)], { streamVersion: latest });
      return (planIn(at, { ...request, streamVersion: asked }) as Rejection).message.includes(
        "--first-stream-version 1",
      );
    };
    expect(hint(1, 0)).toBe(true);
    expect(hint(1, 2)).toBe(false);
    expect(hint(2, 0)).toBe(false);
    expect(hint(0, 1)).toBe(false);
  });

  it("find the file by its id, not by its place", () => {
    expect(planIn(stream, { fileId: 255, blockSizeBytes: 256 })).toEqual([0]);
  });

  it("let an offset at the last block pass, and refuse the one after it and any further", () => {
    expect(plan(256 * 10, { blockSizeBytes: 256, blockOffset: 9, blockCount: 5 })).toEqual([9]);
    for (const blockOffset of [10, 98_304]) {
      const refused = plan(256 * 10, { blockSizeBytes: 256, blockOffset, blockCount: 5 }) as Rejection;
      expect(refused.code).toBe("ResourceNotFound");
      expect(refused.message).toContain(`(o) ${blockOffset}`);
      expect(refused.message).toContain("10 blocks of 256 bytes");
    }
  });

  it("refuse every offset of an empty file", () => {
    expect(plan(0, { blockSizeBytes: 256 })).toMatchObject({ code: "ResourceNotFound" });
  });
});

describe("a bitmap without n", () => {
  const asked = { blockSizeBytes: 4096, blockBitmap: bits(0x01) };

  it("is served by the strict profile while floor(131072 / l) is at most the file's blocks", () => {
    expect(plan(4096 * 32, asked, "strict")).toEqual([0]);
    expect(plan(4096 * 31 + 1, asked, "strict")).toEqual([0]);
  });

  it("is InvalidRequest in the strict profile where floor(131072 / l) exceeds the file's blocks", () => {
    const refused = plan(4096 * 31, asked, "strict") as Rejection;
    expect(refused.code).toBe("InvalidRequest");
    expect(refused.message).toContain("(n)");
    expect(refused.message).toContain("31 blocks");
    expect(plan(4096 * 31, { ...asked, blockCount: 0 }, "strict")).toMatchObject({ code: "InvalidRequest" });
  });

  it("is served by the lenient profile, and by both when n is there or b is not", () => {
    expect(plan(4096 * 31, asked)).toEqual([0]);
    expect(plan(4096 * 31, { ...asked, blockCount: 1 }, "strict")).toEqual([0]);
    expect(plan(4096 * 31, { blockSizeBytes: 4096 }, "strict")).toEqual(range(0, 30));
  });

  it("is a deviation that the plan names where the strict profile refuses it, and only there", () => {
    const forgiven = (sizeBytes: number, request: Partial<GetRequest> = asked): readonly string[] | undefined => {
      const all = { fileId: 0, blockSizeBytes: 4096, ...request };
      const planned = planGet(all, streamRecord([sizedFile(sizeBytes)]), "lenient");
      return planned.ok ? planned.value.forgiven : undefined;
    };
    expect(forgiven(4096 * 31)).toEqual(["block count (n) missing beside a block bitmap (b)"]);
    expect(forgiven(4096 * 32)).toEqual([]);
    expect(forgiven(4096 * 31, { ...asked, blockCount: 1 })).toEqual([]);
    expect(forgiven(4096 * 31, {})).toEqual([]);
  });
});
