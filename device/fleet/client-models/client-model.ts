/** The shape of a client model: a stock library's way of asking for blocks, as a core that a shell drives. No IO. */
import type { OtaErrorCode } from "../../../shared/protocol/errors.ts";
import type { DescribedFile, Description, RejectedMessage } from "../../../shared/protocol/messages.ts";
import type { Format, ResponseOperation } from "../../../shared/protocol/topics.ts";

/** Something that happened. Every input is handed over with the monotonic time in milliseconds. */
export type ClientModelInput =
  /** Connected and subscribed, for the first time or again. */
  | { readonly on: "connected" }
  | { readonly on: "described"; readonly description: Description }
  | { readonly on: "blockArrived"; readonly fileId: number; readonly blockId: number; readonly sizeBytes: number }
  | { readonly on: "rejected"; readonly rejection: RejectedMessage }
  /** The deadline passed. */
  | { readonly on: "timeout" };

/** Something the shell has to do, in order, before the next input. */
export type ClientModelCommand =
  | { readonly do: "publishDescribe"; readonly payload: Uint8Array }
  /** The payload is the request as the library sends it, byte for byte. */
  | { readonly do: "publishGet"; readonly payload: Uint8Array }
  /** Make room for this file: the blocks to keep are its own until the next `openFile`. */
  | { readonly do: "openFile"; readonly file: DescribedFile }
  /** Keep the block that just arrived, at this place of the open file. */
  | { readonly do: "keepBlock"; readonly offsetBytes: number }
  /** Every block of the open file is there: check it against its description. */
  | { readonly do: "finishFile"; readonly file: DescribedFile }
  | { readonly do: "finish" }
  | { readonly do: "fail"; readonly code: OtaErrorCode; readonly message: string };

/** What a model counted over all files. */
export interface ClientModelCounts {
  /** GetStream requests sent. */
  requests: number;
  /** Times the timer fired. */
  timeouts: number;
  /** Blocks kept. */
  blocks: number;
  /** Data messages for blocks of the open file that were there already. */
  duplicates: number;
  /** Data messages for another file, or with an impossible block id or length; dropped. */
  foreign: number;
}

/**
 * A model of one client library. Inputs come one at a time; the commands it returns are performed in order before the
 * next input. The shell arms one timer for `deadlineMs` and hands over `timeout` when it passed.
 */
export interface ClientModel {
  readonly format: Format;
  /** What it subscribes to, in order. */
  readonly subscriptions: readonly ResponseOperation[];
  /** When the next `timeout` is due, in monotonic milliseconds; undefined when nothing is waited for. */
  readonly deadlineMs: number | undefined;
  readonly counts: Readonly<ClientModelCounts>;
  handle(input: ClientModelInput, nowMs: number): readonly ClientModelCommand[];
}

/** What every model can be told. */
export interface ClientModelOptions {
  /**
   * The files to fetch, as a job document would name them; the model then subscribes to data only, as stock libraries
   * do. Absent: it describes the stream first, and subscribes to descriptions and rejections as well.
   */
  readonly files?: readonly DescribedFile[];
  /** How long it waits for the next block before it asks again, in milliseconds; 10000 by default. */
  readonly timeoutMs?: number;
  /** How often it asks in vain before it gives up; 32 by default. */
  readonly maxSilentRounds?: number;
}

/** The options of a model whose block size can be any. */
export interface BlockSizeOptions extends ClientModelOptions {
  /** 256-131,072; 4096 by default. */
  readonly blockSizeBytes?: number;
}

/** The block size that models ask for when they are not told otherwise, in bytes. */
export const DEFAULT_BLOCK_SIZE_BYTES = 4096;
/** The token that stock libraries put into every CBOR request (docs/PROTOCOL.md section 2, "WIRE details"). */
export const STOCK_CLIENT_TOKEN = "rdy";
