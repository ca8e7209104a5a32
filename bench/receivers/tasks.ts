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

/** One device that always has `requests` requests of `requestBlocks` blocks in flight, over and over the same file. */
export interface WindowTask extends Asked {
  readonly kind: "window";
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
  /** Then what was delivered is counted, and the devices that are not ready are stopped. */
  readonly limitMs: number;
  /** Count bytes only; no device is expected to finish. */
  readonly isRate?: boolean;
}

/** The product's own agent, writing to a disk. */
export interface AgentTask extends Asked {
  readonly kind: "agent";
  readonly directory: string;
}

/** Devices that ask and never read, until `awaken`. */
export interface StallTask extends Asked {
  readonly kind: "stall";
  readonly devices: number;
  readonly file: SourceFile;
}

/** The stalled devices ask for no more; they stay as they are. */
export interface FreezeTask {
  readonly kind: "freeze";
}

export type ReceiverTask = WindowTask | FleetTask | AgentTask | StallTask | FreezeTask;
