/** `npm run sim:table`: the figures of docs/SIMULATION.md, measured now. */
import { DEVICE_PROFILES } from "../../device/fleet/device-profiles.ts";
import { LINK_PROFILES } from "../../device/fleet/link-profiles.ts";
import { allowedMs, type Measurement, measureDownload, measureStockClient, PLACES } from "./measure.ts";

const SEEDS_PER_LOSS = 200;
const SEEDS_PER_PLACE = 20;
const LOSSES = [
  { loss: 0, limit: 1.0 },
  { loss: 0.01, limit: 1.02 },
  { loss: 0.05, limit: 1.08 },
  { loss: 0.2, limit: 1.3 },
];

print("| message loss | redundancy, mean | highest | at most | floor 1/(1-p) | surplus messages, mean |");
print("|---|---|---|---|---|---|");
for (const { loss, limit } of LOSSES) {
  const link = { ...LINK_PROFILES["wifi-poor"], loss };
  const runs = await repeat(SEEDS_PER_LOSS, (seed) => measureDownload(link, DEVICE_PROFILES.linux, seed));
  const redundancies = runs.map(({ redundancy }) => redundancy);
  const surplus = mean(runs.map((run) => run.surplus));
  print(
    `| ${loss * 100} % | ${mean(redundancies).toFixed(4)} | ${Math.max(...redundancies).toFixed(4)} | ${limit.toFixed(2)} | ${(1 / (1 - loss)).toFixed(4)} | ${(surplus * 100).toFixed(2)} % |`,
  );
}

print("");
print("| place | seconds, mean | highest | at most | requests | stock client, seconds | its requests |");
print("|---|---|---|---|---|---|---|");
for (const { name, link, device } of PLACES) {
  const runs = await repeat(SEEDS_PER_PLACE, (seed) => measureDownload(link, device, seed));
  const stock = await measureStockClient(link, device, 1);
  const times = runs.map(({ milliseconds }) => milliseconds);
  const requests = mean(runs.map((run) => run.requests));
  print(
    `| ${name} | ${seconds(mean(times))} | ${seconds(Math.max(...times))} | ${seconds(allowedMs(link, device))} | ${requests.toFixed(0)} | ${seconds(stock.milliseconds)} | ${stock.requests} |`,
  );
}

async function repeat(count: number, run: (seed: number) => Promise<Measurement>): Promise<Measurement[]> {
  const runs: Measurement[] = [];
  for (let seed = 1; seed <= count; seed++) runs.push(await run(seed));
  return runs;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(2);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
