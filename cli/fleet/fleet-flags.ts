/** The flags of `otastream fleet`, and which of them go together. */

import type { FleetFaults, MixPart } from "../../device/fleet/fleet-plan.ts";
import type { ReportAssertion } from "../../device/fleet/report-assertions.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import type { LogLevel } from "../terminal.ts";

/** What the command line says. */
export interface FleetFlags {
  readonly streamId?: string;
  readonly devices: number;
  /** Absent: a server of the run's own. */
  readonly broker?: string;
  /** Devices a second. */
  readonly ramp?: number;
  /** All begin to download at one moment. */
  readonly together: boolean;
  readonly link: readonly MixPart[];
  readonly device: readonly MixPart[];
  readonly client: readonly MixPart[];
  readonly faults: FleetFaults;
  readonly seed: number;
  readonly connection: "lean" | "mqttjs";
  readonly store: "verify" | "disk";
  /** For `disk`; absent: a temporary directory that is removed at the end. */
  readonly out?: string;
  readonly file?: string;
  readonly size?: number;
  readonly virtual: boolean;
  readonly blockSize: number;
  readonly format: Format;
  readonly processes: number;
  /** Paths of the report. */
  readonly report?: string;
  readonly html?: string;
  readonly allowFailures: number;
  readonly assert: readonly ReportAssertion[];
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

/** Refuses flags that contradict each other, with an OtaError `InvalidArgument` that names them. */
export function checkFlags(flags: FleetFlags): void {
  const { streamId, broker, file, size, virtual, connection, store, out, processes, devices, client, report, html } =
    flags;
  const has = (name: string, value: unknown): string | undefined => (value === undefined ? undefined : name);
  const ownServerFlag = has("--file", file) ?? has("--size", size);
  if (broker !== undefined && streamId === undefined)
    refuse("--broker needs the stream to fetch: otastream fleet STREAM_ID --broker URL");
  if (broker === undefined && streamId !== undefined)
    refuse(`stream ${streamId} needs the broker it is served on: --broker URL`);
  if (broker !== undefined && ownServerFlag !== undefined)
    refuse(`${ownServerFlag} is for the fleet's own server: leave it out, or --broker`);
  if (file !== undefined && size !== undefined) refuse("--file and --size exclude each other");
  if (virtual && broker !== undefined) refuse("--virtual has no sockets: leave --broker out");
  if (virtual && connection !== "lean") refuse("--virtual has no sockets: leave --connection mqttjs out");
  if (virtual && store !== "verify") refuse("--virtual stores nothing: leave --store disk out");
  if (virtual && processes !== 1) refuse(`--virtual runs in one process: --processes must be 1, not ${processes}`);
  checkVirtualFaults(flags);
  if (report !== undefined && report === html) refuse(`--report and --html need a file each, not both ${report}`);
  if (out !== undefined && store !== "disk") refuse("--out is for --store disk");
  if (processes > devices) refuse(`--processes must be at most --devices, which is ${devices}, not ${processes}`);
  if (broker !== undefined && connection === "lean" && !/^mqtt:\/\/[^@/]+\/?$/.test(broker)) {
    refuse("--connection lean reaches brokers at mqtt://host:port without user and password: use --connection mqttjs");
  }
  const { blockSize } = flags;
  const aligned = client.find(({ name }) => name.startsWith("ota-v3.4"));
  if (aligned !== undefined && !Number.isInteger(Math.log2(blockSize))) {
    refuse(`--block-size must be a power of two for --client ${aligned.name}, not ${blockSize}`);
  }
  if (store === "disk" && client.some(({ name }) => name !== "otastream")) {
    refuse("--store disk is for the client otastream: stock clients keep their file in memory");
  }
}

/** On a virtual clock only links and devices take time. */
function checkVirtualFaults({ virtual, faults, link, device }: FleetFlags): void {
  const takesTime = link.length + device.length > 0 || faults.bandwidthBytesPerSecond || faults.latencyMs;
  if (!virtual || takesTime) return;
  const flag = faults.disconnectEveryMs ? "--disconnect-every" : faults.rebootEveryMs ? "--reboot-every" : undefined;
  if (flag !== undefined) {
    refuse(`${flag} needs time to pass: with --virtual name a --link, --device, --bandwidth or --latency`);
  }
}

function refuse(message: string): never {
  throw new OtaError("InvalidArgument", message);
}
