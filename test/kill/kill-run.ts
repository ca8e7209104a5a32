/** Downloads by a real process that is killed again and again: what each kill costs, and whether every image is right in the end. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Random, randomInteger, seededRandom } from "../../shared/random.ts";
import { killLeftovers, OtastreamProcess } from "../support/otastream-process.ts";
import { startRunningServer } from "../support/running-server.ts";
import { PacedDoor } from "./paced-door.ts";

/** What is killed, and how often. */
export interface KillRunOptions {
  readonly kills: number;
  readonly seed: number;
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  /** A kill comes after so many blocks of its run at most, and after one at least. */
  readonly mostBlocksPerRun: number;
  /** Called with a line for each download. */
  readonly report: (line: string) => void;
}

/** What became of one run of the program. */
export interface ProgramRun {
  /** Blocks that reached the device; for a killed run, at the moment of the kill. */
  readonly deliveredBlocks: number;
  /** The most blocks that were asked for and not delivered at a time: the window of the run. */
  readonly windowBlocks: number;
  /** Blocks that this run asked for and a later one again. */
  askedTwice: number;
  /** Those of them that had reached the device. */
  lostBlocks: number;
  /** Times a block was asked for again within the run. */
  readonly askedAgain: number;
  readonly wasKilled: boolean;
}

/** One download, from its first run to the one that finished it. */
export interface KilledDownload {
  readonly runs: readonly ProgramRun[];
  /** Why it is not as it must be; undefined when all is well. */
  readonly fault: string | undefined;
}

/** How far received blocks may be ahead of what is durable, in bytes: the agent's default. */
export const DURABLE_DISTANCE_BYTES = 131_072;
const BYTES_PER_MS = 2000;
const STREAM_ID = "firmware";
const THING = "killed-device";

/** Downloads until there were so many kills; each download is finished and compared. */
export async function runKills(options: KillRunOptions): Promise<KilledDownload[]> {
  const { kills, seed, sizeBytes, report } = options;
  const random = seededRandom(seed);
  const image = Buffer.from(Uint8Array.from({ length: sizeBytes }, () => random.uint32() & 0xff));
  const server = await startRunningServer();
  const directory = await mkdtemp(join(tmpdir(), "otastream-kill-"));
  try {
    await server.publish(STREAM_ID, [image]);
    const downloads: KilledDownload[] = [];
    for (let left = kills; left > 0; ) {
      const out = join(directory, `${downloads.length}`);
      const download = await killAndFinish({ ...options, random, broker: server.urls.mqtt, out, kills: left, image });
      downloads.push(download);
      left -= countKills([download]);
      report(describeDownload(downloads.length, download));
      await rm(out, { recursive: true, force: true });
    }
    return downloads;
  } finally {
    await killLeftovers();
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** How many runs of some downloads were killed. */
export function countKills(downloads: readonly KilledDownload[]): number {
  return downloads.reduce((sum, { runs }) => sum + runs.filter(({ wasKilled }) => wasKilled).length, 0);
}

interface DownloadUnderFire extends KillRunOptions {
  readonly random: Random;
  readonly broker: string;
  readonly out: string;
  readonly image: Buffer;
}

async function killAndFinish(options: DownloadUnderFire): Promise<KilledDownload> {
  const { kills, random, mostBlocksPerRun, image, out } = options;
  const runs: ProgramRun[] = [];
  /** The run that asked for each block last, and whether it came. */
  const before = new Map<number, { readonly run: ProgramRun; readonly wasDelivered: boolean }>();
  let wasKilled = true;
  while (wasKilled) {
    const killAfter = runs.length < kills ? randomInteger(random, 1, mostBlocksPerRun) : Number.POSITIVE_INFINITY;
    const { run, asked, failure } = await runOnce(options, killAfter);
    for (const [blockId, wasDelivered] of asked) {
      const earlier = before.get(blockId);
      if (earlier !== undefined) earlier.run.askedTwice++;
      if (earlier?.wasDelivered) earlier.run.lostBlocks++;
      before.set(blockId, { run, wasDelivered });
    }
    runs.push(run);
    if (failure !== undefined) return { runs, fault: failure };
    wasKilled = run.wasKilled;
  }
  const copy = await readFile(join(out, STREAM_ID, "0"));
  const isSame = copy.equals(image);
  return { runs, fault: isSame ? findOverrun(runs, options.blockSizeBytes) : "the image in place is not the original" };
}

/** Blocks asked for twice must stay within the durable distance and one window for each kill. */
function findOverrun(runs: readonly ProgramRun[], blockSizeBytes: number): string | undefined {
  const distanceBlocks = DURABLE_DISTANCE_BYTES / blockSizeBytes;
  const index = runs.findIndex(({ askedTwice, windowBlocks }) => askedTwice > distanceBlocks + windowBlocks);
  const run = runs[index];
  if (run === undefined) return undefined;
  return `kill ${index + 1} cost ${run.askedTwice} blocks: more than ${distanceBlocks} and the window of ${run.windowBlocks}`;
}

async function runOnce({ broker, out, blockSizeBytes }: DownloadUnderFire, killAfter: number) {
  /** Each block that was asked for, and whether it was delivered. */
  const asked = new Map<number, boolean>();
  const ahead = new Set<number>();
  const run = { deliveredBlocks: 0, windowBlocks: 0, askedAgain: 0, askedTwice: 0, lostBlocks: 0, wasKilled: false };
  let program: OtastreamProcess | undefined;
  const door = await PacedDoor.open({
    url: broker,
    bytesPerMs: BYTES_PER_MS,
    asked(blockId) {
      if (asked.has(blockId)) run.askedAgain++;
      asked.set(blockId, asked.get(blockId) ?? false);
      ahead.add(blockId);
      run.windowBlocks = Math.max(run.windowBlocks, ahead.size);
    },
    delivered(blockId) {
      if (run.wasKilled) return;
      asked.set(blockId, true);
      ahead.delete(blockId);
      if (++run.deliveredBlocks < killAfter) return;
      run.wasKilled = true;
      program?.child.kill("SIGKILL");
    },
  });
  const flags = ["--broker", door.url, "--thing", THING, "--out", out, "--block-size", `${blockSizeBytes}`, "--json"];
  program = new OtastreamProcess(["download", STREAM_ID, ...flags]);
  const { status, stderr } = await program.ended;
  await door.close();
  // With its last block a quick device may finish before the signal comes.
  if (status === 0) run.wasKilled = false;
  const failure =
    run.wasKilled || status === 0 ? undefined : `the program ended with status ${status}: ${stderr.trim()}`;
  return { run, asked, failure };
}

function describeDownload(number: number, { runs, fault }: KilledDownload): string {
  const kills = runs.filter(({ wasKilled }) => wasKilled);
  const costs = kills.map((run) => `${run.deliveredBlocks} (${run.lostBlocks} lost, ${run.askedTwice} asked twice)`);
  const end = fault ?? "finished, verified, every byte compared";
  return `download ${number}: ${kills.length} kills, after blocks ${costs.join(", ") || "-"}; ${end}`;
}
