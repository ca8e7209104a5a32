/** Fleets that do not end by themselves, or not well: signals, killed processes, brokers that are not there. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { FleetReport } from "../../device/fleet/fleet-report.ts";
import { systemClock } from "../../shared/clock.ts";
import { makeFile } from "../support/broker.ts";
import {
  descendantsOf,
  isRunning,
  killLeftovers,
  OtastreamProcess,
  runOtastream,
} from "../support/otastream-process.ts";
import { startRunningServer } from "../support/running-server.ts";

let directory: string;
let temporary: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "otastream-fleet-end-"));
});
afterEach(killLeftovers);
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Devices too slow to end by themselves within the test. */
const SLOW = ["--devices", "8", "--bandwidth", "10kB", "--size", "500000"];

async function startFleet(flags: readonly string[]): Promise<OtastreamProcess> {
  temporary = await mkdtemp(join(directory, "tmp-"));
  return new OtastreamProcess(["fleet", ...flags], { env: { TMPDIR: temporary } });
}

/** The short report of a fleet with `--json`. */
function reportOf(stdout: string): FleetReport {
  return JSON.parse(stdout) as FleetReport;
}

/** Polls, without a limit of its own: the test's is enough. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => systemClock.setTimer(20, resolve));
}

/** Waits for the processes of a fleet: its server and its generators. */
async function untilRunning(fleet: OtastreamProcess, count: number): Promise<number[]> {
  await until(() => descendantsOf(fleet.pid).length >= count);
  return descendantsOf(fleet.pid);
}

async function expectGone(pids: readonly number[]): Promise<void> {
  await until(() => !pids.some(isRunning));
}

describe("a signal", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("%s ends a fleet with its report", async (signal) => {
    const fleet = await startFleet(SLOW);
    await fleet.stderrLine(/ 8 downloading/);
    const pids = descendantsOf(fleet.pid);
    const { status, stdout, stderr } = await fleet.stop(signal);
    expect(status).toBe(130);
    expect(stdout).toMatch(/^devices {6}0 of 8 completed and verified, 0 failed, 8 unfinished\n/);
    expect(stdout).toContain("limit        the run was interrupted: 8 of 8 devices had not ended\n");
    expect(stdout).not.toMatch(/^failed /m);
    expect(stderr).not.toContain("devices failed");
    await expectGone(pids);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("counts devices that never began as unfinished, once", async () => {
    const fleet = await startFleet(["--devices", "8", "--size", "1", "--ramp", "1"]);
    await fleet.stderrLine(/ [1-7] of 8 done/);
    const { status, stdout } = await fleet.stop("SIGINT");
    expect(status).toBe(130);
    const [, done, unfinished] = /^devices {6}(\d) of 8 .* 0 failed, (\d) unfinished\n/.exec(stdout) ?? [];
    expect(Number(done) + Number(unfinished)).toBe(8);
  });

  it("ends a fleet whose server has not started yet", async () => {
    const fleet = await startFleet([...SLOW, "--json"]);
    const pids = await untilRunning(fleet, 1);
    const { status, stdout } = await fleet.stop("SIGINT");
    expect(status).toBe(130);
    expect(reportOf(stdout)).toMatchObject({ completed: 0, failed: 8, interrupted: true });
    await expectGone(pids);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("ends a virtual fleet", async () => {
    const fleet = await startFleet(["--virtual", "--devices", "3000", "--link", "nb-iot", "--size", "4000000"]);
    await fleet.stderrLine(/ downloading/);
    const { status, stdout } = await fleet.stop("SIGINT");
    expect(status).toBe(130);
    expect(stdout).toContain("limit        the run was interrupted: 3000 of 3000 devices had not ended\n");
  });

  it("ends everything at once when it comes twice", async () => {
    const fleet = await startFleet(SLOW);
    await fleet.stderrLine(/ 8 downloading/);
    const pids = descendantsOf(fleet.pid);
    expect(pids).toHaveLength(2);
    // Neither can answer: the report does not come.
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    fleet.child.kill("SIGINT");
    fleet.child.kill("SIGTERM");
    const { status, stdout } = await fleet.ended;
    expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
    await expectGone(pids);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("SIGKILL leaves no process behind", async () => {
    const fleet = await startFleet([...SLOW, "--processes", "2"]);
    await fleet.stderrLine(/ 8 downloading/);
    const pids = descendantsOf(fleet.pid);
    expect(pids).toHaveLength(3);
    await fleet.stop("SIGKILL");
    await expectGone(pids);
  });
});

describe("a process that is killed", () => {
  it("costs its own devices and not the others' report", async () => {
    const flags = ["--devices", "8", "--bandwidth", "20kB", "--size", "100000", "--processes", "2", "--together"];
    const fleet = await startFleet(flags);
    await fleet.stderrLine(/ 8 downloading/);
    process.kill(Math.max(...descendantsOf(fleet.pid)), "SIGKILL");
    const { status, stdout } = await fleet.ended;
    expect(status).toBe(1);
    expect(stdout).toMatch(/^devices {6}4 of 8 completed and verified, 4 failed\n/);
    expect(stdout).toMatch(/^failed {7}4 x Unreported: /m);
    expect(stdout).toMatch(/^limit {8}generator process [12] of 2 ended early, by SIGKILL$/m);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("is told of, and ends the run, when it was gone before the run began", async () => {
    const fleet = await startFleet(["--devices", "4", "--size", "1000", "--processes", "2"]);
    const pids = await untilRunning(fleet, 3);
    process.kill(Math.max(...pids), "SIGKILL");
    const { status, stdout } = await fleet.ended;
    expect(status).toBe(1);
    expect(stdout).toMatch(/^limit {8}generator process [12] of 2 ended early, by SIGKILL$/m);
    await expectGone(pids);
  });

  it("ends the run when it is the server", async () => {
    const fleet = await startFleet(SLOW);
    await fleet.stderrLine(/ 8 downloading/);
    process.kill(Math.min(...descendantsOf(fleet.pid)), "SIGKILL");
    const { status, stdout } = await fleet.ended;
    expect(status).toBe(1);
    expect(stdout).toContain("limit        the run's own server ended early, by SIGKILL: nothing could go on\n");
    expect(stdout).toMatch(/^unfinished {3}8 x Unfinished: /m);
  });
});

describe("somebody's broker", () => {
  it.each(["lean", "mqttjs"])("is one failure when it is not there, connection %s", async (connection) => {
    const flags = ["firmware", "--broker", "mqtt://127.0.0.1:1", "--devices", "5000", "--connection", connection];
    const { status, stdout, stderr } = await runOtastream(["fleet", ...flags]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^otastream: cannot reach the broker .*ECONNREFUSED.*\(BrokerUnreachable\)\n$/);
  });

  it("serves a stream, and a stream that it does not have is told of once", async () => {
    const server = await startRunningServer();
    try {
      await server.publish("firmware", [makeFile(70_000)]);
      const flags = ["--broker", server.urls.mqtt, "--devices", "6", "--json"];
      const found = await runOtastream(["fleet", "firmware", ...flags]);
      expect(found.status).toBe(0);
      expect(reportOf(found.stdout)).toMatchObject({ completed: 6, redundancy: 1 });
      const lost = await runOtastream(["fleet", "nothing", ...flags]);
      expect(lost.status).toBe(1);
      const { failures } = reportOf(lost.stdout);
      expect(failures).toMatchObject([{ code: "StreamNotFound", count: 6 }]);
      expect((await runOtastream(["fleet", "nothing", ...flags, "--allow-failures", "6"])).status).toBe(0);
    } finally {
      await server.close();
    }
  });
});
