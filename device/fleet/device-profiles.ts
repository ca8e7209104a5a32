/** Kinds of devices, as far as they limit a download, each with the source of its numbers. No IO. */

/** One kind of device. */
export interface DeviceProfile {
  readonly name: string;
  /** How many blocks it can take before it has written them; a further one is lost. Undefined: memory is no limit. */
  readonly bufferBlocks?: number;
  /** How long it takes to write one byte, in milliseconds; nothing else is handled meanwhile. */
  readonly flashMsPerByte: number;
  /** Where the numbers come from. */
  readonly source: string;
}

/** The profiles by name. */
export const DEVICE_PROFILES = {
  linux: { name: "linux", flashMsPerByte: 0, source: "ours: a page cache takes a block in microseconds" },
  "freertos-slow-flash": {
    name: "freertos-slow-flash",
    bufferBlocks: 8,
    // A 4 KiB sector: one erase of 45 ms and 16 page programs of 0.4 ms.
    flashMsPerByte: 51.4 / 4096,
    source:
      "Winbond W25Q128JV data sheet, typical: sector erase 45 ms per 4 KiB, page program 0.4 ms per 256 bytes; buffers ours",
  },
} as const satisfies Readonly<Record<string, DeviceProfile>>;
