/** How our CBOR is spelled, read by a second reader: no tags, shortest heads, the keys in their order. */
import fc from "fast-check";
import { expect, it } from "vitest";
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
