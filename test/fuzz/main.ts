/** The fuzzer as a program: `npm run fuzz -- --requests 1000000 [--seed 0x1] [--profile strict] [--broker URL --stream ID]`. */
import { systemRandom } from "../../shared/random.ts";
import { readToolFlags, readToolNumber, readToolSeed, refuseFlags } from "../support/tool-flags.ts";
import { type FuzzOptions, type FuzzResult, fuzzDirectly, type Violation } from "./direct-run.ts";
import { measureHeld } from "./held-memory.ts";
import { fuzzOverWire } from "./wire-run.ts";

const HELP = `npm run fuzz -- [options]
  --requests N     how many requests, 1000000 by default (10000 with --broker)
  --seed 0xHEX     the seed; a random one by default
  --profile NAME   lenient (the default) or strict
  --broker URL     over the wire, to any server behind this broker, with --stream ID of a stream that it serves
`;

/** How much more may be held at the end than after a fifth of the run. */
const MOST_GROWTH_BYTES = 4 * 1024 * 1024;
const PROGRESS_STEPS = 20;

const flags = readToolFlags(HELP, {
  requests: { type: "string" },
  seed: { type: "string" },
  profile: { type: "string", default: "lenient" },
  broker: { type: "string" },
  stream: { type: "string" },
});

async function run(): Promise<number> {
  const { broker, stream, profile } = flags;
  const usual = broker === undefined ? "1000000" : "10000";
  const bounds = { least: 1, most: Number.MAX_SAFE_INTEGER, help: HELP };
  const requests = readToolNumber("--requests", flags.requests ?? usual, bounds);
  const seed = readToolSeed(flags.seed, HELP) ?? systemRandom.uint32();
  if (profile !== "lenient" && profile !== "strict") {
    return refuseFlags(`--profile must be lenient or strict, not "${profile}"`, HELP);
  }
  if ((broker === undefined) !== (stream === undefined))
    return refuseFlags("--broker needs --stream, and it --broker", HELP);
  const target = broker === undefined ? "" : ` --broker ${broker} --stream ${stream}`;
  const command = (count: number): string =>
    `npm run fuzz -- --requests ${count} --seed 0x${seed.toString(16)} --profile ${profile}${target}`;
  process.stdout.write(`${command(requests)}\n`);
  const startedMs = performance.now();
  const growth = new GrowthWatch(requests);
  const onProgress = async (done: number): Promise<void> => {
    await growth.look(done);
    reportProgress(done, requests, startedMs);
  };
  const options: FuzzOptions = { requests, seed, profile, onProgress };
  const result =
    broker === undefined || stream === undefined
      ? await fuzzDirectly(options)
      : await fuzzOverWire({ ...options, brokerUrl: broker, streamId: stream });
  report(result);
  if (result.violation !== undefined) {
    reportViolation(result.violation, command);
    return 1;
  }
  // Over the wire, what is held here is not the server's.
  if (broker !== undefined) return 0;
  const { grownBytes } = growth;
  process.stdout.write(
    `held memory: ${formatMiB(growth.earlyBytes)} at 20 %, ${formatMiB(growth.lateBytes)} at the end\n`,
  );
  if (grownBytes <= MOST_GROWTH_BYTES) return 0;
  process.stdout.write(`FAILED: memory grew by ${formatMiB(grownBytes)}; replay: ${command(requests)}\n`);
  return 1;
}

/** Looks at what is held after a fifth of a run and at its end. */
class GrowthWatch {
  earlyBytes = 0;
  lateBytes = 0;
  private readonly requests: number;

  constructor(requests: number) {
    this.requests = requests;
  }

  get grownBytes(): number {
    return this.lateBytes - this.earlyBytes;
  }

  async look(done: number): Promise<void> {
    if (this.earlyBytes === 0 && done >= this.requests / 5) this.earlyBytes = await measureHeld();
    if (done >= this.requests) this.lateBytes = await measureHeld();
  }
}

let nextReport = 0;

function reportProgress(done: number, requests: number, startedMs: number): void {
  if (done < nextReport) return;
  nextReport += requests / PROGRESS_STEPS;
  const seconds = (performance.now() - startedMs) / 1000;
  const percent = Math.floor((100 * done) / requests);
  process.stdout.write(`${percent} %: ${done} requests, ${Math.round(done / seconds)} a second\n`);
}

function report({ outcomes }: FuzzResult): void {
  const rows = [...outcomes].sort(([left], [right]) => left.localeCompare(right));
  for (const [name, count] of rows) process.stdout.write(`${String(count).padStart(9)}  ${name}\n`);
  const totals = new Map<string, number>();
  for (const [name, count] of rows) {
    const outcome = name.slice(name.indexOf(": ") + 2);
    totals.set(outcome, (totals.get(outcome) ?? 0) + count);
  }
  process.stdout.write("in all:\n");
  for (const [name, count] of totals) process.stdout.write(`${String(count).padStart(9)}  ${name}\n`);
}

function reportViolation({ index, request, what }: Violation, command: (count: number) => string): void {
  const { topic, payload, origin } = request;
  process.stdout.write(`FAILED at request ${index}, ${origin}: ${what}\n`);
  process.stdout.write(`  topic ${JSON.stringify(topic)}\n  payload ${Buffer.from(payload).toString("hex")}\n`);
  process.stdout.write(`replay: ${command(index + 1)}\n`);
}

function formatMiB(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(2)} MiB`;
}

process.exitCode = await run();
