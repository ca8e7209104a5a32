/** Blocks that come at once against the same blocks one by one: the books of a file, the session, and the store of a simulated device. */
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { CrcPlan } from "../../device/fleet/crc-combine.ts";
import { VerifyStore } from "../../device/fleet/verify-store.ts";
import { BlockLedger } from "../../device/protocol/block-ledger.ts";
import { planBlocks } from "../../device/protocol/request-planner.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import { blocksOf, getsOf, range, SessionDriver } from "../support/session-driver.ts";

const MARK = { sentAtMs: 0, deliveredBytes: 0, deliveredAtMs: 0, isAlone: true };
const BLOCK_BYTES = 256;
const NOTHING = { token: "none", blockIds: [] };

const steps = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("ask" as const), windowBytes: fc.nat({ max: 12_000 }) }) },
  fc.record({ do: fc.constant("probe" as const), most: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant("giveUpOvertaken" as const) }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("arrive" as const),
      request: fc.nat(),
      from: fc.nat({ max: 45 }),
      count: fc.integer({ min: 1, max: 8 }),
      wrongBytes: fc.constantFrom(0, 0, 0, 0, 1, -1),
    }),
  },
);

type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never;

/** Two ledgers of one file that meet the same, but that one of them gets blocks at once where it takes them so. */
class TwinLedgers {
  taken = 0;
  refused = 0;
  private readonly atOnce: BlockLedger;
  private readonly oneByOne: BlockLedger;
  private readonly sent: { readonly token: string; readonly blockIds: readonly number[] }[] = [];

  constructor(sizeBytes: number) {
    this.atOnce = new BlockLedger(sizeBytes, BLOCK_BYTES, new Uint8Array());
    this.oneByOne = new BlockLedger(sizeBytes, BLOCK_BYTES, new Uint8Array());
  }

  perform(step: Step): void {
    if (step.do === "ask") this.ask((ledger) => planBlocks(ledger, step.windowBytes, true), false);
    else if (step.do === "probe") this.ask((ledger) => ledger.findOldestAsked(step.most), true);
    else if (step.do === "arrive") this.arrive(step);
    else expect(this.atOnce.giveUpOvertaken()).toBe(this.oneByOne.giveUpOvertaken());
    expect(booksOf(this.atOnce)).toEqual(booksOf(this.oneByOne));
  }

  private ask(find: (ledger: BlockLedger) => readonly number[], isProbe: boolean): void {
    const blockIds = find(this.oneByOne);
    expect(find(this.atOnce)).toEqual(blockIds);
    if (blockIds.length === 0) return;
    const token = `t${this.sent.length}`;
    this.sent.push({ token, blockIds });
    for (const ledger of [this.atOnce, this.oneByOne]) ledger.ask(token, blockIds, MARK, isProbe);
  }

  private arrive({ request: ago, from, count, wrongBytes }: Extract<Step, { do: "arrive" }>): void {
    const { token, blockIds } = this.sent[ago % Math.max(1, this.sent.length)] ?? NOTHING;
    const first = blockIds[from % Math.max(1, blockIds.length)] ?? from;
    const sizeBytes = blockLength(first, this.atOnce.sizeBytes, BLOCK_BYTES) + wrongBytes;
    const request = this.atOnce.findOutstanding(token);
    const before = booksOf(this.atOnce);
    const isTaken = request !== undefined && this.atOnce.arriveRun(first, count, sizeBytes, request);
    const others = isTaken ? [this.oneByOne] : [this.oneByOne, this.atOnce];
    if (!isTaken) expect(booksOf(this.atOnce)).toEqual(before);
    for (const blockId of range(first, first + count)) {
      const arrivals = others.map((ledger) =>
        ledger.arrive(blockId, sizeBytes, ledger.findOutstanding(token) ?? "late"),
      );
      if (isTaken) expect(arrivals).toEqual(["new"]);
    }
    if (isTaken) this.taken++;
    else this.refused++;
  }
}

function booksOf(ledger: BlockLedger): unknown {
  const { heldCount, askedBytes, blockCount } = ledger;
  return { heldCount, askedBytes, missing: ledger.findMissing(blockCount, Number.POSITIVE_INFINITY) };
}

