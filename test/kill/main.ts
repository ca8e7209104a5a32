/** Kills as a program: `npm run kill-test -- --kills 200 [--seed 0x1]`: SIGKILL to a real `download`, at random, until it must have failed. */
import { systemRandom } from "../../shared/random.ts";
import { readToolFlags, readToolNumber, readToolSeed } from "../support/tool-flags.ts";
import { countKills, DURABLE_DISTANCE_BYTES, type KilledDownload, runKills } from "./kill-run.ts";

const BLOCK_BYTES = 4096;

const HELP = `npm run kill-test -- [options]
  --kills N      how many, 200 by default
  --seed 0xHEX   the seed; a random one by default
`;
const flags = readToolFlags(HELP, { kills: { type: "string", default: "200" }, seed: { type: "string" } });

process.exitCode = await run();

async function run(): Promise<number> {
  const kills = readToolNumber("--kills", flags.kills, { least: 1, most: 1_000_000, help: HELP });
  const seed = readToolSeed(flags.seed, HELP) ?? systemRandom.uint32();
  say(`seed 0x${seed.toString(16)}`);
  const startedAt = performance.now();
  const layout = { sizeBytes: 2_097_152 - 1000, blockSizeBytes: BLOCK_BYTES, mostBlocksPerRun: 90 };
  const downloads = await runKills({ kills, seed, ...layout, report: say });
  say(`${summarise(downloads)}, ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  const faults = downloads.filter(({ fault }) => fault !== undefined);
  if (faults.length > 0)
    say(
      `${faults.length} downloads failed; again: npm run kill-test -- --kills ${kills} --seed 0x${seed.toString(16)}`,
    );
  return faults.length === 0 ? 0 : 1;
}

function summarise(downloads: readonly KilledDownload[]): string {
  const killed = downloads.flatMap(({ runs }) => runs.filter(({ wasKilled }) => wasKilled));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const twice = killed.map(({ askedTwice }) => askedTwice);
  const lost = killed.map(({ lostBlocks }) => lostBlocks);
  const windows = killed.map(({ windowBlocks }) => windowBlocks);
  const again = sum(downloads.flatMap(({ runs }) => runs.map(({ askedAgain }) => askedAgain)));
  const distanceBlocks = DURABLE_DISTANCE_BYTES / BLOCK_BYTES;
  const bound = sum(windows) + killed.length * distanceBlocks;
  return (
    `${countKills(downloads)} kills in ${downloads.length} downloads: ${sum(twice)} blocks asked for again after a kill` +
    ` (bound ${bound}: ${distanceBlocks} and a window for each), at most ${Math.max(0, ...twice)} for one kill;` +
    ` ${sum(lost)} of them had arrived, at most ${Math.max(0, ...lost)} for one kill;` +
    ` windows of up to ${Math.max(0, ...windows)} blocks; ${again} asked for again within a run`
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
