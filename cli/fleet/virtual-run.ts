/** A fleet on a virtual clock: the real publisher and the real sessions in one process, no sockets, no waiting. */
import { createHash } from "node:crypto";
import type { FleetOutcome, FleetSnapshot } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import { runFleet } from "../../device/fleet/run-fleet.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { VirtualNetwork } from "../../device/fleet/virtual-network.ts";
import { FileCache } from "../../publisher/file-cache.ts";
import { type ObjectStore, ObjectStoreError } from "../../publisher/object-store/object-store.ts";
import type { StreamFile } from "../../publisher/protocol/stream.ts";
import { Publisher } from "../../publisher/publisher.ts";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import { StreamDirectory } from "../../publisher/stream-directory.ts";
import { crc32 } from "../../shared/crc32.ts";
import type { Log } from "../../shared/log.ts";

/** What a virtual run needs. */
export interface VirtualRunOptions {
  readonly plan: FleetPlan;
  readonly fileBytes: Uint8Array;
  readonly firstStreamVersion: 0 | 1;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onSnapshot: (snapshot: FleetSnapshot) => void;
  readonly onCompleted: (durationMs: number) => void;
}

/** Runs a plan; the same plan and the same bytes give the same outcome. */
export async function runVirtualFleet(options: VirtualRunOptions): Promise<FleetOutcome> {
  const { plan, fileBytes, firstStreamVersion, ...hooks } = options;
  const clock = new VirtualClock();
  const network = new VirtualNetwork(clock);
  const file = describeFile(fileBytes);
  const registry = openMemoryRegistry();
  await registry.change(plan.streamId, () => ({
    state: "live",
    record: {
      streamId: plan.streamId,
      streamVersion: firstStreamVersion,
      roleArn: "arn:aws:iam::123456789012:role/fleet",
      files: [file],
      createdAtMs: clock.epochMs(),
      lastUpdatedAtMs: clock.epochMs(),
      tags: [],
    },
  }));
  const directory = new StreamDirectory(registry);
  const files = new FileCache({
    store: oneObjectStore(file, fileBytes),
    clock,
    maxBytes: fileBytes.length,
    checkIntervalMs: Number.MAX_SAFE_INTEGER,
    serveStaleMs: 0,
  });
  const { log } = options;
  const publisher = new Publisher({ transport: network, directory, files, clock, log, profile: "lenient" });
  await publisher.start();
  try {
    return await clock.runToEnd(runFleet({ ...hooks, plan, slice: { part: 0, parts: 1 }, clock, network }));
  } finally {
    await publisher.stop();
    directory.close();
    await registry.close();
  }
}

function describeFile(bytes: Uint8Array): StreamFile {
  return {
    fileId: 0,
    s3Location: { bucket: "fleet", key: "image" },
    sizeBytes: bytes.length,
    etag: `"${createHash("md5").update(bytes).digest("hex")}"`,
    crc32: crc32(bytes),
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}

function oneObjectStore({ etag, sizeBytes, s3Location }: StreamFile, bytes: Uint8Array): ObjectStore {
  const find = async (key: string): Promise<void> => {
    if (key !== s3Location.key) throw new ObjectStoreError("NotFound", `there is no object ${key}`);
  };
  return {
    head: async ({ key }) => find(key).then(() => ({ sizeBytes, etag })),
    read: async ({ key }) => find(key).then(() => ({ sizeBytes, etag, bytes })),
    close: async () => {},
  };
}