it("changes a ledger as the blocks by themselves do, or not at all", () => {
  const counts = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 * BLOCK_BYTES }),
      fc.array(steps, { maxLength: 40, size: "max" }),
      (sizeBytes, all) => {
        const twins = new TwinLedgers(sizeBytes);
        for (const step of all) twins.perform(step);
        counts.taken += twins.taken;
        counts.refused += twins.refused;
      },
    ),
    { numRuns: 500 },
  );
  expect(counts.taken).toBeGreaterThan(300);
  expect(counts.refused).toBeGreaterThan(300);
});

it("leads a session to the same commands and deadlines, block for block", () => {
  const events = fc.array(fc.record({ passMs: fc.nat(40), lost: fc.boolean(), answer: fc.nat(2) }), {
    minLength: 1,
    maxLength: 80,
    size: "max",
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 120 }), events, (blocks, sequence) => {
      const options = { blockSizeBytes: BLOCK_BYTES, files: [{ fileId: 0, sizeBytes: blocks * BLOCK_BYTES }] };
      const oneByOne = new SessionDriver(options);
      const atOnce = new SessionDriver(options);
      oneByOne.start();
      atOnce.start();
      const due = oneByOne.gets.flatMap((request) => blocksOf(request).map((blockId) => ({ request, blockId })));
      for (const { passMs, lost, answer } of sequence) {
        const [next] = due.splice(Math.min(answer, due.length - 1), 1);
        if (next === undefined) break;
        const nowMs = Math.min(oneByOne.nowMs + passMs, (oneByOne.session.deadlineMs ?? Number.POSITIVE_INFINITY) - 1);
        oneByOne.nowMs = nowMs;
        atOnce.nowMs = nowMs;
        if (lost) continue;
        const { request, blockId } = next;
        const block = { fileId: 0, blockId, sizeBytes: BLOCK_BYTES, clientToken: request.clientToken };
        const further = getsOf(oneByOne.feed({ on: "blockArrived", ...block }));
        const isTaken = atOnce.feedRun({ ...block, blockCount: 1 }) !== undefined;
        if (!isTaken) atOnce.feed({ on: "blockArrived", ...block });
        due.push(...further.flatMap((more) => blocksOf(more).map((each) => ({ request: more, blockId: each }))));
        expect(atOnce.session.deadlineMs).toBe(oneByOne.session.deadlineMs);
        expect(atOnce.session.progress()).toEqual(oneByOne.session.progress());
        expect(atOnce.gets).toEqual(oneByOne.gets);
      }
    }),
    { numRuns: 300 },
  );
});

it("gives a store the CRC-32 of the whole, whatever comes at once and in whatever order", () => {
  const lengths = fc.integer({ min: 1, max: 12 * BLOCK_BYTES });
  const runs = fc.array(fc.record({ from: fc.nat({ max: 11 }), count: fc.integer({ min: 1, max: 6 }) }), {
    maxLength: 20,
    size: "max",
  });
  const counts = { long: 0, outOfOrder: 0 };
  fc.assert(
    fc.property(lengths, fc.nat(250), runs, fc.boolean(), (length, seed, sequence, keepBlockCrcs) => {
      const bytes = Uint8Array.from({ length }, (_, index) => index * 31 + (index >> 8) * seed);
      let end = 0;
      const plan = new CrcPlan(bytes.length, BLOCK_BYTES);
      const store = new VerifyStore(plan, keepBlockCrcs);
      const take = (blockId: number, count: number): void => {
        const whole = Math.floor(bytes.length / BLOCK_BYTES);
        const isLast = blockId === whole;
        if (blockId >= plan.blockCount) return;
        const sizeBytes = isLast ? bytes.length - whole * BLOCK_BYTES : BLOCK_BYTES;
        const blockCount = isLast ? 1 : Math.min(count, whole - blockId);
        const memory = { bytes, start: blockId * BLOCK_BYTES };
        if (blockCount > 1) counts.long++;
        if (blockId !== end) counts.outOfOrder++;
        end = blockId + blockCount;
        store.takeRun({ fileId: 0, blockId, blockCount, sizeBytes, ...memory });
      };
      for (const { from, count } of sequence) take(from, count);
      for (const blockId of range(0, plan.blockCount)) take(blockId, 1);
      expect(store.complete).toBe(true);
      const verified = store.verify({ fileId: 0, sizeBytes: bytes.length, crc32: crc32(bytes) });
      expect(verified).toEqual({ ok: true, verified: "digest" });
    }),
    { numRuns: 500 },
  );
  expect(counts.long).toBeGreaterThan(500);
  expect(counts.outOfOrder).toBeGreaterThan(500);
});
