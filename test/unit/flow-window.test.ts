import { describe, expect, it } from "vitest";
import { FlowWindow } from "../../device/protocol/flow-window.ts";
import { downloadOverLink, type LinkOptions, type LinkOutcome } from "../support/session-link.ts";

const BLOCK_BYTES = 1024;

function overLink(link: LinkOptions, sizeBytes: number, options = {}): LinkOutcome {
  return downloadOverLink({ blockSizeBytes: BLOCK_BYTES, files: [{ fileId: 0, sizeBytes }], ...options }, link);
}

/** Most and least bytes that were ahead just after a request, in a part of the download. */
function aheadIn({ aheadBytes, finishedAtMs }: LinkOutcome, from: number, to: number) {
  const part = aheadBytes.filter(({ atMs }) => atMs >= from * finishedAtMs && atMs < to * finishedAtMs);
  const bytes = part.map((sample) => sample.bytes).sort((left, right) => left - right);
  return { median: bytes[Math.floor(bytes.length / 2)] as number, most: bytes.at(-1) as number };
}

const LINKS = [
  { name: "lan", bytesPerMs: 12_500, roundTripMs: 1, sizeBytes: 2_097_152 },
  { name: "wifi", bytesPerMs: 625, roundTripMs: 40, sizeBytes: 2_097_152 },
  { name: "lte-m", bytesPerMs: 37.5, roundTripMs: 120, sizeBytes: 2_097_152 },
  { name: "nb-iot", bytesPerMs: 3.25, roundTripMs: 1500, sizeBytes: 1_048_576 },
  { name: "satellite", bytesPerMs: 61.5, roundTripMs: 560, sizeBytes: 2_097_152 },
  { name: "long and fat", bytesPerMs: 1000, roundTripMs: 200, sizeBytes: 16_777_216 },
] as const;

describe("the window over a link of known rate and round trip", () => {
  it.each(LINKS)("comes to one to three bandwidth-delay products: $name", ({ bytesPerMs, roundTripMs, sizeBytes }) => {
    const product = bytesPerMs * roundTripMs;
    const outcome = overLink({ bytesPerMs, roundTripMs }, sizeBytes);
    const { median, most } = aheadIn(outcome, 0.5, 0.9);
    expect(median / product).toBeGreaterThanOrEqual(1);
    expect(most / product).toBeLessThanOrEqual(3);
  });

  it.each(LINKS)("keeps the link busy and asks for nothing twice: $name", ({ bytesPerMs, roundTripMs, sizeBytes }) => {
    const outcome = overLink({ bytesPerMs, roundTripMs }, sizeBytes);
    const idealMs = sizeBytes / bytesPerMs + 4 * roundTripMs;
    expect(outcome.finishedAtMs / idealMs).toBeLessThanOrEqual(1.06);
    expect(outcome.duplicates).toBeLessThanOrEqual(2);
    expect(outcome.sentBlocks - sizeBytes / BLOCK_BYTES).toBe(outcome.duplicates);
  });

  it("comes to one to three times what comes in a millisecond where the round trip is shorter", () => {
    const outcome = overLink({ bytesPerMs: 100_000, roundTripMs: 0.2 }, 16_777_216);
    const { median, most } = aheadIn(outcome, 0.5, 0.9);
    expect(median).toBeGreaterThanOrEqual(100_000);
    expect(most).toBeLessThanOrEqual(300_000);
  });

  it("never goes beyond what it is allowed", () => {
    for (const maxWindowBytes of [1024, 5000, 20_000, 100_000]) {
      const outcome = overLink({ bytesPerMs: 1000, roundTripMs: 200 }, 524_288, { maxWindowBytes });
      expect(aheadIn(outcome, 0, 1).most).toBeLessThanOrEqual(maxWindowBytes);
    }
  });

  it.each([1, 2, 3, 8])("never goes beyond the %i blocks that the device can take", (bufferBlocks) => {
    const outcome = overLink({ bytesPerMs: 1000, roundTripMs: 200 }, 262_144, { bufferBlocks });
    expect(aheadIn(outcome, 0, 1).most).toBe(bufferBlocks * BLOCK_BYTES);
  });

  it.each([
    [10, 60],
    [40, 90],
    [40, 200],
    [5, 80],
    [90, 40],
    [60, 10],
  ])("follows a round trip that goes from %i to %i ms", (before, after) => {
    const sizeBytes = 16_000_000;
    const roundTripMs = (nowMs: number): number => (nowMs < 4000 ? before : after);
    const outcome = overLink({ bytesPerMs: 625, roundTripMs }, sizeBytes);
    expect(outcome.finishedAtMs / (sizeBytes / 625)).toBeLessThanOrEqual(1.1);
    const { median, most } = aheadIn(outcome, 0.8, 1);
    expect(median / (625 * after)).toBeGreaterThanOrEqual(1);
    expect(most / (625 * after)).toBeLessThanOrEqual(3);
  });

  it("does not take a lost message for a full link", () => {
    let message = 0;
    const outcome = overLink({ bytesPerMs: 625, roundTripMs: 40, isLost: () => message++ % 20 === 7 }, 2_097_152);
    expect(outcome.finishedAtMs / (2_097_152 / 0.95 / 625 + 4 * 40)).toBeLessThanOrEqual(1.06);
    expect(outcome.sentBlocks / 2048).toBeLessThanOrEqual(1.07);
  });
});

