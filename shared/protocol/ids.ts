/** The names and numbers that identify things, streams and files, and what makes them valid. No IO. */
import { MAX_FILE_ID, MAX_STREAM_VERSION } from "./limits.ts";

const STREAM_ID = /^[a-zA-Z0-9_-]{1,128}$/;
const THING_NAME = /^[a-zA-Z0-9:_-]{1,128}$/;

/** Says whether `value` is a stream id: 1-128 of `[a-zA-Z0-9_-]` (docs/PROTOCOL.md section 1). */
export function isStreamId(value: string): boolean {
  return STREAM_ID.test(value);
}

/** Says whether `value` is a thing name: 1-128 of `[a-zA-Z0-9:_-]` (docs/PROTOCOL.md section 2). */
export function isThingName(value: string): boolean {
  return THING_NAME.test(value);
}

/** Says whether `value` is a file id: an integer, 0-255 (docs/PROTOCOL.md section 1). */
export function isFileId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_FILE_ID;
}

/** Says whether `value` is a stream version: an integer, 0-65535 (docs/PROTOCOL.md section 1). */
export function isStreamVersion(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_STREAM_VERSION;
}
