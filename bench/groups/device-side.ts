/** The device's side of a block alone: no server, no network. */
import { type BenchContext, interleave, type Lanes, measure, type Results } from "../harness/bench-context.ts";
import { Receiver } from "../harness/receiver.ts";
import type { DeviceSidePart } from "../receivers/tasks.ts";

const PARTS: readonly DeviceSidePart[] = ["session", "verify store", "image store"];
/** In MiB: more than a pass allocates, so that nothing is collected while it is measured. */
const YOUNG_MIB = 256;

/** Measures each part in a process that does nothing else. */
export async function measureDeviceSide(context: BenchContext): Promise<Results> {
  const { group, directory, source } = context;
  const young = [`--min-semi-space-size=${YOUNG_MIB}`, `--max-semi-space-size=${YOUNG_MIB}`];
  const receiver = new Receiver(group, ["--expose-gc", ...young]);
  const { path, sizeBytes, crc32 } = source;
  const asked = { path, file: { sizeBytes, crc32 }, blockSizeBytes: 4096, directory };
  const lanes: Lanes = Object.fromEntries(
    PARTS.map((part) => [`device: ${part}`, () => measure(receiver, { kind: "device-side", part, ...asked })]),
  );
  const results = await interleave(context, lanes, { warmUp: true });
  await group.end([receiver.pid]);
  return results;
}
