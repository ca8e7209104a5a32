import { describe, expect, it } from "vitest";
import { ManifestDownload } from "../../device/protocol/manifest-download.ts";
import type { ChecksumsMessage } from "../../shared/protocol/messages.ts";

const FILE = { fileId: 3, sizeBytes: 10 * 256 };

function manifest(): ManifestDownload {
  return new ManifestDownload(FILE, 2, 256);
}

function message(clientToken: string, blockOffset: number, ...checksums: number[]): ChecksumsMessage {
  return { clientToken, fileId: 3, blockSizeBytes: 256, blockOffset, checksums: Uint32Array.from(checksums) };
}

describe("the download of a manifest", () => {
  it("asks for all blocks first, and for the rest after each answer", () => {
    const download = manifest();
    expect(download.nextRequest("m0")).toEqual({
      clientToken: "m0",
      streamVersion: 2,
      fileId: 3,
      blockSizeBytes: 256,
      blockOffset: 0,
      blockCount: 10,
    });
    expect(download.take(message("m0", 0, 1, 2, 3, 4))).toBe(true);
    expect(download.complete).toBe(false);
    expect(download.nextRequest("m1")).toMatchObject({ blockOffset: 4, blockCount: 6 });
    expect(download.take(message("m1", 4, 5, 6, 7, 8, 9, 10))).toBe(true);
    expect(download.complete).toBe(true);
    expect([...download.checksums]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("takes the late answer to an earlier request, which says the same", () => {
    const download = manifest();
    download.nextRequest("m0");
    download.nextRequest("m1");
    expect(download.take(message("m0", 0, 1, 2))).toBe(true);
    expect(download.take(message("m1", 0, 1, 2))).toBe(false);
    expect([...download.checksums.subarray(0, 3)]).toEqual([1, 2, 0]);
  });

  it.each<[string, Partial<ChecksumsMessage>]>([
    ["a token of nobody's", { clientToken: "m9" }],
    ["another file", { fileId: 4 }],
    ["another block size", { blockSizeBytes: 512 }],
    ["a gap before it", { blockOffset: 1 }],
    ["more checksums than blocks", { checksums: new Uint32Array(11) }],
  ])("refuses %s", (_, wrong) => {
    const download = manifest();
    download.nextRequest("m0");
    expect(download.take({ ...message("m0", 0, 1, 2), ...wrong })).toBe(false);
    expect(download.nextRequest("m1")).toMatchObject({ blockOffset: 0, blockCount: 10 });
  });

  it("refuses a message without a token", () => {
    const download = manifest();
    download.nextRequest("m0");
    const { clientToken: _, ...anonymous } = message("m0", 0, 1);
    expect(download.take(anonymous)).toBe(false);
  });

  it("knows the tokens of its requests", () => {
    const download = manifest();
    expect(download.isOutstanding("m0")).toBe(false);
    download.nextRequest("m0");
    download.nextRequest("m1");
    expect([download.isOutstanding("m0"), download.isOutstanding("m1")]).toEqual([true, true]);
    expect(download.isOutstanding("")).toBe(false);
  });
});
