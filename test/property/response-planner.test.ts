/** The planned answer against a naive model: the set of asked blocks, cut to what exists and fits. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { planGet } from "../../publisher/protocol/response-planner.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import { sizedFile, streamRecord } from "../support/publisher-stream.ts";

const ANSWER_BYTES = 131_072;

const blockSizes = fc.oneof(
  fc.constantFrom(256, 1000, 4096, 65_535, 65_536, 65_537, 100_000, 131_071, 131_072),
  fc.integer({ min: 256, max: 131_072 }),
);
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 3000 }),
  fc.integer({ min: 0, max: 700_000 }),
  fc.constantFrom(131_071, 131_072, 131_073, 2_097_152, 25_165_824),
);
const sparseBytes = fc.array(fc.constantFrom(0, 0, 0, 1, 0x80, 0xff), { maxLength: 100 });
const bitmaps = fc.oneof(
  { weight: 20, arbitrary: fc.uint8Array({ maxLength: 4 }) },
  { weight: 20, arbitrary: sparseBytes.map((bytes) => Uint8Array.from(bytes)) },
  { weight: 1, arbitrary: fc.constantFrom(0x00, 0x01, 0xff).map((byte) => new Uint8Array(12_288).fill(byte)) },
);
const counts = fc.oneof({ weight: 40, arbitrary: fc.nat({ max: 40 }) }, fc.nat({ max: 98_304 }));
const requests: fc.Arbitrary<GetRequest> = fc.record(
  {
    fileId: fc.constant(0),
    blockSizeBytes: blockSizes,
    blockOffset: fc.oneof({ weight: 6, arbitrary: fc.nat({ max: 30 }) }, fc.nat({ max: 98_304 })),
    blockCount: counts,
    blockBitmap: bitmaps,
  },
  { requiredKeys: ["fileId", "blockSizeBytes"] },
);

/** The rules of docs/PROTOCOL.md section 2 with a Set and no cleverness. */
function expectedBlocks(request: GetRequest, sizeBytes: number): number[] {
  const { blockSizeBytes, blockOffset = 0, blockBitmap } = request;
  const lengthOf = (block: number): number => Math.min(blockSizeBytes, sizeBytes - block * blockSizeBytes);
  const asked = new Set<number>();
  if (blockBitmap !== undefined) {
    for (const [at, byte] of blockBitmap.entries()) {
      for (let bit = 0; bit < 8; bit++) {
        if (Math.floor(byte / 2 ** bit) % 2 === 1) asked.add(blockOffset + 8 * at + bit);
      }
    }
  } else {
    const count = request.blockCount || Math.floor(ANSWER_BYTES / blockSizeBytes);
    for (let index = 0; index < count; index++) asked.add(blockOffset + index);
  }
  const most = request.blockCount || Number.POSITIVE_INFINITY;
  const answer: number[] = [];
  let bytes = 0;
  for (const block of [...asked].sort((left, right) => left - right)) {
    const exists = lengthOf(block) > 0;
    if (!exists || answer.length === most || bytes + lengthOf(block) > ANSWER_BYTES) break;
    answer.push(block);
    bytes += lengthOf(block);
  }
  return answer;
}

it("selects the blocks that the model selects, or none when the model has none", () => {
  fc.assert(
    fc.property(requests, sizes, (request, sizeBytes) => {
      const planned = planGet(request, streamRecord([sizedFile(sizeBytes)]), "lenient");
      const expected = expectedBlocks(request, sizeBytes);
      if (planned.ok) expect([...planned.value.blockIds]).toEqual(expected);
      else expect({ code: planned.rejection.code, expected }).toEqual({ code: "ResourceNotFound", expected: [] });
    }),
    { numRuns: 1500 },
  );
});

it("answers a strict request as the lenient profile does, or refuses a bitmap without n", () => {
  fc.assert(
    fc.property(requests, sizes, (request, sizeBytes) => {
      const stream = streamRecord([sizedFile(sizeBytes)]);
      const strict = planGet(request, stream, "strict");
      if (strict.ok || strict.rejection.code !== "InvalidRequest") {
        expect(strict).toEqual(planGet(request, stream, "lenient"));
      } else {
        expect(request.blockBitmap).toBeDefined();
        expect(request.blockCount ?? 0).toBe(0);
        expect(Math.floor(ANSWER_BYTES / request.blockSizeBytes)).toBeGreaterThan(
          Math.ceil(sizeBytes / request.blockSizeBytes),
        );
      }
    }),
    { numRuns: 500 },
  );
});

it("keeps no more memory than the blocks of one answer, whatever n and b claim", () => {
  fc.assert(
    fc.property(requests, sizes, (request, sizeBytes) => {
      const planned = planGet(request, streamRecord([sizedFile(sizeBytes)]), "lenient");
      if (!planned.ok) return;
      const most = Math.floor(ANSWER_BYTES / request.blockSizeBytes) + 1;
      expect(planned.value.blockIds.buffer.byteLength).toBeLessThanOrEqual(4 * most);
    }),
    { numRuns: 300 },
  );
});
