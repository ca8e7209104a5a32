/** The books of a file under any sequence of requests and arrivals, and the requests that are planned from them. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { BlockLedger } from "../../device/protocol/block-ledger.ts";
import { formatGet, planBlocks } from "../../device/protocol/request-planner.ts";
import { hasBit } from "../../shared/protocol/bitmap.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import { blocksOf } from "../support/session-driver.ts";

const MARK = { sentAtMs: 0, deliveredBytes: 0, deliveredAtMs: 0, isAlone: true };

const blockSizes = fc.oneof(
  fc.constantFrom(256, 1024, 65_535, 65_537, 131_072),
  fc.integer({ min: 256, max: 131_072 }),
);
const layouts = fc.record({
  blockSizeBytes: blockSizes,
  blocks: fc.oneof({ weight: 5, arbitrary: fc.nat({ max: 60 }) }, fc.constantFrom(1000, 98_304, 98_310, 200_000)),
  shortBytes: fc.nat({ max: 255 }),
  held: fc.uint8Array({ maxLength: 30 }),
});

type Layout = typeof layouts extends fc.Arbitrary<infer T> ? T : never;

function openLedger({ blockSizeBytes, blocks, shortBytes, held }: Layout): BlockLedger {
  return new BlockLedger(Math.max(0, blocks * blockSizeBytes - shortBytes), blockSizeBytes, held);
}

const steps = fc.oneof(
  fc.record({ do: fc.constant("ask" as const), windowBytes: fc.nat({ max: 2_000_000 }), urgent: fc.boolean() }),
  fc.record({ do: fc.constant("probe" as const), most: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    do: fc.constant("arrive" as const),
    request: fc.nat(),
    block: fc.nat(),
    wrongBytes: fc.constantFrom(0, 0, 0, 0, 1, -1),
    as: fc.constantFrom("answer", "answer", "answer", "late", "anonymous"),
  }),
  fc.record({ do: fc.constant("giveUpOvertaken" as const) }),
  fc.record({ do: fc.constant("giveUpAll" as const) }),
);

/** The blocks that are neither held nor missing, by looking at everything: those are asked for. */
function bytesAskedFor(ledger: BlockLedger, held: ReadonlySet<number>): number {
  const missing = new Set(ledger.findMissing(ledger.blockCount, Number.POSITIVE_INFINITY));
  let bytes = 0;
  for (let blockId = 0; blockId < ledger.blockCount; blockId++) {
    expect(held.has(blockId) && missing.has(blockId)).toBe(false);
    if (!held.has(blockId) && !missing.has(blockId)) bytes += lengthOf(ledger, blockId);
  }
  return bytes;
}

function lengthOf({ sizeBytes, blockSizeBytes }: BlockLedger, blockId: number): number {
  return blockLength(blockId, sizeBytes, blockSizeBytes);
}

it("counts the bytes of exactly the blocks that are asked for, and holds what arrived", () => {
  fc.assert(
    fc.property(
      layouts.filter(({ blocks }) => blocks <= 60),
      fc.array(steps, { maxLength: 60 }),
      (layout, sequence) => {
        const ledger = openLedger(layout);
        const held = new Set<number>();
        for (let blockId = 0; blockId < ledger.blockCount; blockId++)
          if (hasBit(layout.held, blockId)) held.add(blockId);
        const sent: { token: string; blockIds: readonly number[] }[] = [];
        const ask = (blockIds: readonly number[], isProbe: boolean): void => {
          if (blockIds.length === 0) return;
          const token = `t${sent.length}`;
          sent.push({ token, blockIds });
          ledger.ask(token, blockIds, MARK, isProbe);
        };
        for (const step of sequence) {
          if (step.do === "ask") ask(planBlocks(ledger, step.windowBytes, step.urgent), false);
          else if (step.do === "probe") ask(ledger.findOldestAsked(step.most), true);
          else if (step.do === "giveUpOvertaken") ledger.giveUpOvertaken();
          else if (step.do === "giveUpAll") ledger.giveUpAll();
          else {
            const request = sent[step.request % Math.max(1, sent.length)];
            const among = request?.blockIds ?? [step.block];
            const blockId = among[step.block % among.length] as number;
            const sizeBytes = lengthOf(ledger, blockId) + step.wrongBytes;
            const known = request === undefined ? undefined : (ledger.findOutstanding(request.token) ?? "late");
            const answerTo = step.as === "answer" ? known : step.as === "late" ? "late" : undefined;
            const fits = blockId < ledger.blockCount && step.wrongBytes === 0;
            const expected = fits ? (held.has(blockId) ? "duplicate" : "new") : "impossible";
            expect(ledger.arrive(blockId, sizeBytes, answerTo)).toBe(expected);
            if (fits) held.add(blockId);
          }
          expect(ledger.heldCount).toBe(held.size);
          expect(ledger.complete).toBe(held.size === ledger.blockCount);
          expect(ledger.askedBytes).toBe(bytesAskedFor(ledger, held));
        }
      },
    ),
    { numRuns: 400 },
  );
});

