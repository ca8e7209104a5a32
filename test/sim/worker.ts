/** One thread of the simulator: runs its share of the seeds and posts each outcome. */
import { parentPort, workerData } from "node:worker_threads";
import { runScenario } from "./scenario.ts";

const { from, end, step } = workerData as { readonly from: number; readonly end: number; readonly step: number };
for (let seed = from; seed < end; seed += step) parentPort?.postMessage(await runScenario(seed));
