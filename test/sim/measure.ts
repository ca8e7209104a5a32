/** Measures single downloads in virtual time: what was sent for what was needed, and how long it took. */

import { createFileStreamsClient } from "../../device/fleet/client-models/file-streams-client.ts";
import { type ClientModelResult, runClientModel } from "../../device/fleet/client-models/run-client-model.ts";
import { DEVICE_PROFILES, type DeviceProfile } from "../../device/fleet/device-profiles.ts";
import { LINK_PROFILES, type LinkProfile } from "../../device/fleet/link-profiles.ts";
import { silentLog } from "../../shared/log.ts";
import { SimWorld, STREAM_ID } from "./sim-world.ts";

/** 2 MiB in blocks of 4 KiB. */
const FILE_BYTES = 2_097_152;
const BLOCK_BYTES = 4_096;
const FILE_BLOCKS = FILE_BYTES / BLOCK_BYTES;
const LIMIT_MS = 100 * 60 * 60 * 1000;

/** A combination that a device is found in. */
export interface Place {
  readonly name: string;
  readonly link: LinkProfile;
  readonly device: DeviceProfile;
}

/** Every link profile with a device that keeps up, and the slow flash on a fast link. */
export const PLACES: readonly Place[] = [
  ...Object.values(LINK_PROFILES).map((link) => ({ name: link.name, link, device: DEVICE_PROFILES.linux })),
  { name: "freertos-slow-flash", link: LINK_PROFILES.lan, device: DEVICE_PROFILES["freertos-slow-flash"] },
];

/** What one download came to. */
export interface Measurement {
  /** Payload bytes sent to the device, over the bytes of the file. */
  readonly redundancy: number;
  /** Data messages that reached the device beyond the blocks of the file, over those blocks. */
  readonly surplus: number;
  /** From the first GetStream to the last block, in virtual milliseconds. */
  readonly milliseconds: number;
  readonly requests: number;
}

/** Downloads 2 MiB once with the agent. */
export async function measureDownload(link: LinkProfile, device: DeviceProfile, seed: number): Promise<Measurement> {
  const world = new SimWorld({
    seed,
    rates: {},
    fileSizes: [FILE_BYTES],
    devices: [{ link, profile: device, blockSizeBytes: BLOCK_BYTES, format: "cbor" }],
  });
  await world.start();
  const [downloading] = world.devices;
  const isDone = (): boolean => downloading?.result !== undefined || downloading?.bug !== undefined;
  const isFinished = await world.clock.runUntil(isDone, LIMIT_MS);
  const file = downloading?.result?.files[0];
  if (!isFinished || file === undefined) throw new Error(`seed ${seed} on ${link.name} did not finish`);
  return { ...traffic(world), requests: file.requests };
}

/** Downloads 2 MiB once with a stock client that asks for one block at a time. */
export async function measureStockClient(link: LinkProfile, device: DeviceProfile, seed: number): Promise<Measurement> {
  const world = new SimWorld({ seed, rates: {}, fileSizes: [FILE_BYTES], devices: [] });
  await world.start();
  const transport = world.broker.connectDevice({
    thing: "thing-0",
    link,
    bufferBlocks: device.bufferBlocks,
    flashMs: (bytes) => bytes * device.flashMsPerByte,
    isAlive: () => true,
  });
  const model = createFileStreamsClient({
    format: "cbor",
    blockSizeBytes: BLOCK_BYTES,
    files: [{ fileId: 0, sizeBytes: FILE_BYTES }],
  });
  let result: ClientModelResult | undefined;
  let failure: unknown;
  runClientModel({ model, transport, thing: "thing-0", streamId: STREAM_ID, clock: world.clock, log: silentLog }).then(
    (value) => {
      result = value;
    },
    (error: unknown) => {
      failure = error;
    },
  );
  await world.clock.runUntil(() => result !== undefined || failure !== undefined, LIMIT_MS);
  if (result === undefined) throw new Error(`the stock client on ${link.name} did not finish`, { cause: failure });
  return { ...traffic(world), requests: result.counts.requests };
}

/** The time a good client takes at most: 1.25 times the serialisation time at the rate of link and flash, and 4 round trips. */
export function allowedMs({ roundTripMs, downBytesPerSecond, loss }: LinkProfile, device: DeviceProfile): number {
  const flashBytesPerMs = device.flashMsPerByte === 0 ? Number.POSITIVE_INFINITY : 1 / device.flashMsPerByte;
  const bytesPerMs = Math.min(downBytesPerSecond / 1000, flashBytesPerMs) * (1 - loss);
  return (1.25 * FILE_BYTES) / bytesPerMs + 4 * roundTripMs;
}

function traffic(world: SimWorld): Omit<Measurement, "requests"> {
  const { sentPayloadBytes, arrivedMessages, firstGetAtMs = 0, lastBlockAtMs = 0 } = world.broker.trafficOf("thing-0");
  return {
    redundancy: sentPayloadBytes / FILE_BYTES,
    surplus: arrivedMessages / FILE_BLOCKS - 1,
    milliseconds: lastBlockAtMs - firstGetAtMs,
  };
}
