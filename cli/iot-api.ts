/** The stream API through AWS's own client, against this server or the real one. */
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  IoTClient,
  IoTServiceException,
  ListStreamsCommand,
  type ListStreamsCommandOutput,
  type StreamInfo,
  type StreamSummary,
} from "@aws-sdk/client-iot";
import { defaultCredentials } from "../publisher/object-store/credentials.ts";
import { OtaError } from "../shared/protocol/errors.ts";

/** Where the API is. */
export interface IotApiOptions {
  /** An `http` or `https` URL. */
  readonly endpoint: string;
  readonly region: string;
}

/** One file of a stream to be created. */
export interface NewStreamFile {
  readonly fileId: number;
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
}

/** A stream to be created. */
export interface NewStream {
  readonly streamId: string;
  readonly description?: string;
  readonly roleArn: string;
  readonly files: readonly NewStreamFile[];
}

/** A created stream, as the API names it. */
export interface CreatedStream {
  readonly streamId: string;
  readonly streamArn: string;
  readonly streamVersion: number;
}

/** Performs one call and turns its failure into an OtaError. */
type Call = <Output>(send: (client: IoTClient) => Promise<Output>) => Promise<Output>;

/** The operations the commands use. Each rejects with OtaError `ApiUnreachable` or `ApiError`, which names AWS's exception. */
export interface IotApi {
  createStream(stream: NewStream): Promise<CreatedStream>;
  describeStream(streamId: string): Promise<StreamInfo>;
  deleteStream(streamId: string): Promise<void>;
  /** All streams, page by page. */
  listStreams(): AsyncIterable<StreamSummary>;
  close(): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A stream of many large files takes a while: the server reads each. */
const REQUEST_TIMEOUT_MS = 120_000;

/** Opens the API; nothing is sent until the first call. */
export function openIotApi({ endpoint, region }: IotApiOptions): IotApi {
  const credentials = defaultCredentials(endpoint);
  const client = new IoTClient({
    endpoint,
    region,
    ...(credentials !== undefined && { credentials }),
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
  const call: Call = (send) => send(client).catch((error: unknown) => Promise.reject(toOtaError(error, endpoint)));
  return {
    async createStream({ streamId, description, roleArn, files }) {
      const created = await call((iot) =>
        iot.send(
          new CreateStreamCommand({
            streamId,
            description,
            roleArn,
            files: files.map(({ fileId, bucket, key, versionId }) => ({
              fileId,
              s3Location: { bucket, key, version: versionId },
            })),
          }),
        ),
      );
      const { streamArn = "", streamVersion = 0 } = created;
      return { streamId, streamArn, streamVersion };
    },
    async describeStream(streamId) {
      const { streamInfo = {} } = await call((iot) => iot.send(new DescribeStreamCommand({ streamId })));
      return streamInfo;
    },
    async deleteStream(streamId) {
      await call((iot) => iot.send(new DeleteStreamCommand({ streamId })));
    },
    async *listStreams() {
      let nextToken: string | undefined;
      do {
        const page: ListStreamsCommandOutput = await call((iot) =>
          iot.send(new ListStreamsCommand({ ascendingOrder: true, ...(nextToken !== undefined && { nextToken }) })),
        );
        yield* page.streams ?? [];
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
    },
    close: () => client.destroy(),
  };
}

function toOtaError(error: unknown, endpoint: string): OtaError {
  if (error instanceof IoTServiceException) {
    return new OtaError("ApiError", `${error.name}: ${error.message}`, { cause: error });
  }
  const { $response, code, name, message } = error as NodeJS.ErrnoException & { $response?: { statusCode?: number } };
  if (name === "CredentialsProviderError") {
    return new OtaError("ApiError", `no AWS credentials for ${endpoint}: ${message}`, { cause: error });
  }
  if (name === "SyntaxError") {
    const status = $response?.statusCode === undefined ? "" : ` (HTTP status ${$response.statusCode})`;
    return new OtaError("ApiError", `${endpoint} is not a stream API: its answer is not JSON${status}`, {
      cause: error,
    });
  }
  const reason = code === "ECONNREFUSED" ? "connection refused; is otastream serve running?" : (code ?? message);
  return new OtaError("ApiUnreachable", `cannot reach ${endpoint}: ${reason}`, { cause: error, retryable: true });
}
