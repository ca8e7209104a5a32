/** `npm run sim`: runs seeds of the simulator on all cores, or one seed with a full trace. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { readToolFlags, readToolNumber, readToolSeed } from "../support/tool-flags.ts";
import { FAULT_CLASSES, type FaultClass } from "./faults.ts";
import { runScenario, type ScenarioOutcome } from "./scenario.ts";

const HELP = `npm run sim -- [options]
  --seeds N             how many seeds, 1000 by default
  --first N             the first of them, 1 by default
  --workers N           threads, one for each processor by default
  --stop-at-violation   end with the first seed that fails
  --seed 0xHEX          replay this one with a full trace
`;
const MOST_SEED = 0xffff_ffff;

const values = readToolFlags(HELP, {
  seeds: { type: "string", default: "1000" },
  first: { type: "string", default: "1" },
  seed: { type: "string" },
  "stop-at-violation": { type: "boolean", default: false },
  workers: { type: "string", default: `${availableParallelism()}` },
});

const replayed = readToolSeed(values.seed, HELP);
if (replayed === undefined) {
  const first = readToolNumber("--first", values.first, { least: 0, most: MOST_SEED, help: HELP });
  const seeds = readToolNumber("--seeds", values.seeds, { least: 1, most: MOST_SEED - first, help: HELP });
  await runMany(first, seeds, readToolNumber("--workers", values.workers, { least: 1, most: 256, help: HELP }));
} else {
  await replay(replayed);
}

async function replay(seed: number): Promise<void> {
  const outcome = await runScenario(seed, (line) => process.stdout.write(`${line}\n`));
  for (const violation of outcome.violations) process.stdout.write(`VIOLATION ${violation}\n`);
  process.stdout.write(`seed ${formatSeed(seed)}: ${outcome.violations.length} violations\n`);
  process.exitCode = outcome.violations.length === 0 ? 0 : 1;
}

async function runMany(first: number, count: number, workerCount: number): Promise<void> {
  const startedAt = performance.now();
  const totals = Object.fromEntries(FAULT_CLASSES.map((name) => [name, 0])) as Record<FaultClass, number>;
  const tally = { seeds: 0, devices: 0, blocks: 0, failed: 0 };
  const take = (outcome: ScenarioOutcome): void => {
    tally.seeds++;
    tally.devices += outcome.devices;
    tally.blocks += outcome.blocks;
    for (const name of FAULT_CLASSES) totals[name] += outcome.faults[name];
    if (outcome.violations.length > 0) {
      tally.failed++;
      process.stdout.write(`seed ${formatSeed(outcome.seed)}: ${outcome.violations[0]}\n`);
      process.stdout.write(`  replay: npm run sim -- --seed ${formatSeed(outcome.seed)}\n`);
      if (values["stop-at-violation"]) process.exit(1);
    }
    if (tally.seeds % 1000 === 0) process.stdout.write(`${tally.seeds} of ${count} seeds\n`);
  };
  await Promise.all(
    Array.from({ length: workerCount }, (_, index) => runWorker(first + index, first + count, workerCount, take)),
  );
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  for (const name of FAULT_CLASSES) process.stdout.write(`${name.padEnd(18)} ${totals[name]}\n`);
  const missing = FAULT_CLASSES.filter((name) => totals[name] === 0);
  if (missing.length > 0) process.stdout.write(`never injected: ${missing.join(", ")}\n`);
  process.stdout.write(
    `${tally.seeds} seeds, ${tally.devices} devices, ${tally.blocks} blocks asked of them, ${tally.failed} seeds failed, ${seconds} s\n`,
  );
  process.exitCode = tally.failed === 0 && missing.length === 0 ? 0 : 1;
}

/** Runs every `step`th seed in a thread of its own. */
function runWorker(from: number, end: number, step: number, take: (outcome: ScenarioOutcome) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: { from, end, step } });
    worker.on("message", take);
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });
}

function formatSeed(seed: number): string {
  return `0x${seed.toString(16)}`;
}
