/** How our CBOR is spelled, read by a second reader: no tags, shortest heads, the keys in their order. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeCbor } from "../../shared/protocol/cbor.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { encodeDescribe, encodeDescription, encodeGet, encodeRejected } from "../../shared/protocol/encode.ts";
import { dataMessages, describeRequests, descriptions, getRequests, rejections } from "../support/arbitraries.ts";
import { WalkedMap, walkCbor } from "../support/cbor-walk.ts";

/** Reads all of `bytes` as one plainly spelled map. */
function mapOf(bytes: Uint8Array): WalkedMap {
  const walk = walkCbor(bytes);
  expect(walk, Buffer.from(bytes).toString("hex")).toMatchObject({ end: bytes.length, tags: 0, longHeads: 0 });
  expect(walk?.value).toBeInstanceOf(WalkedMap);
  return walk?.value as WalkedMap;
}

function keysOf(map: WalkedMap): string {
  return map.pairs.map(([key]) => key).join(" ");
}

function isInOrder(keys: string, order: string): boolean {
  const kept = order.split(" ").filter((key) => keys.split(" ").includes(key));
  return kept.join(" ") === keys;
}

it("writes requests as definite maps", () => {
  fc.assert(
    fc.property(getRequests, describeRequests, (get, describe) => {
      const map = mapOf(encodeGet("cbor", get));
      expect(isInOrder(keysOf(map), "c s f l o n b")).toBe(true);
      expect(map.indefinite).toBe(false);
      expect(isInOrder(keysOf(mapOf(encodeDescribe("cbor", describe))), "c")).toBe(true);
    }),
  );
});

it("writes requests as the encoder for everything does", () => {
  const numbers = fc.oneof(
    fc.integer(),
    fc.nat(300),
    fc.constantFrom(23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 1.5, -0),
  );
  const anyRequests = fc.record(
    {
      clientToken: fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: "binary", maxLength: 40 })),
      streamVersion: numbers,
      fileId: numbers,
      blockSizeBytes: numbers,
      blockOffset: numbers,
      blockCount: numbers,
      blockBitmap: fc.uint8Array({ maxLength: 300 }),
    },
    { requiredKeys: ["fileId", "blockSizeBytes"] },
  );
  fc.assert(
    fc.property(fc.oneof(getRequests, anyRequests), (get) => {
      const { clientToken: c, streamVersion: s, fileId: f, blockSizeBytes: l, blockOffset: o } = get;
      const members = Object.entries({ c, s, f, l, o, n: get.blockCount, b: get.blockBitmap });
      const map = Object.fromEntries(members.filter(([, value]) => value !== undefined));
      expect(Buffer.from(encodeGet("cbor", get))).toEqual(Buffer.from(encodeCbor(map)));
      const describe = { ...(c !== undefined && { clientToken: c }) };
      const token = { ...(c !== undefined && { c }) };
      expect(Buffer.from(encodeDescribe("cbor", describe))).toEqual(Buffer.from(encodeCbor(token)));
    }),
  );
});

it("writes descriptions as definite maps of definite maps", () => {
  fc.assert(
    fc.property(descriptions, (description) => {
      const map = mapOf(encodeDescription("cbor", description));
      expect(isInOrder(keysOf(map), "c s d r")).toBe(true);
      const files = map.pairs.at(-1)?.[1] as WalkedMap[];
      expect(files).toHaveLength(description.files.length);
      for (const file of files) expect(isInOrder(keysOf(file), "f z crc32 sha256")).toBe(true);
    }),
  );
});

it("writes data messages as indefinite maps c f i l p", () => {
  fc.assert(
    fc.property(dataMessages, ({ blockId, payload, ...shared }) => {
      const map = mapOf(new DataFrame({ format: "cbor", ...shared }).encode(blockId, payload));
      const token = shared.clientToken === undefined ? [] : [["c", shared.clientToken]];
      expect(map.indefinite).toBe(true);
      expect(map.pairs).toEqual([
        ...token,
        ["f", BigInt(shared.fileId)],
        ["i", BigInt(blockId)],
        ["l", BigInt(payload.length)],
        ["p", payload],
      ]);
    }),
  );
});

it("writes rejections as indefinite maps of both forms", () => {
  fc.assert(
    fc.property(rejections, ({ clientToken, code, message }) => {
      const map = mapOf(encodeRejected("cbor", { code, message, ...(clientToken !== undefined && { clientToken }) }));
      const token =
        clientToken === undefined
          ? []
          : [
              ["clientToken", clientToken],
              ["c", clientToken],
            ];
      expect(map.indefinite).toBe(true);
      expect(map.pairs).toEqual([...token, ["code", code], ["o", code], ["message", message], ["m", message]]);
    }),
  );
});
