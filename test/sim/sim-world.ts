/** A simulated world: one publisher, its store and registry, a broker, and devices behind links. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { DeviceProfile } from "../../device/fleet/device-profiles.ts";
import type { LinkProfile } from "../../device/fleet/link-profiles.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { FileCache } from "../../publisher/file-cache.ts";
import type { StreamFile } from "../../publisher/protocol/stream.ts";
import { Publisher } from "../../publisher/publisher.ts";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import { StreamDirectory } from "../../publisher/stream-directory.ts";
import type { Clock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { type Random, seededRandom } from "../../shared/random.ts";
import type { PublisherTransport } from "../../shared/transport.ts";
import { type SimFaultRates, SimFaults } from "./faults.ts";
import { SimBroker } from "./sim-broker.ts";
import { SimDevice } from "./sim-device.ts";
import { SimObjectStore } from "./sim-object-store.ts";

/** What a world is made of. */
export interface WorldOptions {
  readonly seed: number;
  readonly rates: SimFaultRates;
  readonly fileSizes: readonly number[];
  readonly devices: readonly {
    readonly link: LinkProfile;
    readonly profile: DeviceProfile;
    readonly blockSizeBytes: number;
    readonly format: Format;
  }[];
  readonly trace?: (line: string) => void;
  /** Puts a transport around the broker's. */
  readonly around?: (broker: PublisherTransport, clock: Clock) => PublisherTransport;
  /** Draws the faults in another way than by their rates. */
  readonly faults?: (random: Random) => SimFaults;
}

export const STREAM_ID = "firmware";

/** Everything in one process and under one clock. */
export class SimWorld {
  readonly clock = new VirtualClock();
  readonly faults: SimFaults;
  readonly broker: SimBroker;
  readonly devices: readonly SimDevice[];
  /** All bytes that were ever published under a file id, the newest last. */
  readonly published = new Map<number, Uint8Array[]>();
  streamVersion = 0;
  private readonly random: Random;
  private readonly store: SimObjectStore;
  private readonly registry = openMemoryRegistry();
  private readonly trace: (line: string) => void;
  private readonly transport: PublisherTransport;
  private directory: StreamDirectory | undefined;

  constructor(options: WorldOptions) {
    const { seed, rates, devices, fileSizes, trace = () => {} } = options;
    this.trace = (line) => trace(`${this.clock.monotonicMs().toFixed(1)} ${line}`);
    this.random = seededRandom(seed);
    this.faults = options.faults?.(this.random) ?? new SimFaults(this.random, rates);
    this.broker = new SimBroker(this.clock, this.random, this.faults);
    this.transport = options.around?.(this.broker, this.clock) ?? this.broker;
    this.store = new SimObjectStore(this.clock, this.faults);
    fileSizes.forEach((sizeBytes, fileId) => {
      this.published.set(fileId, []);
      this.replaceObject(fileId, sizeBytes);
    });
    this.devices = devices.map(
      (device, index) =>
        new SimDevice({
          ...device,
          thing: `thing-${index}`,
          streamId: STREAM_ID,
          clock: this.clock,
          random: this.random,
          broker: this.broker,
          trace: this.trace,
        }),
    );
  }

  /** Publishes the first version and boots the devices. */
  async start(): Promise<void> {
    await this.updateStream(0);
    await this.startPublisher();
    for (const device of this.devices) device.start();
  }

  /** Replaces an object by other bytes of the same size class; the stream does not know until it is updated. */
  replaceObject(fileId: number, sizeBytes: number): void {
    const bytes = new Uint8Array(sizeBytes);
    for (let at = 0; at < sizeBytes; at++) bytes[at] = this.random.uint32() & 0xff;
    this.published.get(fileId)?.push(bytes);
    this.store.put(keyOf(fileId), bytes);
    this.trace(`object ${fileId} is new, ${sizeBytes} bytes`);
  }

  /** Publishes what is in the store now as the next version. */
  async bumpVersion(): Promise<void> {
    await this.updateStream(++this.streamVersion);
    this.trace(`stream version ${this.streamVersion}`);
  }

  /** Ends publisher and broker, and starts new ones a little later. */
  async restartPublisher(downMs: number): Promise<void> {
    this.trace("publisher restarts");
    this.broker.isUp = false;
    await this.broker.stop();
    this.directory?.close();
    this.broker.disconnectAll();
    this.clock.setTimer(downMs, () => void this.startPublisher());
  }

  private async startPublisher(): Promise<void> {
    this.broker.isUp = true;
    this.directory = new StreamDirectory(this.registry);
    const files = new FileCache({
      store: this.store,
      clock: this.clock,
      maxBytes: 64 * 1024 * 1024,
      checkIntervalMs: 1_000,
      serveStaleMs: 0,
    });
    const { transport, directory, clock } = this;
    await new Publisher({ transport, directory, files, clock, log: silentLog, profile: "lenient" }).start();
  }

  private async updateStream(streamVersion: number): Promise<void> {
    const files = [...this.published].map(([fileId, versions]) => describeFile(fileId, versions.at(-1) as Uint8Array));
    await this.registry.change(STREAM_ID, () => ({
      state: "live",
      record: {
        streamId: STREAM_ID,
        streamVersion,
        roleArn: "arn:aws:iam::123456789012:role/simulated",
        files,
        createdAtMs: 0,
        lastUpdatedAtMs: this.clock.epochMs(),
        tags: [],
      },
    }));
  }
}

function keyOf(fileId: number): string {
  return `file-${fileId}`;
}

function describeFile(fileId: number, bytes: Uint8Array): StreamFile {
  return {
    fileId,
    s3Location: { bucket: "simulated", key: keyOf(fileId) },
    sizeBytes: bytes.length,
    etag: `"${createHash("md5").update(bytes).digest("hex")}"`,
    crc32: crc32(bytes),
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}
