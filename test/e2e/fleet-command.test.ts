/** Whole load tests through the program: what a person types, sees, and gets as files and exit status. */
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FleetReport } from "../../device/fleet/fleet-report.ts";
import { runOtastream } from "../support/otastream-process.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "otastream-fleet-e2e-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs a fleet and reads its whole report. */
async function runFleet(name: string, flags: readonly string[]) {
  const path = join(directory, `${name}.json`);
  const run = await runOtastream(["fleet", "--report", path, ...flags]);
  expect(run.stderr).toContain(`report written to ${path}`);
  const report = JSON.parse(await readFile(path, "utf8")) as FleetReport;
  return { ...run, report };
}

function expectAllDone({ status, report }: { status: number | null; report: FleetReport }, devices: number): void {
  expect(report.failures).toEqual([]);
  expect(report).toMatchObject({ schemaVersion: 1, devices, completed: devices, failed: 0, interrupted: false });
  expect(status).toBe(0);
}

describe("a fleet with a server of its own", () => {
  it("ends in a summary, a report and a page, and leaves no temporary files", async () => {
    const html = join(directory, "page.html");
    const temporary = await mkdtemp(join(directory, "tmp-"));
    const path = join(directory, "whole.json");
    const flags = ["--devices", "20", "--size", "50000", "--seed", "7", "--assert", "p99<60s", "--assert", "failed=0"];
    const run = await runOtastream(["fleet", ...flags, "--report", path, "--html", html], {
      env: { TMPDIR: temporary },
    });
    const report = JSON.parse(await readFile(path, "utf8")) as FleetReport;
    expectAllDone({ ...run, report }, 20);
    expect(run.stdout).toMatch(/^devices {6}20 of 20 completed and verified, 0 failed\ntime /);
    expect(run.stdout).toMatch(/\nrepeat {7}otastream fleet --devices 20 .*--seed 7/);
    expect(report).toMatchObject({ seed: 7, plan: { together: false, streamId: "fleet" }, redundancy: 1, limits: [] });
    for (const field of ["seconds", "megabytesPerSecond", "p50Ms", "p99Ms", "peakBytesPerDevice"] as const) {
      expect(report[field], field).toBeGreaterThan(0);
    }
    expect(report.server?.peakBytes).toBeGreaterThan(0);
    expect(await readFile(html, "utf8")).toMatch(/^<!doctype html>/i);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("prints one line of JSON and nothing else with --json", async () => {
    const { status, stdout, stderr } = await runOtastream(["fleet", "--devices", "2", "--size", "1", "--json"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({ devices: 2, completed: 2 });
  });

  it.each<[string, readonly string[]]>([
    ["two processes that begin together", ["--processes", "2", "--together", "--ramp", "40"]],
    ["the real library, in JSON", ["--connection", "mqttjs", "--format", "json", "--together"]],
    ["a disk", ["--store", "disk", "--together"]],
    [
      "every client",
      ["--client", "otastream,ota-v3.4,file-streams-cbor,file-streams-json,sliding-bitmap,offset-only", "--together"],
    ],
    ["a link with faults", ["--link", "lan", "--loss", "5%", "--duplicate", "5%", "--disconnect-every", "300ms"]],
  ])("brings all home: %s", async (name, flags) => {
    const run = await runFleet(name.replaceAll(/\W/g, "-"), ["--devices", "12", "--size", "70000", ...flags]);
    expectAllDone(run, 12);
    if (!flags.includes("--together")) return;
    // All from one moment, and connected before it.
    expect(new Set(run.report.perDevice.map(({ startedMs }) => startedMs)).size).toBeLessThanOrEqual(2);
    for (const { connectedMs, startedMs } of run.report.perDevice) expect(connectedMs).toBeLessThanOrEqual(startedMs);
    expect(run.stdout).toContain(" since all began together");
  });

  it("keeps the images of a disk where it is told", async () => {
    const out = join(directory, "images");
    const run = await runFleet("disk", ["--devices", "2", "--size", "9000", "--store", "disk", "--out", out]);
    expectAllDone(run, 2);
    for (const { thing } of run.report.perDevice) {
      expect((await stat(join(out, thing, "fleet", "0"))).size).toBe(9000);
    }
  });

  it("brings 2,000 devices home", async () => {
    const run = await runFleet("many", ["--devices", "2000", "--size", "65536", "--together"]);
    expectAllDone(run, 2000);
    expect(run.report.timeline.some(({ connected }) => connected === 2000)).toBe(true);
  });
});

describe("a fleet's exit status", () => {
  it("is 1 when an assertion does not hold, and says which", async () => {
    const flags = ["--devices", "2", "--size", "1", "--assert", "p99<1ms", "--assert", "completed=100%"];
    const { status, stderr } = await runOtastream(["fleet", ...flags]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/otastream: p99<1ms does not hold: p99 is [\d.]+ ms\n/);
    expect(stderr).not.toContain("completed=100%");
  });

  it.each<[string, readonly string[]]>([
    ["must be 1, not 2", ["--virtual", "--processes", "2"]],
    ["does not fit", ["--devices", "1000000"]],
    ["known figures are", ["--assert", "speed>1"]],
    ["cannot be written", ["--report", "/nowhere/report.json"]],
    ["--out /proc/nowhere cannot be written", ["--store", "disk", "--out", "/proc/nowhere"]],
    ["--out /dev/null/x cannot be written", ["--store", "disk", "--out", "/dev/null/x"]],
    ["it is not a regular file", ["--file", "/"]],
  ])("is not 0 for what is refused: %s", async (message, flags) => {
    const { status, stderr, stdout } = await runOtastream(["fleet", ...flags]);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
    expect([1, 2]).toContain(status);
  });
});

describe("a virtual fleet", () => {
  it("writes the same report twice, byte for byte", async () => {
    const path = join(directory, "virtual.json");
    const flags = ["--virtual", "--devices", "60", "--size", "100000", "--link", "lte-m:70,nb-iot:30", "--seed", "9"];
    const faults = [
      "--loss",
      "5%",
      "--reboot-every",
      "60s",
      "--disconnect-every",
      "20s",
      "--corrupt",
      "1%",
      "--ramp",
      "30",
    ];
    const reports: string[] = [];
    for (let run = 0; run < 2; run++) {
      expect((await runOtastream(["fleet", ...flags, ...faults, "--report", path])).status).toBe(0);
      reports.push(await readFile(path, "utf8"));
    }
    expect(reports[1]).toBe(reports[0]);
    const { faults: struck } = JSON.parse(reports[0] as string) as FleetReport;
    for (const name of ["drop", "reboot", "disconnect", "corrupt"]) expect(struck[name], name).toBeGreaterThan(0);
  });

  it("brings 1,000 devices home through bad links, reboots and disconnects, with the simulator's redundancy", async () => {
    const faults = ["--loss", "4.35%", "--reboot-every", "10m", "--disconnect-every", "5m"];
    const flags = ["--virtual", "--devices", "1000", "--link", "lte-m:70,nb-iot:30", "--seed", "1", ...faults];
    const run = await runFleet("thousand", flags);
    expectAllDone(run, 1000);
    // docs/SIMULATION.md has 1.0533 for 5 % in all; these links lose 0.65 % themselves.
    expect(run.report.redundancy).toBeGreaterThan(1.0533 * 0.9);
    expect(run.report.redundancy).toBeLessThan(1.0533 * 1.1);
  });
});
