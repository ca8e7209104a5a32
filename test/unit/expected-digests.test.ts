import { describe, expect, it } from "vitest";
import { reconcileDigests } from "../../device/protocol/expected-digests.ts";

const SHA = "ab".repeat(32);
const OTHER_SHA = "cd".repeat(32);
const file = (digests: { crc32?: number; sha256?: string } = {}) => ({ fileId: 2, sizeBytes: 10, ...digests });

describe("the digests a file is checked against", () => {
  it("are none when nobody knows any", () => {
    expect(reconcileDigests(file())).toEqual({});
    expect(reconcileDigests(file(), {})).toEqual({});
  });

  it("are those of the stream and those of the caller together", () => {
    expect(reconcileDigests(file({ crc32: 0 }))).toEqual({ crc32: 0 });
    expect(reconcileDigests(file(), { sha256: SHA })).toEqual({ sha256: SHA });
    expect(reconcileDigests(file({ crc32: 7 }), { sha256: SHA })).toEqual({ crc32: 7, sha256: SHA });
    expect(reconcileDigests(file({ crc32: 7, sha256: SHA }), { crc32: 7 })).toEqual({ crc32: 7, sha256: SHA });
  });

  it.each([
    [
      { crc32: 0x3cd091eb },
      { crc32: 10 },
      "crc32 of file 2 is 3cd091eb according to the stream, not 0000000a as expected",
    ],
    [{ crc32: 0 }, { crc32: 1 }, "crc32 of file 2 is 00000000 according to the stream, not 00000001 as expected"],
    [
      { sha256: SHA },
      { sha256: OTHER_SHA },
      `sha256 of file 2 is ${SHA} according to the stream, not ${OTHER_SHA} as expected`,
    ],
  ])("cannot be two that contradict each other", (described, known, message) => {
    expect(() => reconcileDigests(file(described), known)).toThrow(message);
    expect(() => reconcileDigests(file(described), known)).toThrow(
      expect.objectContaining({ code: "DigestMismatch", retryable: false }),
    );
  });
});
