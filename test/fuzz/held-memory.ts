/** How much memory is held once everything that nobody holds was collected. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Heap and external memory in bytes, after garbage collection. */
export async function measureHeld(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await eventLoopTurn();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
