/** A generator process: runs one slice of a fleet, tells how far it is, and ends with the process that started it. */
import { systemProbe } from "../../device/fleet/process-probe.ts";
import { runFleet } from "../../device/fleet/run-fleet.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { openLog } from "../terminal.ts";
import type { FromGenerator, ToGenerator } from "./generator-messages.ts";

const idleBytes = systemProbe.residentBytes();
const stop = new AbortController();
const begin = Promise.withResolvers<void>();

// Ctrl-C reaches the whole group; the command decides, so that the report is not lost.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => stop.abort());
process.on("disconnect", () => process.exit(1));
process.on("message", (message: ToGenerator) => {
  if (message.do === "stop") stop.abort();
  else if (message.do === "begin") begin.resolve();
  else if (message.do === "warmUp") void warmUp(message);
  else void run(message);
});

/** Whatever fails here, the run tells of what fails in it. */
async function warmUp({ plan, rounds }: Extract<ToGenerator, { do: "warmUp" }>): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    const roundPlan = { ...plan, thingPrefix: `${plan.thingPrefix}-${round}` };
    const slice = { part: 0, parts: 1 };
    const options = { slice, clock: systemClock, log: silentLog, signal: stop.signal };
    await runFleet({ ...options, plan: roundPlan }).catch(() => {});
  }
  say({ on: "warm" });
}

async function run({ plan, slice, logLevel }: Extract<ToGenerator, { do: "run" }>): Promise<void> {
  let durationsMs: number[] = [];
  const outcome = await runFleet({
    plan,
    slice,
    clock: systemClock,
    log: openLog(logLevel),
    signal: stop.signal,
    idleBytes,
    onCompleted: (durationMs) => durationsMs.push(durationMs),
    onSnapshot: (snapshot) => {
      say({ on: "snapshot", snapshot, durationsMs });
      durationsMs = [];
    },
    onGathered: () => {
      say({ on: "gathered" });
      return begin.promise;
    },
  });
  say({ on: "outcome", outcome }, () => process.disconnect());
}

function say(message: FromGenerator, sent?: () => void): void {
  process.send?.(message, undefined, undefined, sent);
}
