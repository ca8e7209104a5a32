/** What goes into a download session and what comes out of it. No IO. */
import type { OtaErrorCode } from "../../shared/protocol/errors.ts";
import type {
  ChecksumsMessage,
  DescribedFile,
  DescribeRequest,
  Description,
  GetRequest,
  ManifestRequest,
  RejectedMessage,
} from "../../shared/protocol/messages.ts";

/** Something that happened. Every input is handed over with the monotonic time in milliseconds. */
export type SessionInput =
  /** Connected and subscribed, for the first time or again. */
  | { readonly on: "connected" }
  | { readonly on: "disconnected" }
  | { readonly on: "described"; readonly description: Description }
  /** `held` is a bitmap of the blocks that are in the store already; `complete` says the image is in place and verified. */
  | { readonly on: "fileOpened"; readonly fileId: number; readonly held: Uint8Array; readonly complete: boolean }
  | BlockArrived
  | { readonly on: "rejected"; readonly rejection: RejectedMessage }
  | { readonly on: "checksumsArrived"; readonly message: ChecksumsMessage }
  /** Blocks were compared with the manifest; `held` is what the store has now that agrees with it. */
  | { readonly on: "matched"; readonly fileId: number; readonly held: Uint8Array }
  /** The image passed its checks and is in place. */
  | { readonly on: "verified"; readonly fileId: number }
  /** The assembled file failed its checks. `held` leaves out the blocks that are known to have changed on the disk. */
  | {
      readonly on: "mismatched";
      readonly fileId: number;
      readonly failure: SessionFailure;
      readonly held: Uint8Array;
    }
  /** The deadline passed. */
  | { readonly on: "timeout" };

/** A data message came, of the current file or not. */
export interface BlockArrived {
  readonly on: "blockArrived";
  readonly fileId: number;
  readonly blockId: number;
  readonly sizeBytes: number;
  readonly clientToken?: string | undefined;
}

/** Data messages with one token that came at once: blocks of one size, each the one after the block before it. */
export interface RunArrived {
  readonly fileId: number;
  /** The first of them. */
  readonly blockId: number;
  /** How many, at least one. */
  readonly blockCount: number;
  /** Of each of them. */
  readonly sizeBytes: number;
  readonly clientToken?: string | undefined;
}

/** Something the shell has to do, in order, before the next input, and not to keep: its object may be used again. */
export type SessionCommand =
  | { readonly do: "publishDescribe"; readonly request: DescribeRequest }
  | { readonly do: "publishGet"; readonly request: GetRequest }
  /** Open the image store for this file of this version, and answer with `fileOpened`. */
  | {
      readonly do: "openFile";
      readonly file: DescribedFile;
      readonly streamVersion: number;
      /** Forget what an earlier run, or this one, has received. */
      readonly afresh: boolean;
    }
  | { readonly do: "publishManifest"; readonly request: ManifestRequest }
  /**
   * Compare with the CRC-32 of every block: forget the blocks in the store that differ, take those it lacks from the
   * base image where they agree, and answer with `matched`.
   */
  | { readonly do: "matchBlocks"; readonly fileId: number; readonly checksums: Uint32Array }
  /** Write the block that just arrived. */
  | { readonly do: "keepBlock"; readonly fileId: number; readonly blockId: number }
  /** Check the assembled file and hand it over; answer with `verified` or `mismatched`. */
  | { readonly do: "verifyFile"; readonly file: DescribedFile }
  /** The current file is in place: its books are closed. */
  | { readonly do: "fileFinished"; readonly progress: FileProgress }
  | { readonly do: "finish" }
  | { readonly do: "fail"; readonly failure: SessionFailure };

/** Why a session ended without its files. */
export interface SessionFailure {
  readonly code: OtaErrorCode;
  /** One sentence for a person. */
  readonly message: string;
}

/** What a session is asked for, and the bounds it keeps. */
export interface SessionOptions {
  readonly streamId: string;
  /** Only this file; all files of the stream when absent. */
  readonly fileId?: number;
  /** 256-131,072. */
  readonly blockSizeBytes: number;
  /** Whether the device has a base image: then the manifest is asked for first, and unchanged blocks come from there. */
  readonly hasBase?: boolean;
  /** A uniform number, 0 inclusive to 1 exclusive: the jitter of the backoff. */
  readonly randomFraction: () => number;
  /** Most bytes asked for and not yet arrived; the session finds out how many of them the link needs. */
  readonly maxWindowBytes?: number;
  /** How many blocks the device can take before it has written them; without it, memory is no limit. */
  readonly bufferBlocks?: number;
  /** How many rounds without a new block, or without an answer to a describe, end the session. */
  readonly maxFruitlessRounds?: number;
  /** How often a file is fetched again from the start after it failed its checks. */
  readonly maxRestarts?: number;
  /** How long the session waits for a lost connection to come back, in milliseconds. */
  readonly maxDisconnectedMs?: number;
}

/** What a session counted for one file. */
export interface FileProgress {
  readonly fileId: number;
  readonly sizeBytes: number;
  /** Blocks in the file. */
  readonly blocks: number;
  /** Blocks held now. */
  readonly heldBlocks: number;
  /** Blocks that were held and verified before this run. */
  readonly resumedBlocks: number;
  /** GetStream requests sent. */
  readonly requests: number;
  /** Data messages for blocks already held. */
  readonly duplicates: number;
  /** Data messages with an impossible block id or length; dropped. */
  readonly impossible: number;
  /** Times the retransmission timer fired. */
  readonly timeouts: number;
}
