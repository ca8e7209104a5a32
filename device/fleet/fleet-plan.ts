/** What a fleet is to do, as plain data that can be handed to another process. No IO. */
import type { Format } from "../../shared/protocol/topics.ts";

/** One part of a mix; shares are relative to their sum. */
export interface MixPart {
  readonly name: string;
  /** Above 0. */
  readonly share: number;
}

/** Single faults. Shares of whole MQTT messages are 0-1, each way; times are means of an exponential draw, in milliseconds. */
export interface FleetFaults {
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  /** Of blocks only, on their way to the device: one bit is changed. */
  readonly corrupt?: number;
  /** Between two losses of a device's connection. */
  readonly disconnectEveryMs?: number;
  /** Between two reboots of a device. */
  readonly rebootEveryMs?: number;
  /** Towards the device and from it, in place of the link's own. */
  readonly bandwidthBytesPerSecond?: number;
  /** One way, in place of half the link's round trip. */
  readonly latencyMs?: number;
}

/** A fleet's work: every device fetches all files of one stream, once. */
export interface FleetPlan {
  /** `mqtt://host:port`; of no meaning on a virtual clock. */
  readonly brokerUrl: string;
  readonly streamId: string;
  /** 1 or more. */
  readonly devices: number;
  /** All at once when absent. */
  readonly rampDevicesPerSecond?: number;
  /** All begin to download at one moment, once every one is connected or has failed to; otherwise each when it is connected. */
  readonly together: boolean;
  /** Decides every fault and every mix, 32 bits. */
  readonly seed: number;
  /** Names of `LINK_PROFILES`; empty: no link is simulated. */
  readonly links: readonly MixPart[];
  /** Names of `DEVICE_PROFILES`; empty: `linux`. */
  readonly deviceProfiles: readonly MixPart[];
  /** Names of `FLEET_CLIENTS`; empty: `otastream`. */
  readonly clients: readonly MixPart[];
  readonly faults: FleetFaults;
  readonly connection: "lean" | "mqttjs";
  readonly store: "verify" | "disk";
  /** Where `disk` devices keep their images, each in a directory of its own. */
  readonly diskDirectory?: string;
  readonly blockSizeBytes: number;
  readonly format: Format;
  /** Addresses of this machine to connect from, in turn; the system chooses when empty. */
  readonly sourceAddresses: readonly string[];
  /** Device `n` is the thing `<prefix>-<n>`. */
  readonly thingPrefix: string;
}

/** Which devices of a plan a process has: those whose index leaves `part` when divided by `parts`. */
export interface FleetSlice {
  readonly part: number;
  readonly parts: number;
}
