/** How runs of blocks are cut into chunks, and that their packets are those of mqtt-packet. */
import { generate } from "mqtt-packet";
import { describe, expect, it } from "vitest";
import { BlockFramer } from "../../broker/block-framer.ts";
import { makeFile, makeRun, payloadsOf } from "../support/broker.ts";

const file = makeFile(1_000_003);
const ids = (first: number, count: number): Uint32Array =>
  Uint32Array.from({ length: count }, (_, index) => first + index);

function cut(run: ReturnType<typeof makeRun>): {
  readonly counts: number[];
  readonly bytes: Buffer;
  readonly most: number;
} {
  const framer = new BlockFramer();
  const counts: number[] = [];
  const pieces: Buffer[] = [];
  let most = 0;
  for (let from = 0; from < run.blockIds.length; ) {
    const chunk = framer.frame(run, from);
    counts.push(chunk.blockCount);
    pieces.push(...chunk.pieces.map((piece) => Buffer.from(piece)));
    most = Math.max(most, chunk.sizeBytes);
    from += chunk.blockCount;
    chunk.release();
  }
  return { counts, bytes: Buffer.concat(pieces), most };
}

describe("a run", () => {
  it.each([
    [1, [1]],
    [16, [16]],
    [18, [18]],
    [30, [15, 15]],
    [32, [16, 16]],
    [54, [18, 18, 18]],
  ])("of %i blocks of 4096 bytes is cut into %j: all in one chunk, or parts that are alike", (count, counts) => {
    expect(cut(makeRun("thing", { fileBytes: file, blockIds: ids(0, count) })).counts).toEqual(counts);
  });

  it.each(["cbor", "json"] as const)("in %s has chunks of at most 76 KiB, or one larger block", (format) => {
    for (const blockSizeBytes of [256, 1024, 4096, 10_000]) {
      const { most, counts } = cut(makeRun("thing", { format, blockSizeBytes, fileBytes: file }));
      expect(most).toBeLessThanOrEqual(76 * 1024);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(counts.length);
    }
    const { counts } = cut(makeRun("thing", { format, blockSizeBytes: 131_072, fileBytes: file }));
    expect(counts).toEqual(Array(8).fill(1));
  });

  it.each(["cbor", "json"] as const)("in %s has the packets of mqtt-packet, where ids grow longer, too", (format) => {
    const many = new Uint8Array(256 * 65_600);
    for (const first of [20, 250, 65_530]) {
      const run = makeRun("thing", { format, blockSizeBytes: 256, fileBytes: many, blockIds: ids(first, 12) });
      const packets = payloadsOf(run).map((payload) =>
        generate({ cmd: "publish", topic: run.topic, payload, qos: 0, dup: false, retain: false }),
      );
      expect(cut(run).bytes.equals(Buffer.concat(packets))).toBe(true);
    }
  });
});
