/** CRC-32, native or not, against zlib's. */
import * as zlib from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";

afterEach(() => {
  vi.doUnmock("node:module");
  vi.resetModules();
});

describe.each(["native", "fallback"])("crc32, %s", (implementation) => {
  it("is zlib's, also in parts", async () => {
    if (implementation === "fallback") {
      const createRequire = () => () => {
        throw new Error("no binary for this platform");
      };
      vi.doMock("node:module", () => ({ createRequire }));
    }
    const { crc32 } = await import("../../shared/crc32.ts");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(5000), (bytes, cut) => {
        expect(crc32(bytes)).toBe(zlib.crc32(bytes));
        expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(zlib.crc32(bytes));
      }),
    );
  });
});