describe("a window", () => {
  it("begins with 65,536 bytes, or two blocks, or what is allowed", () => {
    expect(new FlowWindow({ blockSizeBytes: 1024, maxBytes: 1_000_000 }).bytes).toBe(65_536);
    expect(new FlowWindow({ blockSizeBytes: 40_000, maxBytes: 1_000_000 }).bytes).toBe(80_000);
    expect(new FlowWindow({ blockSizeBytes: 1024, maxBytes: 4000 }).bytes).toBe(4000);
    expect(new FlowWindow({ blockSizeBytes: 4096, maxBytes: 1 }).bytes).toBe(4096);
  });

  it("grows eightfold with a round of answers that came within an eighth of a round trip, and with none unmeasured", () => {
    const window = new FlowWindow({ blockSizeBytes: 1024, maxBytes: 1_000_000 });
    const mark = window.markSent(0, true);
    window.markDelivered(1024, mark, 100);
    expect(window.bytes).toBe(66_560);
    window.measureRoundTrip(100, mark);
    for (let block = 1; block < 64; block++) window.markDelivered(1024, mark, block < 32 ? 112 : 113);
    expect(window.bytes).toBe((64 + 1 + 31 * 7 + 32) * 1024);
  });

  it("doubles with a round of answers", () => {
    const window = new FlowWindow({ blockSizeBytes: 1024, maxBytes: 1_000_000 });
    const mark = window.markSent(0, true);
    for (let block = 0; block < 64; block++) window.markDelivered(1024, mark, 100 + block);
    expect(window.bytes).toBe(131_072);
  });

  it("starts over, with half of what it was, when nothing arrives", () => {
    const window = new FlowWindow({ blockSizeBytes: 1024, maxBytes: 1_000_000 });
    const mark = window.markSent(0, true);
    for (let block = 0; block < 192; block++) window.markDelivered(1024, mark, 100 + block);
    expect(window.bytes).toBe(262_144);
    window.forget();
    expect(window.bytes).toBe(131_072);
    for (let count = 0; count < 10; count++) window.forget();
    expect(window.bytes).toBe(65_536);
  });

  it("bears answers in the millisecond of their request, and those of no known request", () => {
    const window = new FlowWindow({ blockSizeBytes: 1024, maxBytes: 1_000_000 });
    for (let block = 0; block < 200; block++) {
      const mark = window.markSent(5, true);
      window.markDelivered(1024, mark, 5);
      window.measureRoundTrip(0, mark);
      window.markDelivered(1024, undefined, 5);
    }
    expect(window.bytes).toBeGreaterThanOrEqual(2048);
    expect(window.bytes).toBeLessThanOrEqual(1_000_000);
  });
});
