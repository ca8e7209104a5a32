/** A simulated object store whose reads are slow, short or fail, and whose objects can be replaced. */
import { createHash } from "node:crypto";
import {
  type ObjectContent,
  type ObjectInfo,
  type ObjectStore,
  ObjectStoreError,
} from "../../publisher/object-store/object-store.ts";
import type { S3Location } from "../../publisher/protocol/stream.ts";
import type { Clock } from "../../shared/clock.ts";
import type { SimFaults } from "./faults.ts";

/** How long a read takes without a fault, in milliseconds. */
const READ_MS = 5;

/** Objects in memory, by bucket and key. */
export class SimObjectStore implements ObjectStore {
  private readonly clock: Clock;
  private readonly faults: SimFaults;
  private readonly objects = new Map<string, { readonly bytes: Uint8Array; readonly etag: string }>();

  constructor(clock: Clock, faults: SimFaults) {
    this.clock = clock;
    this.faults = faults;
  }

  /** Puts or replaces an object; returns its ETag. */
  put(key: string, bytes: Uint8Array): string {
    const etag = `"${createHash("md5").update(bytes).digest("hex")}"`;
    this.objects.set(key, { bytes, etag });
    return etag;
  }

  async head({ key }: S3Location): Promise<ObjectInfo> {
    await this.answer();
    const { bytes, etag } = this.find(key);
    return { sizeBytes: bytes.length, etag };
  }

  async read({ key }: S3Location, options: { readonly etag?: string }): Promise<ObjectContent> {
    await this.answer();
    const { bytes, etag } = this.find(key);
    if (options.etag !== undefined && options.etag !== etag) throw new ObjectStoreError("Changed", `${key} changed`);
    if (this.faults.strikes("short-read")) throw new ObjectStoreError("Unavailable", `${key} was cut short`);
    return { bytes, etag, sizeBytes: bytes.length };
  }

  async close(): Promise<void> {}

  private find(key: string): { readonly bytes: Uint8Array; readonly etag: string } {
    const object = this.objects.get(key);
    if (object === undefined) throw new ObjectStoreError("NotFound", `there is no ${key}`);
    return object;
  }

  private async answer(): Promise<void> {
    const slowMs = this.faults.strikes("slow-read") ? this.faults.between(500, 8_000) : 0;
    const fails = this.faults.strikes("failing-read");
    await new Promise<void>((resolve) => this.clock.setTimer(READ_MS + slowMs, resolve));
    if (fails) throw new ObjectStoreError("Unavailable", "simulated outage");
  }
}
