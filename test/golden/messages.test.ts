/** Runs the golden messages: encoded to the byte and decoded back, cut at every byte, and with bytes after them. */
import { describe, expect, it } from "vitest";
import { formatBitmap } from "../../shared/protocol/bitmap.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { type Decoded, decodeDescribe, decodeGet } from "../../shared/protocol/decode.ts";
import { decodeData, decodeDescription, decodeRejected } from "../../shared/protocol/decode-response.ts";
import { encodeDescribe, encodeDescription, encodeGet, encodeRejected } from "../../shared/protocol/encode.ts";
import type { DataMessage } from "../../shared/protocol/messages.ts";
import type { Checked } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { DESCRIBES, DESCRIPTIONS, FOREIGN_DESCRIPTIONS, FOREIGN_REJECTIONS, GETS, REJECTIONS } from "./answers.ts";
import { CBOR_DATA, JSON_DATA } from "./data-messages.ts";
import type { MessageVector } from "./vector.ts";

/** Decodes under the strict profile, so that what our own encoder writes needs no forgiveness. */
function strictly<T>(decode: (format: Format, bytes: Uint8Array, profile: "strict") => Checked<Decoded<T>>) {
  return (format: Format, bytes: Uint8Array): T | undefined => {
    const result = decode(format, bytes, "strict");
    return result.ok ? result.value.request : undefined;
  };
}

function encodeData(format: Format, { clientToken, fileId, blockId, payload }: DataMessage): Uint8Array {
  return new DataFrame({ format, clientToken, fileId }).encode(blockId, payload);
}

/** What there is to compare of a message, its byte strings in hex. */
function comparable(message: unknown): unknown {
  if (message === undefined) return undefined;
  return JSON.parse(
    JSON.stringify(message, (key, value) =>
      key === "payload" || key === "blockBitmap"
        ? Buffer.from(value.data ?? Object.values(value)).toString("hex")
        : value,
    ),
  );
}

/** Cutting is quadratic in the length: beyond this many bytes only both ends are cut byte by byte. */
const CUT_WHOLLY_BYTES = 600;

function run<T>(
  title: string,
  vectors: readonly MessageVector<T>[],
  decode: (format: Format, bytes: Uint8Array) => T | undefined,
  encode?: (format: Format, message: T) => Uint8Array,
): void {
  describe.each(vectors)(`${title} ($format): $name`, ({ format, bytes, message }) => {
    if (encode !== undefined) {
      it("is encoded to these bytes", () => {
        expect(Buffer.from(encode(format, message)).toString("hex")).toBe(Buffer.from(bytes).toString("hex"));
      });
    }

    it("is decoded from them", () => {
      expect(comparable(decode(format, bytes))).toEqual(comparable(message));
    });

    it("is nothing when it is cut", () => {
      for (let length = 0; length < bytes.length; length++) {
        if (length > CUT_WHOLLY_BYTES / 2 && length < bytes.length - CUT_WHOLLY_BYTES / 2) continue;
        expect(decode(format, bytes.subarray(0, length)), `cut to ${length} bytes`).toBeUndefined();
      }
    });
  });
}

run("data", [...CBOR_DATA, ...JSON_DATA], decodeData, encodeData);
run("description", DESCRIPTIONS, decodeDescription, encodeDescription);
run("foreign description", FOREIGN_DESCRIPTIONS, decodeDescription);
run("rejected", REJECTIONS, decodeRejected, encodeRejected);
run("foreign rejected", FOREIGN_REJECTIONS, decodeRejected);
run("describe", DESCRIBES, strictly(decodeDescribe), encodeDescribe);
run("get", GETS, strictly(decodeGet), encodeGet);

describe("sizes and examples that docs/PROTOCOL.md section 2 states", () => {
  it("has 4122 bytes for 4096 of payload, the token rdy and a block id of 256 or more", () => {
    const frame = new DataFrame({ format: "cbor", clientToken: "rdy", fileId: 0 });
    for (const blockId of [256, 511, 65_535]) {
      expect(frame.payloadLength(blockId, 4096)).toBe(4122);
      expect(frame.encode(blockId, new Uint8Array(4096))).toHaveLength(4122);
    }
  });

  it("writes blocks 20, 21, 24 and 43 as 13 00 80 from block 20", () => {
    const { blockOffset, blockBitmap } = formatBitmap([20, 21, 24, 43]);
    expect(blockOffset).toBe(20);
    expect(Buffer.from(blockBitmap).toString("hex")).toBe("130080");
  });
});
