/** The device's own work for a block that has arrived, without a network: the download session, and each of its stores. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemFileSystem } from "../../device/file-system.ts";
import { CrcPlans } from "../../device/fleet/crc-combine.ts";
import { VerifyStore } from "../../device/fleet/verify-store.ts";
import { openImageStore } from "../../device/open-image-store.ts";
import { crc32 } from "../../shared/crc32.ts";
import { silentLog } from "../../shared/log.ts";
import { countBlocks } from "../../shared/protocol/blocks.ts";
import type { Measurement } from "../harness/measurement.ts";
import { cpuMicroseconds } from "../harness/process-figures.ts";
import { runSession } from "./answered-session.ts";
import type { DeviceSidePart, DeviceSideTask } from "./tasks.ts";

/** Files in one pass: enough blocks for the clock, few enough for the young generation to hold all they allocate. */
const FILES: Readonly<Record<DeviceSidePart, number>> = { session: 64, "verify store": 256, "image store": 8 };

/** Handles every block of so many files; resolves once they are in place. */
type Pass = (files: number) => Promise<void>;

/** Measures one pass, after one that is not counted. Needs --expose-gc and a young generation that no pass fills. */
export async function measureDeviceSide(task: DeviceSideTask): Promise<Measurement> {
  const directory = await mkdtemp(join(task.directory, "device-side-"));
  const files = FILES[task.part];
  try {
    const pass = await passOf(task, directory);
    await pass(files);
    globalThis.gc?.();
    const memory = process.memoryUsage();
    const receiverUs = cpuMicroseconds([process.pid]);
    const startedMs = performance.now();
    await pass(files);
    const seconds = (performance.now() - startedMs) / 1000;
    const receiverCpuUs = cpuMicroseconds([process.pid]) - receiverUs;
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    // What is freed meanwhile would not be seen: a collection makes the difference too small, or negative.
    const allocatedBytes = heapUsed - memory.heapUsed + arrayBuffers - memory.arrayBuffers;
    return {
      blocks: files * countBlocks(task.file.sizeBytes, task.blockSizeBytes),
      bytes: files * task.file.sizeBytes,
      seconds,
      serverCpuUs: 0,
      receiverCpuUs,
      allocatedBytes: allocatedBytes < 0 ? Number.NaN : allocatedBytes,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function passOf({ part, file, blockSizeBytes, path }: DeviceSideTask, directory: string): Promise<Pass> {
  if (part === "session") return async (files) => runSession({ files, blockSizeBytes, file });
  const bytes = await readFile(path);
  const blocks = Array.from({ length: countBlocks(bytes.length, blockSizeBytes) }, (_, blockId) =>
    bytes.subarray(blockId * blockSizeBytes, (blockId + 1) * blockSizeBytes),
  );
  if (part === "image store") return (files) => writeImages(blocks, { files, directory, blockSizeBytes, ...file });
  const crcs = Uint32Array.from(blocks, (block) => crc32(block));
  const plan = new CrcPlans().planFor(file.sizeBytes, blockSizeBytes);
  return async (files) => {
    for (let index = 0; index < files; index++) {
      const store = new VerifyStore(plan);
      for (let blockId = 0; blockId < crcs.length; blockId++) store.take(blockId, crcs[blockId] as number);
      if (!store.verify({ fileId: 0, ...file }).ok) throw new Error("the verify store found a fault in the original");
    }
  };
}

interface Images {
  readonly files: number;
  readonly directory: string;
  readonly blockSizeBytes: number;
  readonly sizeBytes: number;
  readonly crc32: number;
}

/** As the agent does: a promise of a write is waited for, then the image is verified and moved to its place. */
async function writeImages(blocks: readonly Uint8Array[], { files, directory, ...image }: Images): Promise<void> {
  for (let fileId = 0; fileId < files; fileId++) {
    const identity = { streamId: "device-side", streamVersion: 0, fileId, ...image };
    const store = await openImageStore({ directory, identity, fileSystem: systemFileSystem, log: silentLog });
    for (const [blockId, block] of blocks.entries()) {
      const slow = store.write(blockId, block);
      if (slow !== undefined) await slow;
    }
    const verification = await store.verify(image);
    if (!verification.ok) throw new Error(verification.message);
    await rm(await store.commit());
  }
}
