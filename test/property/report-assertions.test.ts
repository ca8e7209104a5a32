/** Conditions on a report: what they mean, and what is said of those that mean nothing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildReport, type FleetReport } from "../../device/fleet/fleet-report.ts";
import { checkAssertion, parseAssertion } from "../../device/fleet/report-assertions.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { makeFixture } from "../support/fleet-report-fixture.ts";

const fixture = makeFixture({ seed: 1, devices: 3 });
const built = buildReport(fixture.plan, fixture.outcomes, fixture.facts);
const report: FleetReport = {
  ...built,
  devices: 200,
  completed: 198,
  failed: 2,
  redundancy: 1.07,
  seconds: 12.5,
  megabytesPerSecond: 100,
  p50Ms: 500,
  p99Ms: 30_000,
  peakBytesPerDevice: 12_288,
};

function holds(text: string, of: FleetReport = report): boolean {
  return checkAssertion(parseAssertion(text), of).holds;
}

function complaint(text: string): string {
  try {
    parseAssertion(text);
  } catch (error) {
    expect(error).toBeInstanceOf(OtaError);
    expect((error as OtaError).code).toBe("InvalidArgument");
    return (error as OtaError).message;
  }
  throw new Error(`${text} was taken`);
}

describe("an assertion", () => {
  it.each([
    ["p99<30s", false],
    ["p99<=30s", true],
    ["p99 <= 0.5m", true],
    ["p50<500ms", false],
    ["p50=0.5s", true],
    ["p50Ms=500", true],
    ["p99Ms<1m", true],
    ["seconds<=12500ms", true],
    ["seconds=12.5", true],
    ["redundancy<1.1", true],
    ["redundancy<=107%", true],
    ["failed<=3", true],
    ["failed<1%", false],
    ["failed=1%", true],
    ["completed>=99%", true],
    ["completed>=199", false],
    ["megabytesPerSecond>100", false],
    ["megabytesPerSecond>=100", true],
    ["peakBytesPerDevice<12KiB", false],
    ["peakBytesPerDevice<=12KiB", true],
    ["peakBytesPerDevice<0.1MiB", true],
    ["devices=200", true],
  ])("%s: %s", (text, expected) => expect(holds(text)).toBe(expected));

  it("never holds for a figure that the run does not have", () => {
    const bare: FleetReport = { ...report, p50Ms: null, p99Ms: null, redundancy: null, peakBytesPerDevice: null };
    for (const figure of ["p50Ms", "p99Ms", "redundancy", "peakBytesPerDevice"]) {
      for (const comparison of ["<", "<=", ">", ">=", "="]) expect(holds(`${figure}${comparison}0`, bare)).toBe(false);
    }
    expect(checkAssertion(parseAssertion("p99<30s"), bare).message).toBe("p99<30s does not hold: this run has no p99");
  });

  it("is answered with the figure", () => {
    expect(checkAssertion(parseAssertion("p99<30s"), report).message).toBe("p99<30s does not hold: p99 is 30000 ms");
    expect(checkAssertion(parseAssertion("failed<=1%"), report).message).toBe("failed<=1% holds: failed is 2 of 200");
  });

  it("compares as numbers do, whatever the numbers", () => {
    const compare = { "<": (a: number, b: number) => a < b, ">=": (a: number, b: number) => a >= b } as const;
    const operators = fc.constantFrom("<" as const, ">=" as const);
    fc.assert(
      fc.property(fc.nat(), fc.nat(), operators, (value, limit, operator) => {
        expect(holds(`duplicates${operator}${limit}`, { ...report, duplicates: value })).toBe(
          compare[operator](value, limit),
        );
      }),
    );
  });
});

describe("a text that is no assertion", () => {
  it.each([
    ["p98<30s", /names p98; known figures are devices, completed, failed, redundancy, .*p50, p99/],
    ["constructor<1", /names constructor/],
    ["p99<30", /needs a unit: p99 takes ms, s, m$/],
    ["p99<30h", /has the unit h; p99 takes ms, s, m$/],
    ["failed<3s", /has the unit s; failed takes % \(of all devices\)$/],
    ["requests<3s", /has the unit s; requests takes no unit$/],
    ["redundancy<1toString", /has the unit toString; redundancy takes %$/],
    ["p99!30s", /must be a figure, one of < <= > >= =, and a number/],
    ["p99<-1s", /must be a figure/],
    ["", /must be a figure/],
  ])("%j is refused with what is known", (text, expected) => {
    expect(complaint(text)).toMatch(expected);
    expect(complaint(text)).toContain(`--assert ${JSON.stringify(text)}`);
  });

  it("is refused as such, whatever it is", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(parseAssertion(text).text).toBe(text.trim());
        } catch (error) {
          expect(error).toBeInstanceOf(OtaError);
        }
      }),
    );
  });
});
