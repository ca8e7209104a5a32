/** The fleet's command-line values: what is read, and what is refused with flag, limit and value. */
import { describe, expect, it } from "vitest";
import { bandwidthOf, durationOf, mixOf, seedOf, shareOf } from "../../cli/fleet/fleet-values.ts";

const NAMES = ["lan", "lte-m", "nb-iot"];

describe("a share", () => {
  it.each([
    ["0", 0],
    ["1", 1],
    ["0.05", 0.05],
    ["5%", 0.05],
    ["100%", 1],
    ["12.5%", 0.125],
  ])("reads %s as %d", (text, value) => expect(shareOf("--loss")(text)).toBeCloseTo(value, 12));

  it.each(["", "%", "101%", "1.1", "-1", "5 %", "0x1", "1e-2", "NaN"])("refuses %j", (text) => {
    const message = `--loss must be a share from 0 to 1, like 0.05 or 5%, not ${JSON.stringify(text)}`;
    expect(() => shareOf("--loss")(text)).toThrow(message);
  });
});

describe("a duration", () => {
  it.each([
    ["1ms", 1],
    ["250ms", 250],
    ["1.5s", 1500],
    ["5m", 300_000],
    ["24h", 86_400_000],
  ])("reads %s as %d ms", (text, value) => expect(durationOf("--latency")(text)).toBe(value));

  it.each(["", "0s", "0.5ms", "25h", "10", "s", "-1s", "1 s", "1d"])("refuses %j", (text) => {
    const message = `--latency must be a time from 1ms to 24h, like 250ms, 30s, 5m or 1h, not ${JSON.stringify(text)}`;
    expect(() => durationOf("--latency")(text)).toThrow(message);
  });
});

describe("a bandwidth", () => {
  it.each([
    ["1", 1],
    ["32000", 32_000],
    ["32kB", 32_000],
    ["1.5MB", 1_500_000],
    ["26kbit", 3250],
    ["5Mbit", 625_000],
  ])("reads %s as %d bytes a second", (text, value) => expect(bandwidthOf("--bandwidth")(text)).toBe(value));

  it.each(["", "0", "0kbit", "1Kbit", "kB", "-5", "99999999999"])("refuses %j", (text) => {
    expect(() => bandwidthOf("--bandwidth")(text)).toThrow(/^--bandwidth must be bytes a second, from 1 to 10000 MB/);
  });
});

describe("a seed", () => {
  it.each([
    ["0", 0],
    ["4294967295", 0xffff_ffff],
    ["0x133", 0x133],
    ["0XAB", 0xab],
  ])("reads %s as %d", (text, value) => expect(seedOf("--seed")(text)).toBe(value));

  it.each(["", "-1", "4294967296", "0x", "1.5", "seed"])("refuses %j", (text) => {
    const message = `--seed must be an integer from 0 to 4294967295, decimal or hex with 0x, not ${JSON.stringify(text)}`;
    expect(() => seedOf("--seed")(text)).toThrow(message);
  });
});

describe("a mix", () => {
  it("reads names and shares, 1 where none is given", () => {
    expect(mixOf("--link", NAMES)("lte-m:70,nb-iot:29.5,lan")).toEqual([
      { name: "lte-m", share: 70 },
      { name: "nb-iot", share: 29.5 },
      { name: "lan", share: 1 },
    ]);
  });

  it.each([
    ["", '--link must be made of lan, lte-m, nb-iot, not ""'],
    ["5g:1", '--link must be made of lan, lte-m, nb-iot, not "5g"'],
    ["lan:0", '--link must be name:share,name:share with shares above 0, not "lan:0"'],
    ["lan:x", '--link must be name:share,name:share with shares above 0, not "lan:x"'],
    ["lan:1:2", '--link must be name:share,name:share with shares above 0, not "lan:1:2"'],
    ["lan:1,lan:2", '--link must be a mix that has each name once, not "lan"'],
  ])("refuses %j", (text, message) => expect(() => mixOf("--link", NAMES)(text)).toThrow(message));
});
