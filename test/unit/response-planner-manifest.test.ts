/** What a manifest has and is refused for, and what a description says. */
import { describe, expect, it } from "vitest";
import { planDescription, planManifest } from "../../publisher/protocol/response-planner.ts";
import type { GetRequest, ManifestRequest } from "../../shared/protocol/messages.ts";
import { sizedFile, streamRecord } from "../support/publisher-stream.ts";

describe("a manifest", () => {
  const stream = streamRecord([sizedFile(256 * 98_304), sizedFile(1000, { fileId: 7 })], { streamVersion: 3 });
  const planned = (request: Partial<ManifestRequest>): unknown => {
    const checked = planManifest({ clientToken: "rdy", fileId: 0, blockSizeBytes: 256, ...request }, stream);
    if (!checked.ok) return [checked.rejection.code, checked.rejection.clientToken];
    const { file, blockOffset, blockCount } = checked.value;
    return [file.fileId, blockOffset, blockCount];
  };

  it.each([
    ["16384 blocks at most", {}, [0, 0, 16_384]],
    ["at most n of them", { blockOffset: 5, blockCount: 7 }, [0, 5, 7]],
    ["no more than 16384 however large n is", { blockOffset: 5, blockCount: 98_304 }, [0, 5, 16_384]],
    ["all that are left with n = 0", { blockOffset: 98_000, blockCount: 0 }, [0, 98_000, 304]],
    ["the last block, a short one", { fileId: 7, blockOffset: 3, blockCount: 5 }, [7, 3, 1]],
    ["no bytes' worth: the 131072 bytes of an answer do not count", { blockSizeBytes: 131_072 }, [0, 0, 192]],
  ])("has %s", (_name, request, expected) => {
    expect(planned(request)).toEqual(expected);
  });

  it.each([
    ["another version", { streamVersion: 2, fileId: 9 }, "VersionMismatch"],
    ["a file that is not there", { fileId: 9, blockOffset: 98_304 }, "ResourceNotFound"],
    ["an offset past the end", { blockOffset: 98_304 }, "ResourceNotFound"],
  ])("is refused for %s, with the token", (_name, request, code) => {
    expect(planned(request)).toEqual([code, "rdy"]);
  });

  it("takes no notice of a bitmap", () => {
    expect(planned({ blockBitmap: Uint8Array.of(0) } as Partial<GetRequest>)).toEqual([0, 0, 16_384]);
  });
});

describe("a description", () => {
  const files = [sizedFile(5, { fileId: 255, crc32: 4_294_967_295 }), sizedFile(2_097_152)];
  const { sha256, crc32 } = sizedFile(0);

  it("lists the files in the order of the stream, with digests and a manifest in the lenient profile", () => {
    expect(planDescription(streamRecord(files, { streamVersion: 9, description: "d" }), "lenient")).toEqual({
      streamVersion: 9,
      description: "d",
      files: [
        { fileId: 255, sizeBytes: 5, crc32: 4_294_967_295, sha256 },
        { fileId: 0, sizeBytes: 2_097_152, crc32, sha256 },
      ],
      hasManifest: true,
    });
  });

  it("has neither digests nor a manifest in the strict profile, and no text where there is none", () => {
    const description = planDescription(streamRecord(files), "strict");
    expect(Object.keys(description)).toEqual(["streamVersion", "files"]);
    expect(description.files.map((file) => Object.keys(file))).toEqual([
      ["fileId", "sizeBytes"],
      ["fileId", "sizeBytes"],
    ]);
  });
});
