/** What a session tells its caller when it ends without its files. No IO. */
import type { Description, RejectedMessage } from "../../shared/protocol/messages.ts";
import type { FileProgress, SessionFailure, SessionOptions } from "./session-types.ts";

/** The stream has no file of the wanted id. */
export function fileNotFound({ fileId, streamId }: SessionOptions, { files }: Description): SessionFailure {
  if (fileId === undefined) return { code: "FileNotFound", message: `stream ${streamId} has no files` };
  const known = files.map((file) => file.fileId).join(", ");
  return {
    code: "FileNotFound",
    message: `file id ${fileId} is not in stream ${streamId}, which has the file ids ${known}`,
  };
}

/** A request was refused for a reason that asking again does not change. */
export function requestRejected(
  { streamId }: SessionOptions,
  rejection: RejectedMessage,
  describing: boolean,
): SessionFailure {
  const request = describing ? "DescribeStream" : "GetStream";
  return {
    code: rejection.code === "ResourceNotFound" && describing ? "StreamNotFound" : "RequestRejected",
    message: `the publisher rejected ${request} for stream ${streamId} with ${rejection.code}: ${rejection.message}`,
  };
}

/** What is known about the rounds that brought nothing. */
export interface FruitlessRounds {
  readonly rounds: number;
  /** The publisher's last answer to them, if it answered. */
  readonly rejection: RejectedMessage | undefined;
  readonly kept: FileProgress | undefined;
}

/** Too many rounds brought nothing. */
export function noProgress(
  { streamId }: SessionOptions,
  request: "DescribeStream" | "GetStream" | "manifest",
  { rounds, rejection, kept }: FruitlessRounds,
): SessionFailure {
  const reason =
    rejection === undefined
      ? `no answer to ${rounds} ${request} requests in a row for stream ${streamId}: is the publisher connected to this broker?`
      : `nothing new in ${rounds} rounds for stream ${streamId}: the publisher answers ${rejection.code}: ${rejection.message}`;
  return { code: "NoProgress", message: reason + describeKept(kept) };
}

/** The connection did not come back in time. */
export function connectionLost(maxDisconnectedMs: number): SessionFailure {
  const seconds = Math.round(maxDisconnectedMs / 1000);
  return {
    code: "ConnectionLost",
    message: `the connection to the broker was lost and did not come back within ${seconds} s`,
  };
}

/** The connection came back again and again, and each time it was lost before anything new arrived. */
export function connectionUnsteady(
  { streamId }: SessionOptions,
  times: number,
  kept: FileProgress | undefined,
): SessionFailure {
  const reason = `the connection to the broker was lost more than ${times} times in a row before anything new of stream ${streamId} arrived: may this device publish its requests?`;
  return { code: "ConnectionLost", message: reason + describeKept(kept) };
}

function describeKept(kept: FileProgress | undefined): string {
  return kept === undefined ? "" : `; ${kept.heldBlocks} of ${kept.blocks} blocks of file ${kept.fileId} are kept`;
}
