/** The report of a fleet: figures from several processes, limits in words, failures by cause. */
import { describe, expect, it } from "vitest";
import type { DeviceOutcome, FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import { buildReport, type FleetReport } from "../../device/fleet/fleet-report.ts";
import { makeFixture } from "../support/fleet-report-fixture.ts";

const fixture = makeFixture({ seed: 1, devices: 4, processes: 2 });
const [first, second] = fixture.outcomes as [FleetOutcome, FleetOutcome];
const sample = first.devices[0] as DeviceOutcome;

function device(thing: string, more: Partial<DeviceOutcome> = {}): DeviceOutcome {
  return { ...sample, thing, startedMs: 100, endedMs: 1100, blocks: 10, bytes: 1000, sentBytes: 1100, ...more };
}

function withoutEnd({ endedMs: _, ...rest }: DeviceOutcome): DeviceOutcome {
  return rest;
}

/** A report of processes that are like the first of the fixture in all that is not given. */
function reportOf(parts: readonly Partial<FleetOutcome>[], devices?: number, interrupted = false): FleetReport {
  const outcomes = parts.map((part) => ({ ...first, timeline: [], heat: [], cpuMs: 500, durationMs: 2100, ...part }));
  const count = devices ?? outcomes.reduce((sum, outcome) => sum + outcome.devices.length, 0);
  return buildReport({ ...fixture.plan, devices: count }, outcomes, { ...fixture.facts, interrupted });
}

describe("a report's figures", () => {
  it("are those of all devices", () => {
    const failure = { code: "NoProgress", message: "no block arrived" } as const;
    const report = reportOf([
      { devices: [device("fleet-0"), device("fleet-2", { endedMs: 2100, sentBytes: 1300 })] },
      { devices: [device("fleet-1", { endedMs: 600 }), device("fleet-3", { failure, bytes: 500, sentBytes: 500 })] },
    ]);
    expect(report).toMatchObject({
      devices: 4,
      completed: 3,
      failed: 1,
      redundancy: Number((4000 / 3500).toPrecision(6)),
      seconds: 2,
      megabytesPerSecond: 0.0015,
      p50Ms: 1000,
      p99Ms: 2000,
      generatorCpuShares: [0.238095, 0.238095],
      generatorMicrosecondsPerBlock: 25_000,
    });
    expect(report.perDevice.map(({ thing }) => thing)).toEqual(["fleet-0", "fleet-1", "fleet-2", "fleet-3"]);
  });

  it("leave out what was on its way to devices that were cut short", () => {
    const failure = { code: "Unfinished", message: "cut" } as const;
    const cut = device("fleet-1", { failure, bytes: 100, sentBytes: 900 });
    expect(reportOf([{ devices: [device("fleet-0"), cut] }]).redundancy).toBe(1.1);
    expect(reportOf([{ devices: [cut] }]).redundancy).toBeNull();
  });

  it("count from the moment when all began together", () => {
    const failure = { code: "BrokerUnreachable", message: "refused" } as const;
    const together = { releasedMs: 1100, cpuMs: 500 };
    const began = { startedMs: 1100, connectedMs: 300, endedMs: 1600 };
    const report = reportOf([
      { ...together, devices: [device("fleet-0", began), device("fleet-2", { failure, startedMs: 0, endedMs: 5 })] },
      { ...together, devices: [device("fleet-1", { ...began, endedMs: 2100 })] },
    ]);
    expect(report).toMatchObject({ seconds: 1, p50Ms: 500, p99Ms: 1000, generatorCpuShares: [0.5, 0.5], failed: 1 });
  });

  it("order devices by number, not by name, whatever the number of processes", () => {
    const things = ["fleet-10", "fleet-9", "other", "fleet-100"];
    const report = reportOf(things.map((thing) => ({ devices: [device(thing)] })));
    expect(report.perDevice.map(({ thing }) => thing)).toEqual(["fleet-9", "fleet-10", "fleet-100", "other"]);
  });

  it("are null where there is nothing to measure", () => {
    const failure = { code: "BrokerUnreachable", message: "refused" } as const;
    const report = reportOf([{ devices: [device("fleet-0", { failure, bytes: 0, sentBytes: 0, blocks: 0 })] }]);
    expect(report).toMatchObject({ redundancy: null, p50Ms: null, p99Ms: null, generatorMicrosecondsPerBlock: null });
    const nothing = reportOf([], 3);
    expect(nothing).toMatchObject({ completed: 0, failed: 3, seconds: 0, megabytesPerSecond: 0, timeline: [] });
  });

  it("give memory over the idle size of all processes", () => {
    const memory = { idleBytes: 1000, peakBytes: 5000 };
    const devices = [device("fleet-0")];
    expect(
      reportOf([
        { memory, devices },
        { memory, devices: [device("fleet-1")] },
      ]).peakBytesPerDevice,
    ).toBe(4000);
  });

  it("leave out what a virtual clock does not have, and what differs from machine to machine", () => {
    const virtual = makeFixture({ seed: 1, devices: 4, isVirtual: true });
    const report = buildReport(virtual.plan, virtual.outcomes, virtual.facts);
    expect(report).toMatchObject({ peakBytesPerDevice: null, generatorMicrosecondsPerBlock: null });
    expect(report.generatorCpuShares).toEqual([]);
    expect(report).not.toHaveProperty("machine");
  });

  it("name neither the broker's URL nor a directory", () => {
    const plan = { ...fixture.plan, diskDirectory: "/tmp/images" };
    const text = JSON.stringify(buildReport(plan, fixture.outcomes, fixture.facts));
    expect(text).not.toContain("secret");
    expect(text).not.toContain("/tmp/images");
  });

  it("are the same to the byte for the same input", () => {
    const build = (): string => {
      const made = makeFixture({ seed: 5, devices: 300, processes: 3, failing: 0.1 });
      return JSON.stringify(buildReport(made.plan, made.outcomes, made.facts));
    };
    expect(build()).toBe(build());
  });

  it("sum the faults of all processes, by name", () => {
    const report = reportOf([{ faults: { reboot: 1, loss: 2 } }, { faults: { loss: 3, disconnect: 4 }, devices: [] }]);
    expect(JSON.stringify(report.faults)).toBe('{"disconnect":4,"loss":5,"reboot":1}');
  });

  it("show the slowest of all processes, those that did not end by how long they tried", () => {
    const row = (thing: string) => ({ thing, cellsMs: [1] });
    const report = reportOf([
      { devices: [device("fleet-0"), device("fleet-2", { endedMs: 1500 })], heat: [row("fleet-2"), row("fleet-0")] },
      { devices: [withoutEnd(device("fleet-1"))], heat: [row("fleet-1")] },
    ]);
    expect(report.heat.map(({ thing }) => thing)).toEqual(["fleet-1", "fleet-2", "fleet-0"]);
  });
});

describe("limits", () => {
  it("name the generator when it used more than 90 % of a core", () => {
    const devices = [device("fleet-0")];
    expect(reportOf([{ devices, cpuMs: 2037 }]).limits).toEqual([
      "the generator was the bottleneck: it used 97 % of its core; use --processes 2 or fewer devices",
    ]);
    expect(reportOf([{ devices, cpuMs: 1890 }]).limits).toEqual([]);
    expect(reportOf([{ devices, cpuMs: 2037 }, { devices: [] }]).limits).toEqual([
      "the generator was the bottleneck: 1 of its 2 processes used more than 90 % of a core (97 %); use --processes 3 or fewer devices",
    ]);
  });

  it("name the server of the run's own, and what went wrong with its processes", () => {
    const server = { cpuMs: 1995, idleBytes: 0, peakBytes: 0 };
    const facts = { ...fixture.facts, server, incidents: ["generator process 2 of 2 ended early, by SIGKILL"] };
    expect(
      buildReport({ ...fixture.plan, devices: 1 }, [{ ...first, cpuMs: 0, durationMs: 2100 }], facts).limits,
    ).toEqual([
      "generator process 2 of 2 ended early, by SIGKILL",
      "the server was the bottleneck: it used 95 % of a core",
    ]);
  });

  it("tell what ran out once", () => {
    const exhausted = ["local ports: 28,232 of 28,232 in use"];
    expect(reportOf([{ exhausted }, { exhausted, devices: [] }]).limits).toEqual(exhausted);
  });

  it("tell of an interruption and of devices that nobody speaks of", () => {
    const failure = { code: "Unfinished", message: "the run ended first" } as const;
    const devices = [device("fleet-0"), withoutEnd(device("fleet-2", { failure }))];
    expect(reportOf([{ devices }], 4, true)).toMatchObject({
      failed: 3,
      limits: [
        "the run was interrupted: 1 of 4 devices had not ended",
        "2 of 4 devices are not reported: their process ended early; they count as failed",
      ],
      failures: [
        { code: "Unreported", count: 2, things: ["fleet-1", "fleet-3"] },
        { code: "Unfinished", count: 1, things: ["fleet-2"] },
      ],
    });
  });
});

describe("failures", () => {
  it("are grouped by code, the most frequent first, with one message and 20 names", () => {
    const failed = (index: number, code: "NoProgress" | "DigestMismatch"): DeviceOutcome =>
      device(`fleet-${index}`, { failure: { code, message: `${code} of ${index}` } });
    const devices = Array.from({ length: 25 }, (_, index) =>
      failed(index, index === 0 ? "DigestMismatch" : "NoProgress"),
    );
    const { failures } = reportOf([{ devices }]);
    expect(failures.map(({ code, count, message }) => ({ code, count, message }))).toEqual([
      { code: "NoProgress", count: 24, message: "NoProgress of 1" },
      { code: "DigestMismatch", count: 1, message: "DigestMismatch of 0" },
    ]);
    expect(failures[0]?.things).toEqual(Array.from({ length: 20 }, (_, index) => `fleet-${index + 1}`));
  });
});

describe("a fixture of two processes", () => {
  it("ends in the timeline as its devices did", () => {
    const report = buildReport(fixture.plan, fixture.outcomes, fixture.facts);
    const bytes = [...first.devices, ...second.devices].reduce((sum, { bytes }) => sum + bytes, 0);
    expect(report.timeline.at(-1)).toMatchObject({ done: 4, failed: 0, bytes });
  });
});
