import { describe, expect, it } from "vitest";
import { Exhaustion } from "../../device/fleet/exhaustion.ts";
import { deviceRandom, drawExponentialMs, drawName } from "../../device/fleet/fleet-draws.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { randomFraction } from "../../shared/random.ts";

const DEVICES = 20_000;

describe("the draws of a fleet", () => {
  it("are the same for a seed, device and purpose, and others for another", () => {
    const first = (seed: number, index: number, purpose: "up" | "down"): number =>
      deviceRandom(seed, index, purpose).uint32();
    expect(first(1, 5, "up")).toBe(first(1, 5, "up"));
    const some = [first(1, 5, "up"), first(1, 5, "down"), first(1, 6, "up"), first(2, 5, "up"), first(0, 0, "up")];
    expect(new Set(some).size).toBe(some.length);
  });

  it("have nothing in common between neighbours", () => {
    const firsts = Array.from({ length: DEVICES }, (_, index) => randomFraction(deviceRandom(7, index, "down")));
    const mean = firsts.reduce((sum, each) => sum + each, 0) / DEVICES;
    expect(mean).toBeCloseTo(0.5, 1);
    const products = firsts.slice(1).map((each, index) => (each - mean) * ((firsts[index] as number) - mean));
    const correlation = products.reduce((sum, each) => sum + each, 0) / DEVICES / (1 / 12);
    expect(Math.abs(correlation)).toBeLessThan(0.03);
  });

  it("follow the shares of a mix", () => {
    const mix = [
      { name: "a", share: 70 },
      { name: "b", share: 30 },
    ];
    const names = Array.from({ length: DEVICES }, (_, index) =>
      drawName(mix, "none", deviceRandom(7, index, "traits")),
    );
    expect(names.filter((name) => name === "a").length / DEVICES).toBeCloseTo(0.7, 1);
    expect(drawName([], "none", deviceRandom(7, 0, "traits"))).toBe("none");
  });

  it("are exponential for times", () => {
    const random = deviceRandom(7, 0, "reboot");
    const times = Array.from({ length: DEVICES }, () => drawExponentialMs(1_000, random));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
    expect(times.reduce((sum, each) => sum + each, 0) / DEVICES / 1_000).toBeCloseTo(1, 1);
  });
});

describe("what ran out", () => {
  it("is named once for each code, with figures", () => {
    const exhaustion = new Exhaustion();
    const cause = Object.assign(new Error("connect EMFILE"), { code: "EMFILE" });
    exhaustion.note(new OtaError("BrokerUnreachable", "cannot reach it", { cause }), () => 1_019);
    exhaustion.note(new OtaError("BrokerUnreachable", "cannot reach it: connect EMFILE 127.0.0.1:1883"), () => 7);
    exhaustion.note(new OtaError("BrokerUnreachable", "cannot reach it: connect EADDRNOTAVAIL"), () => 28_000);
    exhaustion.note(new OtaError("ConnectionLost", "the broker closed the connection"), () => 1);
    expect(exhaustion.describe()).toEqual([
      "open files of this process ran out (EMFILE): 2 times, first with 1019 connections",
      "local ports of a source address ran out (EADDRNOTAVAIL): once with 28000 connections",
    ]);
  });
});
