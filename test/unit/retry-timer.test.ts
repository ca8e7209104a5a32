import { describe, expect, it } from "vitest";
import { RetryTimer } from "../../device/protocol/retry-timer.ts";

function timer(fraction = 0): RetryTimer {
  return new RetryTimer(() => fraction);
}

describe("the timeout of a retry timer", () => {
  it("is 3 s before anything was measured", () => {
    expect(timer().nextTimeoutMs(true)).toBe(3000);
    expect(timer().nextTimeoutMs(false)).toBe(3000);
  });

  it("is, after one measurement, the round trip and four times half of it (RFC 6298 section 2.2)", () => {
    const measured = timer();
    measured.measure(400);
    expect(measured.nextTimeoutMs(true)).toBe(400 + 4 * 200);
  });

  it("follows section 2.3 after that", () => {
    const measured = timer();
    measured.measure(400);
    measured.measure(800);
    const variationMs = (3 / 4) * 200 + (1 / 4) * Math.abs(400 - 800);
    const smoothedMs = (7 / 8) * 400 + (1 / 8) * 800;
    expect(measured.nextTimeoutMs(true)).toBeCloseTo(smoothedMs + 4 * variationMs, 9);
  });

  it("comes near a steady round trip, and follows one that grows", () => {
    const measured = timer();
    for (let count = 0; count < 100; count++) measured.measure(1500);
    expect(measured.nextTimeoutMs(true)).toBeCloseTo(1500, 0);
    for (let count = 0; count < 100; count++) measured.measure(3000);
    expect(measured.nextTimeoutMs(true)).toBeCloseTo(3000, 0);
  });

  it("is at least 250 ms while blocks flow, and 1 s before the first block", () => {
    const measured = timer();
    measured.measure(1);
    expect(measured.nextTimeoutMs(true)).toBe(250);
    expect(measured.nextTimeoutMs(false)).toBe(1000);
  });

  it("doubles with each backoff, the floor as well, up to 60 s", () => {
    const measured = timer();
    measured.measure(1);
    const waits = Array.from({ length: 12 }, () => {
      const waitMs = measured.nextTimeoutMs(true);
      measured.backOff();
      return waitMs;
    });
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
    for (let count = 0; count < 2000; count++) measured.backOff();
    expect(measured.nextTimeoutMs(true)).toBe(60_000);
  });

  it("starts over with progress", () => {
    const measured = timer();
    for (let count = 0; count < 5; count++) measured.backOff();
    expect(measured.nextTimeoutMs(true)).toBe(60_000);
    measured.progress();
    expect(measured.nextTimeoutMs(true)).toBe(3000);
  });

  it("has a jitter of up to a quarter, drawn anew after each timeout", () => {
    const fractions = [0, 0.5, 0.999_999];
    const jittery = new RetryTimer(() => fractions.shift() as number);
    expect(jittery.nextTimeoutMs(true)).toBe(3000);
    expect(jittery.nextTimeoutMs(true)).toBe(3000);
    jittery.backOff();
    expect(jittery.nextTimeoutMs(true)).toBe(6750);
    jittery.backOff();
    const longest = jittery.nextTimeoutMs(true);
    expect(longest).toBeGreaterThan(14_999);
    expect(longest).toBeLessThan(15_000);
    expect(timer(0.8).nextTimeoutMs(false)).toBe(3600);
  });
});
