/** Garbage collection on demand, to see what is still held. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Collects everything that nobody holds; what was looked at through a WeakRef is held until the event loop turns. */
export async function collectGarbage(): Promise<void> {
  await eventLoopTurn();
  collect();
  await eventLoopTurn();
}