it("finds, when blocks only arrive in the order they were asked for, exactly those that did not arrive", () => {
  const losses = fc.array(fc.boolean(), { minLength: 10, maxLength: 60 });
  fc.assert(
    fc.property(losses, fc.integer({ min: 1, max: 20 }), (isLost, perRequest) => {
      const ledger = new BlockLedger(isLost.length * 256, 256, new Uint8Array());
      for (let first = 0; first < isLost.length; first += perRequest) {
        const length = Math.min(perRequest, isLost.length - first);
        ledger.ask(
          `${first}`,
          Array.from({ length }, (_, index) => first + index),
          MARK,
          false,
        );
      }
      const last = isLost.lastIndexOf(false);
      for (const [blockId, lost] of isLost.entries()) {
        const request = ledger.findOutstanding(`${blockId - (blockId % perRequest)}`);
        if (!lost) ledger.arrive(blockId, 256, request);
      }
      ledger.giveUpOvertaken();
      const overtaken = isLost.flatMap((lost, blockId) => (lost && blockId <= last - 3 ? [blockId] : []));
      expect([...ledger.findMissing(isLost.length, Number.POSITIVE_INFINITY)]).toEqual(overtaken);
    }),
    { numRuns: 300 },
  );
});

it("plans requests of at most 131,072 bytes and 12,288 bytes of bitmap, for blocks that are missing and not asked for", () => {
  fc.assert(
    fc.property(layouts, fc.array(fc.nat({ max: 2_000_000 }), { minLength: 1, maxLength: 12 }), (layout, windows) => {
      const ledger = openLedger(layout);
      const asked = new Set<number>();
      for (const [index, windowBytes] of windows.entries()) {
        const before = ledger.askedBytes;
        const blockIds = planBlocks(ledger, windowBytes, index % 2 === 0);
        if (blockIds.length === 0) continue;
        const request = formatGet(
          { fileId: 0, streamVersion: 0, blockSizeBytes: layout.blockSizeBytes },
          "t",
          blockIds,
        );
        expect(blocksOf(request)).toEqual([...blockIds]);
        expect(request.blockCount).toBe(blockIds.length);
        expect(request.blockBitmap?.length).toBeLessThanOrEqual(12_288);
        let bytes = 0;
        for (const blockId of blockIds) {
          expect(blockId).toBeLessThan(ledger.blockCount);
          expect(asked.has(blockId) || hasBit(layout.held, blockId)).toBe(false);
          asked.add(blockId);
          bytes += lengthOf(ledger, blockId);
        }
        expect(bytes).toBeLessThanOrEqual(131_072);
        expect(before + bytes).toBeLessThanOrEqual(Math.max(windowBytes, layout.blockSizeBytes));
        ledger.ask(`t${index}`, blockIds, MARK, false);
      }
    }),
    { numRuns: 300 },
  );
});
