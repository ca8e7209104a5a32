/** Amazon Resource Names of streams: arn:<partition>:iot:<region>:<account>:stream/<streamId>. No IO. */
import { ApiException, invalidRequest } from "./api-exception.ts";
import { quote } from "./quote.ts";
import { parseStreamId } from "./stream-input.ts";

/** The part of an ARN that says whose it is; configuration of the server. */
export interface ArnScope {
  /** For example "aws". */
  readonly partition: string;
  /** For example "us-east-1". */
  readonly region: string;
  /** For example "123456789012". */
  readonly accountId: string;
}

const STREAM_ARN = /^arn:([^:]*):iot:([^:]*):([^:]*):stream\/(.*)$/s;

/** Formats the ARN of a stream (docs/PROTOCOL.md section 1). */
export function formatStreamArn(scope: ArnScope, streamId: string): string {
  return `arn:${scope.partition}:iot:${scope.region}:${scope.accountId}:stream/${streamId}`;
}

/**
 * Parses the ARN of a stream into its stream id. Throws InvalidRequestException for what is not the ARN of a stream
 * (an ARN of another kind included), ResourceNotFoundException for a stream of another partition, region or account.
 */
export function parseStreamArn(scope: ArnScope, resourceArn: string): string {
  const parts = STREAM_ARN.exec(resourceArn);
  if (parts === null) {
    const form = "arn:<partition>:iot:<region>:<account>:stream/<streamId>";
    throw invalidRequest(`resourceArn must be the ARN of a stream, ${form}; it is ${quote(resourceArn)}`);
  }
  const [, partition, region, accountId, streamId] = parts;
  const parsed = parseStreamId(streamId ?? "");
  if (partition !== scope.partition || region !== scope.region || accountId !== scope.accountId) {
    const here = formatStreamArn(scope, parsed);
    throw new ApiException(
      "ResourceNotFoundException",
      `resourceArn ${quote(resourceArn)} does not exist; this server's streams have ARNs like ${here}`,
    );
  }
  return parsed;
}
