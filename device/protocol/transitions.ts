/** The one transition table of a download session: which step answers which input in which stage. No IO. */
import type { SessionInput } from "./session-types.ts";

/**
 * Where a session is:
 * - `describing`: the stream has to be described, for the first time or again; also before the first connection.
 * - `opening`: the shell opens the image store of the next file.
 * - `downloading`: blocks are missing.
 * - `verifying`: the shell checks the assembled file.
 * - `fetchingManifest`: the checksums of the blocks are missing, to find wrong blocks or unchanged ones of a base image.
 * - `matching`: the shell compares blocks with the manifest.
 * - `done`, `failed`: nothing moves any more.
 */
export type Stage =
  | "describing"
  | "opening"
  | "downloading"
  | "verifying"
  | "fetchingManifest"
  | "matching"
  | "done"
  | "failed";

/** What a session does on an input; the steps are methods of the session. */
export type Step =
  | "startDescribing"
  | "comeBack"
  | "loseConnection"
  | "takeDescription"
  | "startDownload"
  | "takeBlock"
  | "keepLateBlock"
  | "takeRejection"
  | "finishFile"
  | "repairFile"
  | "takeChecksums"
  | "retryManifest"
  | "resumeMatched"
  | "retryDescribe"
  | "retryBlocks"
  | "checkConnection";

/** An input without a step in the current stage is late or foreign, and changes nothing. */
export const TRANSITIONS: Readonly<Record<Stage, Partial<Readonly<Record<SessionInput["on"], Step>>>>> = {
  describing: {
    connected: "startDescribing",
    disconnected: "loseConnection",
    described: "takeDescription",
    blockArrived: "keepLateBlock",
    rejected: "takeRejection",
    timeout: "retryDescribe",
  },
  opening: {
    disconnected: "loseConnection",
    connected: "comeBack",
    fileOpened: "startDownload",
    timeout: "checkConnection",
  },
  downloading: {
    connected: "startDescribing",
    disconnected: "loseConnection",
    blockArrived: "takeBlock",
    rejected: "takeRejection",
    timeout: "retryBlocks",
  },
  verifying: {
    disconnected: "loseConnection",
    connected: "comeBack",
    verified: "finishFile",
    mismatched: "repairFile",
    timeout: "checkConnection",
  },
  fetchingManifest: {
    connected: "startDescribing",
    disconnected: "loseConnection",
    checksumsArrived: "takeChecksums",
    blockArrived: "keepLateBlock",
    rejected: "takeRejection",
    timeout: "retryManifest",
  },
  matching: {
    disconnected: "loseConnection",
    connected: "comeBack",
    matched: "resumeMatched",
    timeout: "checkConnection",
  },
  done: {},
  failed: {},
};
