/** What creating, updating, tagging and deleting make of a stream's entry: versions, resurrection, quotas. No IO. */
import { MAX_STREAM_VERSION, RESURRECTION_WINDOW_MS } from "../../shared/protocol/limits.ts";
import { ApiException, invalidRequest, limitExceeded, streamNotFound } from "./api-exception.ts";
import { type ArnScope, formatStreamArn } from "./arn.ts";
import type { StreamEntry, StreamFile, StreamRecord, StreamTag } from "./stream.ts";
import type { CreateStreamInput, UpdateStreamInput } from "./stream-input.ts";

/** What a server is configured with that decides about streams. */
export interface StreamRules {
  readonly scope: ArnScope;
  /** The version of a stream that was never there, or not for 90 days. */
  readonly firstStreamVersion: 0 | 1;
  /** Largest file, in bytes, 1-25165824. */
  readonly maxFileBytes: number;
  /** Most files in a stream, 1-50. */
  readonly maxFilesPerStream: number;
  /** Most live streams; undefined means no such quota. */
  readonly maxStreams?: number;
}

/**
 * Says which version a new stream gets over what is under its id: the old one + 1 when it was deleted at most 90 days
 * ago, else the first version (docs/PROTOCOL.md section 1). Throws ResourceAlreadyExistsException over a live stream,
 * LimitExceededException after version 65535.
 */
export function planStreamVersion(
  current: StreamEntry | undefined,
  streamId: string,
  rules: StreamRules,
  nowMs: number,
): number {
  if (current?.state === "live") {
    throw new ApiException("ResourceAlreadyExistsException", `stream ${streamId} already exists`, {
      members: { resourceId: streamId, resourceArn: formatStreamArn(rules.scope, streamId) },
    });
  }
  if (current === undefined) return rules.firstStreamVersion;
  const { streamVersion, deletedAtMs } = current.tombstone;
  return nowMs - deletedAtMs > RESURRECTION_WINDOW_MS ? rules.firstStreamVersion : nextVersion(streamId, streamVersion);
}

/** Plans CreateStream: the entry that takes the place of `current`. Throws as {@link planStreamVersion} does. */
export function planCreate(
  current: StreamEntry | undefined,
  input: CreateStreamInput,
  files: readonly StreamFile[],
  rules: StreamRules,
  nowMs: number,
): StreamEntry {
  const record: StreamRecord = {
    streamId: input.streamId,
    streamVersion: planStreamVersion(current, input.streamId, rules, nowMs),
    ...(input.description === undefined ? {} : { description: input.description }),
    roleArn: input.roleArn,
    files,
    createdAtMs: nowMs,
    lastUpdatedAtMs: nowMs,
    tags: input.tags,
  };
  return { state: "live", record };
}

/**
 * Says what UpdateStream starts from: the live record, whose files are resolved again when the request names none.
 * Throws ResourceNotFoundException when there is none, LimitExceededException when it is at version 65535.
 */
export function planUpdateBase(current: StreamEntry | undefined, streamId: string): StreamRecord {
  const record = requireLive(current, streamId);
  nextVersion(streamId, record.streamVersion);
  return record;
}

/**
 * Plans UpdateStream: version + 1, what the request does not name stays. `base` is the record that `files` were
 * resolved for; when another update came between, ServiceUnavailableException asks the caller to repeat.
 */
export function planUpdate(
  current: StreamEntry | undefined,
  input: UpdateStreamInput,
  base: StreamRecord,
  files: readonly StreamFile[],
  nowMs: number,
): StreamEntry {
  const record = requireLive(current, input.streamId);
  if (record.streamVersion !== base.streamVersion || record.createdAtMs !== base.createdAtMs) {
    const message = `stream ${input.streamId} was changed by another request at the same time; repeat the update`;
    throw new ApiException("ServiceUnavailableException", message);
  }
  const description = input.description ?? record.description;
  return {
    state: "live",
    record: {
      ...record,
      ...(description === undefined ? {} : { description }),
      roleArn: input.roleArn ?? record.roleArn,
      files,
      streamVersion: nextVersion(input.streamId, record.streamVersion),
      lastUpdatedAtMs: nowMs,
    },
  };
}

/** Plans DeleteStream: what is left is the version. Tags and files go away. */
export function planDelete(
  current: StreamEntry | undefined,
  streamId: string,
  isInUse: boolean,
  nowMs: number,
): StreamEntry {
  const { streamVersion } = requireLive(current, streamId);
  if (isInUse) throw new ApiException("DeleteConflictException", `stream ${streamId} is in use and cannot be deleted`);
  return { state: "deleted", tombstone: { streamId, streamVersion, deletedAtMs: nowMs } };
}

/** Plans new tags for a live stream; its version and times stay. */
export function planTags(
  current: StreamEntry | undefined,
  streamId: string,
  change: (tags: readonly StreamTag[]) => readonly StreamTag[],
): StreamEntry {
  const record = requireLive(current, streamId);
  return { state: "live", record: { ...record, tags: change(record.tags) } };
}

/** Gives the live record under a stream id, or throws ResourceNotFoundException. */
export function requireLive(current: StreamEntry | undefined, streamId: string): StreamRecord {
  if (current?.state !== "live") throw streamNotFound(streamId);
  return current.record;
}

/**
 * Checks the size of one file: LimitExceededException names the file, its size and the limit. An empty object has no block
 * that a device could ask for, so it is no file: InvalidRequestException.
 */
export function checkFileSize(fileId: number, sizeBytes: number, rules: StreamRules): void {
  if (sizeBytes === 0) {
    throw invalidRequest(`file ${fileId} has 0 bytes; a file has 1 to ${rules.maxFileBytes} bytes`);
  }
  if (sizeBytes <= rules.maxFileBytes) return;
  throw limitExceeded(`file ${fileId} has ${sizeBytes} bytes; the limit is ${rules.maxFileBytes} bytes`);
}

/** Checks how many files a stream has against the server's quota. */
export function checkFileCount(count: number, rules: StreamRules): void {
  if (count <= rules.maxFilesPerStream) return;
  throw limitExceeded(`files has ${count} items; this server's limit is ${rules.maxFilesPerStream} per stream`);
}

/** Checks whether one more stream fits beside `liveCount` others. */
export function checkStreamCount(liveCount: number, rules: StreamRules): void {
  if (rules.maxStreams === undefined || liveCount < rules.maxStreams) return;
  throw limitExceeded(`there are ${liveCount} streams; this server's limit is ${rules.maxStreams}`);
}

function nextVersion(streamId: string, streamVersion: number): number {
  if (streamVersion < MAX_STREAM_VERSION) return streamVersion + 1;
  throw limitExceeded(`stream ${streamId} is at version ${streamVersion}; the limit is ${MAX_STREAM_VERSION}`);
}
