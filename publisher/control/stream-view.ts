/** How streams appear in responses: AWS's shapes, members in AWS's order. No IO. */
import { type ArnScope, formatStreamArn } from "../protocol/arn.ts";
import type { StreamRecord } from "../protocol/stream.ts";

/** The answer to CreateStream and UpdateStream (docs/PROTOCOL.md section 1). */
export function viewChangedStream(record: StreamRecord, scope: ArnScope): object {
  return {
    streamId: record.streamId,
    streamArn: formatStreamArn(scope, record.streamId),
    description: record.description,
    streamVersion: record.streamVersion,
  };
}

/** One item of ListStreams. */
export function viewStreamSummary(record: StreamRecord, scope: ArnScope): object {
  return {
    streamId: record.streamId,
    streamArn: formatStreamArn(scope, record.streamId),
    streamVersion: record.streamVersion,
    description: record.description,
  };
}

/** The `streamInfo` of DescribeStream; times are epoch seconds with a fraction. */
export function viewStreamInfo(record: StreamRecord, scope: ArnScope): object {
  return {
    streamId: record.streamId,
    streamArn: formatStreamArn(scope, record.streamId),
    streamVersion: record.streamVersion,
    description: record.description,
    files: record.files.map(({ fileId, s3Location }) => ({ fileId, s3Location })),
    createdAt: record.createdAtMs / 1000,
    lastUpdatedAt: record.lastUpdatedAtMs / 1000,
    roleArn: record.roleArn,
  };
}
