/** What a session tells its caller when it ends without its files. No IO. */
import type { Description, RejectedMessage } from "../../shared/protocol/messages.ts";
import type { FileProgress, SessionFailure, SessionOptions } from "./session-types.ts";

/** The stream has no file of the wanted id. */
export function fileNotFound({ fileId, streamId }: SessionOptions, { files }: Description): SessionFailure {
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

/** Too many rounds brought nothing. */
export function noProgress(
  { streamId }: SessionOptions,
  request: "DescribeStream" | "GetStream",
  rounds: number,
  kept: FileProgress | undefined,
): SessionFailure {
  const have =
    kept === undefined ? "" : `; ${kept.heldBlocks} of ${kept.blocks} blocks of file ${kept.fileId} are kept`;
  return {
    code: "NoProgress",
    message: `no answer to ${rounds} ${request} requests in a row for stream ${streamId}: is the publisher connected to this broker?${have}`,
  };
}

/** The connection did not come back in time. */
export function connectionLost(maxDisconnectedMs: number): SessionFailure {
  const seconds = Math.round(maxDisconnectedMs / 1000);
  return {
    code: "ConnectionLost",
    message: `the connection to the broker was lost and did not come back within ${seconds} s`,
  };
}
