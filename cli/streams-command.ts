/** `otastream streams list|describe|delete`: a look at the streams without AWS's tools. */
import { type IotApi, type IotApiOptions, openIotApi } from "./iot-api.ts";
import { print } from "./terminal.ts";

/** What the command line says. */
export interface StreamsOptions extends IotApiOptions {
  /** One JSON value instead of text. */
  readonly json: boolean;
}

/** Prints all streams, the oldest first. */
export function runStreamsList(options: StreamsOptions): Promise<void> {
  return withApi(options, async (api) => {
    const streams = [];
    for await (const stream of api.listStreams()) {
      streams.push(stream);
      const { streamId, streamVersion, description = "" } = stream;
      if (!options.json) print(`${streamId}  version ${streamVersion}  ${description}`.trimEnd());
    }
    if (options.json) print(JSON.stringify({ streams }));
    else if (streams.length === 0) print("there are no streams");
  });
}

/** Prints one stream and its files. */
export function runStreamsDescribe(streamId: string, options: StreamsOptions): Promise<void> {
  return withApi(options, async (api) => {
    const stream = await api.describeStream(streamId);
    if (options.json) {
      print(JSON.stringify(stream));
      return;
    }
    print(`${stream.streamId}  version ${stream.streamVersion}  ${stream.streamArn}`);
    if (stream.description !== undefined) print(`  description  ${stream.description}`);
    print(`  created      ${stream.createdAt?.toISOString()}`);
    print(`  updated      ${stream.lastUpdatedAt?.toISOString()}`);
    print(`  role         ${stream.roleArn}`);
    for (const { fileId, s3Location } of stream.files ?? []) {
      const version = s3Location?.version === undefined ? "" : `  version ${s3Location.version}`;
      print(`  file ${fileId}  s3://${s3Location?.bucket}/${s3Location?.key}${version}`);
    }
  });
}

/** Deletes one stream; its objects stay. */
export function runStreamsDelete(streamId: string, options: StreamsOptions): Promise<void> {
  return withApi(options, async (api) => {
    await api.deleteStream(streamId);
    print(
      options.json ? JSON.stringify({ streamId, deleted: true }) : `deleted ${streamId}; its objects stay in storage`,
    );
  });
}

async function withApi(options: StreamsOptions, use: (api: IotApi) => Promise<void>): Promise<void> {
  const api = openIotApi(options);
  try {
    await use(api);
  } finally {
    api.close();
  }
}
