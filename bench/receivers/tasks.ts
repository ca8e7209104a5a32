/** What a receiver process can be asked to measure. */
import type { Format } from "../../shared/protocol/topics.ts";

/** The file that a stream consists of, once or several times. */
export interface SourceFile {
  readonly sizeBytes: number;
  readonly crc32: number;
}

interface Asked {
  /** `mqtt://host:port`. */
  readonly url: string;
  readonly streamId: string;
  /** The processes on the server's side. */
  readonly serverPids: readonly number[];
  readonly blockSizeBytes: number;
  readonly format: Format;
}

/** Devices that always have `requests` requests of `requestBlocks` blocks in flight, over and over the same file. */
export interface WindowTask extends Asked {
  readonly kind: "window";
  /** 1 unless it is said. */
  readonly devices?: number;
  readonly client: "lean" | "mqttjs";
  readonly file: SourceFile;
  readonly requestBlocks: number;
  readonly requests: number;
  /** At least so long, in whole files; a fifth of it more is not counted. */
  readonly measureMs: number;
}

/** Devices with the real download session, all begun at the same moment. */
export interface FleetTask extends Asked {
  readonly kind: "fleet";
  readonly devices: number;
  /** One stream for each device, in turn, instead of `streamId`. */
  readonly streamIds?: readonly string[];
  readonly maxWindowBytes?: number;
  /** Then what was delivered is counted, and the devices that are not ready are stopped; after the windows, if there are any. */
  readonly limitMs: number;
  /** Count what arrives in windows of time, and not what the whole download comes to. */
  readonly windows?: FleetWindows;
}

/** Windows of time that follow each other, once blocks flow. */
export interface FleetWindows {
  readonly count: number;
  readonly lengthMs: number;
  /**
   * Whether the devices go on to the end of their files, which are verified, and a window counts only while none of them has
   * its own; otherwise they are stopped after the windows.
   */
  readonly toEnd: boolean;
}

/** The product's own agent, writing to a disk. */
export interface AgentTask extends Asked {
  readonly kind: "agent";
  readonly directory: string;
}

/** What a device does with a block that is there: the download session without sockets, and its stores. */
export interface DeviceSideTask {
  readonly kind: "device-side";
  readonly part: DeviceSidePart;
  /** Where the file is. */
  readonly path: string;
  readonly file: SourceFile;
  readonly blockSizeBytes: number;
  /** Where the image store writes. */
  readonly directory: string;
}

/** `session`: with nothing behind it; `verify store`: CRCs that are known already; `image store`: journal, file and digests. */
export type DeviceSidePart = "session" | "verify store" | "image store";

/** Devices that ask and never read. They ask until they are frozen, and stay until the process ends. */
export interface StallTask extends Asked {
  readonly kind: "stall";
  readonly devices: number;
  readonly file: SourceFile;
}

/** The stalled devices ask for no more; they stay as they are. */
export interface FreezeTask {
  readonly kind: "freeze";
}

export type ReceiverTask = WindowTask | FleetTask | AgentTask | DeviceSideTask | StallTask | FreezeTask;
