/** What is counted for one simulated device. No IO. */
import type { OtaError } from "../../shared/protocol/errors.ts";
import type { FileProgress } from "../protocol/session-types.ts";

/** Times are monotonic milliseconds; undefined means that it has not happened. */
export interface DeviceStats {
  startedAtMs: number;
  /** Connected and subscribed for the first time. */
  connectedAtMs: number | undefined;
  firstBlockAtMs: number | undefined;
  endedAtMs: number | undefined;
  /** Why it ended without its files; undefined while it runs, and when it has them. */
  failure: OtaError | undefined;
  /** Connections that were made. */
  connections: number;
  reboots: number;
  /** Files that were verified, and how many of them by size only. */
  files: number;
  filesWithoutDigest: number;
  failedVerifications: number;
  /** New blocks and their bytes. */
  blocks: number;
  bytes: number;
  /** Data messages and the bytes of their payloads, whether new or not. */
  messages: number;
  receivedBytes: number;
  /** Payload bytes of blocks that reached the device's simulated link; undefined without a link. */
  sentBytes: number | undefined;
  /** What the session counted, of files that are finished or given up. */
  requests: number;
  duplicates: number;
  impossible: number;
  timeouts: number;
  /** Messages that could not be decoded. */
  malformedMessages: number;
}

/** The counts of a device that has not begun. */
export function newDeviceStats(): DeviceStats {
  return {
    startedAtMs: 0,
    connectedAtMs: undefined,
    firstBlockAtMs: undefined,
    endedAtMs: undefined,
    failure: undefined,
    connections: 0,
    reboots: 0,
    files: 0,
    filesWithoutDigest: 0,
    failedVerifications: 0,
    blocks: 0,
    bytes: 0,
    messages: 0,
    receivedBytes: 0,
    sentBytes: undefined,
    requests: 0,
    duplicates: 0,
    impossible: 0,
    timeouts: 0,
    malformedMessages: 0,
  };
}

/** What is added up of what sessions count. */
export type SessionCounts = Pick<FileProgress, "requests" | "duplicates" | "impossible" | "timeouts">;

/** Adds what the session counted for a file; nothing while there is none. */
export function addProgress(stats: DeviceStats, progress: SessionCounts | undefined): void {
  if (progress === undefined) return;
  stats.requests += progress.requests;
  stats.duplicates += progress.duplicates;
  stats.impossible += progress.impossible;
  stats.timeouts += progress.timeouts;
}
