/** The product's own agent, as `otastream download` runs it: verified, journalled files on a disk. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { downloadStream } from "../../device/agent.ts";
import { systemFileSystem } from "../../device/file-system.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import { systemRandom } from "../../shared/random.ts";
import type { Measurement } from "../harness/measurement.ts";
import { cpuMicroseconds } from "../harness/process-figures.ts";
import type { AgentTask } from "./tasks.ts";

/** Measures the download of a whole stream into an empty directory, from connecting to the last file in its place. */
export async function measureAgent(task: AgentTask): Promise<Measurement> {
  const { url, streamId, blockSizeBytes, format } = task;
  const directory = await mkdtemp(join(task.directory, "agent-"));
  const thing = `agent-${process.pid}`;
  try {
    const serverUs = cpuMicroseconds(task.serverPids);
    const receiverUs = cpuMicroseconds([process.pid]);
    const startedMs = performance.now();
    const { files } = await downloadStream({
      transport: createDeviceTransport({ url, clientId: thing, log: silentLog, random: systemRandom }),
      ...{ thing, streamId, blockSizeBytes, format, directory },
      requireDigest: true,
      fileSystem: systemFileSystem,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    return {
      seconds: (performance.now() - startedMs) / 1000,
      bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      blocks: files.reduce((sum, { blocks }) => sum + blocks, 0),
      serverCpuUs: cpuMicroseconds(task.serverPids) - serverUs,
      receiverCpuUs: cpuMicroseconds([process.pid]) - receiverUs,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
