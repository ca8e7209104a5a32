/** A fleet on a virtual clock: the real publisher and the real sessions in one process, no sockets, no waiting. */
import { createHash } from "node:crypto";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import type { FleetSlice } from "../../device/fleet/fleet-plan.ts";
import { type RunFleetOptions, runFleet } from "../../device/fleet/run-fleet.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { VirtualNetwork } from "../../device/fleet/virtual-network.ts";
import { FileCache } from "../../publisher/file-cache.ts";
import type { ObjectStore } from "../../publisher/object-store/object-store.ts";
import type { StreamFile } from "../../publisher/protocol/stream.ts";
import { Publisher } from "../../publisher/publisher.ts";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import { StreamDirectory } from "../../publisher/stream-directory.ts";
import { crc32 } from "../../shared/crc32.ts";

/** What a virtual run needs. */
export interface VirtualRunOptions extends Omit<RunFleetOptions, "slice" | "clock" | "network" | "probe"> {
  /** Those of the plan's stream, by file id. */
  readonly files: readonly Uint8Array[];
  readonly streamVersion: number;
  /** All devices of the plan by default. */
  readonly slice?: FleetSlice;
}

const WHOLE: FleetSlice = { part: 0, parts: 1 };

/** Runs a plan; the same plan and the same files give the same outcome. */
export async function runVirtualFleet(options: VirtualRunOptions): Promise<FleetOutcome> {
  const { files, streamVersion, ...run } = options;
  const { plan, log } = options;
  const clock = new VirtualClock();
  const network = new VirtualNetwork(clock);
  const described = files.map(describeFile);
  const registry = openMemoryRegistry();
  await registry.change(plan.streamId, () => ({
    state: "live",
    record: {
      streamId: plan.streamId,
      streamVersion,
      roleArn: "arn:aws:iam::123456789012:role/fleet",
      files: described,
      createdAtMs: clock.epochMs(),
      lastUpdatedAtMs: clock.epochMs(),
      tags: [],
    },
  }));
  const directory = new StreamDirectory(registry);
  const cache = new FileCache({
    store: memoryStore(described, files),
    clock,
    maxBytes: files.reduce((sum, { length }) => sum + length, 0),
    checkIntervalMs: Number.MAX_SAFE_INTEGER,
    serveStaleMs: 0,
  });
  const publisher = new Publisher({ transport: network, directory, files: cache, clock, log, profile: "lenient" });
  await publisher.start();
  try {
    return await clock.runToEnd(runFleet({ slice: WHOLE, ...run, clock, network }));
  } finally {
    await publisher.stop();
    directory.close();
    await registry.close();
  }
}

function describeFile(bytes: Uint8Array, fileId: number): StreamFile {
  return {
    fileId,
    s3Location: { bucket: "fleet", key: `${fileId}` },
    sizeBytes: bytes.length,
    etag: `"${createHash("md5").update(bytes).digest("hex")}"`,
    crc32: crc32(bytes),
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}

function memoryStore(described: readonly StreamFile[], files: readonly Uint8Array[]): ObjectStore {
  const find = async (key: string) => {
    const { sizeBytes, etag } = described[Number(key)] as StreamFile;
    return { sizeBytes, etag };
  };
  return {
    head: ({ key }) => find(key),
    read: async ({ key }) => ({ ...(await find(key)), bytes: files[Number(key)] as Uint8Array }),
    close: async () => {},
  };
}
