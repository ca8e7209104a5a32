/** A fleet on a virtual clock, with a real publisher behind a broker in memory. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import type { FleetPlan } from "../../device/fleet/fleet-plan.ts";
import { type RunFleetOptions, runFleet } from "../../device/fleet/run-fleet.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { VirtualNetwork } from "../../device/fleet/virtual-network.ts";
import { FileCache } from "../../publisher/file-cache.ts";
import type { ObjectStore } from "../../publisher/object-store/object-store.ts";
import { Publisher } from "../../publisher/publisher.ts";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import { StreamDirectory } from "../../publisher/stream-directory.ts";
import { silentLog } from "../../shared/log.ts";

/** The stream that virtual fleets fetch. */
const VIRTUAL_STREAM_ID = "virtual";

/** A plan of 4 KiB blocks in CBOR, without links, but for what `plan` names. */
export function virtualPlan(plan: Partial<FleetPlan>): FleetPlan {
  return {
    brokerUrl: "mqtt://virtual",
    streamId: VIRTUAL_STREAM_ID,
    devices: 10,
    seed: 1,
    links: [],
    deviceProfiles: [],
    clients: [],
    faults: {},
    connection: "lean",
    store: "verify",
    blockSizeBytes: 4096,
    format: "cbor",
    sourceAddresses: [],
    thingPrefix: "virtual",
    ...plan,
  };
}

/** Runs a fleet to its end; the files are those of the stream, in version 1. */
export async function runVirtualFleet(
  plan: FleetPlan,
  files: readonly Uint8Array[],
  options: Partial<RunFleetOptions> = {},
): Promise<FleetOutcome> {
  const clock = new VirtualClock();
  const network = new VirtualNetwork(clock);
  await startPublisher(clock, network, files);
  const slice = { part: 0, parts: 1 };
  return await clock.runToEnd(runFleet({ plan, slice, clock, network, log: silentLog, ...options }));
}

async function startPublisher(clock: VirtualClock, network: VirtualNetwork, files: readonly Uint8Array[]) {
  const registry = openMemoryRegistry();
  await registry.change(VIRTUAL_STREAM_ID, () => ({
    state: "live",
    record: {
      streamId: VIRTUAL_STREAM_ID,
      streamVersion: 1,
      roleArn: "arn:aws:iam::123456789012:role/virtual",
      files: files.map((bytes, fileId) => ({
        fileId,
        s3Location: { bucket: "virtual", key: `${fileId}` },
        sizeBytes: bytes.length,
        etag: `"${fileId}"`,
        crc32: crc32(bytes),
        sha256: createHash("sha256").update(bytes).digest("hex"),
      })),
      createdAtMs: 0,
      lastUpdatedAtMs: 0,
      tags: [],
    },
  }));
  const cache = new FileCache({
    store: memoryStore(files),
    clock,
    maxBytes: 64 * 1024 * 1024,
    checkIntervalMs: 1_000,
    serveStaleMs: 0,
  });
  const parts = { transport: network, directory: new StreamDirectory(registry), files: cache, clock, log: silentLog };
  await new Publisher({ ...parts, profile: "lenient" }).start();
}

function memoryStore(files: readonly Uint8Array[]): ObjectStore {
  const infoOf = (key: string) => ({ sizeBytes: files[Number(key)]?.length ?? 0, etag: `"${key}"` });
  return {
    head: async ({ key }) => infoOf(key),
    read: async ({ key }) => ({ ...infoOf(key), bytes: files[Number(key)] as Uint8Array }),
    close: async () => {},
  };
}
