#!/usr/bin/env node
/** The program `otastream`: reads the command line, runs one command, and turns its outcome into an exit status. */
import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import {
  DEFAULT_MAX_FILE_BYTES,
  HIGHEST_MAX_FILE_BYTES,
  HIGHEST_PACE,
  LOWEST_PACE,
  MAX_BLOCK_SIZE_BYTES,
  MAX_FILE_ID,
  MAX_FILES_PER_STREAM,
  MIN_BLOCK_SIZE_BYTES,
} from "../shared/protocol/limits.ts";
import { declareFleet } from "./fleet/declare-fleet.ts";
import * as read from "./options.ts";
import { LOG_LEVELS, openLog, outliveReaders, tellFailure } from "./terminal.ts";

const LOCAL_API = "http://127.0.0.1:8080";
const LOCAL_BROKER = "mqtt://127.0.0.1:1883";
const HTTP = ["http", "https"];
const MQTT = ["mqtt", "mqtts", "ws", "wss"];
const MEBIBYTE = 1024 * 1024;

// What a command needs is loaded when it runs: a device waits for no S3 client.
const load = {
  serve: () => import("./serve-command.ts"),
  publish: () => import("./publish-command.ts"),
  download: () => import("./download-command.ts"),
  streams: () => import("./streams-command.ts"),
  demo: () => import("./demo-command.ts"),
};

const program = new Command("otastream")
  .description("AWS IoT's MQTT-based file delivery on your own machine")
  .version(packageJson.version)
  .showHelpAfterError("(otastream --help shows the commands)")
  .configureHelp({ showGlobalOptions: true })
  .exitOverride();

function addLogLevel(command: Command, level: (typeof LOG_LEVELS)[number]): Command {
  return command.option("--log-level <LEVEL>", LOG_LEVELS.join(", "), read.oneOf("--log-level", LOG_LEVELS), level);
}

function addApi(command: Command): Command {
  return command
    .option("--endpoint <URL>", "the stream API", read.urlWith("--endpoint", HTTP), LOCAL_API)
    .option("--region <REGION>", "AWS region", read.region, "us-east-1")
    .option("--json", "print JSON", false);
}

addLogLevel(
  program.command("serve").description("serve storage, stream API, broker and publisher until Ctrl-C"),
  "info",
)
  .option("--host <ADDRESS>", "the only address to listen on", read.someText("--host"), "127.0.0.1")
  .option("--mqtt-port <PORT>", "MQTT over TCP; 0 picks a free port", read.integerFrom("--mqtt-port", 0, 65_535), 1883)
  .option("--ws-port <PORT>", "MQTT over WebSocket", read.integerFrom("--ws-port", 0, 65_535), 8083)
  .option("--http-port <PORT>", "the stream API", read.integerFrom("--http-port", 0, 65_535), 8080)
  .option("--s3-port <PORT>", "the embedded S3 server", read.integerFrom("--s3-port", 0, 65_535), 9000)
  .option("--data-dir <DIR>", "where streams and objects are kept", read.someText("--data-dir"), "./.otastream")
  .option(
    "--s3-endpoint <URL...>",
    "read objects from here, not from the embedded S3 server",
    read.repeated(read.urlWith("--s3-endpoint", HTTP)),
  )
  .option("--broker <URL>", "be a client of this broker, not a broker", read.urlWith("--broker", MQTT))
  .option(
    "--observer <ID...>",
    "client id that may subscribe to everything and publish nothing",
    read.repeated(read.someText("--observer")),
  )
  .option(
    "--first-stream-version <N>",
    "version of a new stream, 0 or 1",
    read.integerFrom("--first-stream-version", 0, 1),
    0,
  )
  .option(
    "--profile <NAME>",
    "how requests that deviate are met: strict or lenient",
    read.oneOf("--profile", ["strict", "lenient"]),
    "lenient",
  )
  .option(
    "--pace-bytes-per-second <N>",
    "bytes of blocks that one thing gets in a second; no limit by default",
    read.integerFrom("--pace-bytes-per-second", LOWEST_PACE, HIGHEST_PACE),
  )
  .option(
    "--quotas <NAME>",
    "none, or aws: what the real service delays, discards and refuses, with a log line for each",
    read.oneOf("--quotas", ["none", "aws"]),
    "none",
  )
  .option("--region <REGION>", "AWS region in ARNs and for storage", read.region, "us-east-1")
  .option(
    "--partition <NAME>",
    "AWS partition in ARNs",
    read.oneOf("--partition", ["aws", "aws-cn", "aws-us-gov"]),
    "aws",
  )
  .option("--account <ID>", "AWS account in ARNs", read.accountId, "123456789012")
  .option(
    "--max-file-bytes <BYTES>",
    "largest file",
    read.integerFrom("--max-file-bytes", 1, HIGHEST_MAX_FILE_BYTES),
    DEFAULT_MAX_FILE_BYTES,
  )
  .option(
    "--max-files <N>",
    "most files in a stream",
    read.integerFrom("--max-files", 1, MAX_FILES_PER_STREAM),
    MAX_FILES_PER_STREAM,
  )
  .option("--max-streams <N>", "most streams; none by default", read.integerFrom("--max-streams", 1, 1_000_000_000))
  .option(
    "--max-requests-per-second <N>",
    "requests to the stream API that are let through; 0 is no limit",
    read.integerFrom("--max-requests-per-second", 0, 1_000_000),
    0,
  )
  .option(
    "--check-interval <MILLISECONDS>",
    "how old the last look at an object may be",
    read.integerFrom("--check-interval", 0, 3_600_000),
    1000,
  )
  .option(
    "--serve-stale <SECONDS>",
    "go on with the bytes at hand for so long while storage cannot be asked",
    read.integerFrom("--serve-stale", 0, 31_536_000),
    0,
  )
  .option("--cache-mib <N>", "memory for files", read.integerFrom("--cache-mib", 1, 1_048_576), 256)
  .option("--json", "print one line of JSON on stdout once everything accepts connections", false)
  .action(async (flags) =>
    (await load.serve()).runServe({
      ...flags,
      s3Endpoints: flags.s3Endpoint ?? [],
      observers: flags.observer ?? [],
      brokerUrl: flags.broker,
      control: {
        region: flags.region,
        accountId: flags.account,
        partition: flags.partition,
        firstStreamVersion: flags.firstStreamVersion,
        maxFileBytes: flags.maxFileBytes,
        maxFilesPerStream: flags.maxFiles,
        maxStreams: flags.maxStreams,
        maxRequestsPerSecond: flags.maxRequestsPerSecond,
      },
      cacheBytes: flags.cacheMib * MEBIBYTE,
      checkIntervalMs: flags.checkInterval,
      serveStaleMs: flags.serveStale * 1000,
      log: openLog(flags.logLevel),
    }),
  );

addApi(program.command("publish").description("upload files and create a stream of them"))
  .argument("<file...>", "the files; their ids are 0, 1, 2 ...")
  .option("--stream-id <ID>", "default: a random one", read.streamId)
  .option("--description <TEXT>", "description of the stream")
  .option("--bucket <NAME>", "created when missing", read.someText("--bucket"), "otastream")
  .option(
    "--s3-endpoint <URL>",
    "storage; default: http://127.0.0.1:9000 beside a local API, AWS otherwise",
    read.urlWith("--s3-endpoint", HTTP),
  )
  .option("--role-arn <ARN>", "role the service reads the files with; needed for the real service")
  .action(async (files: string[], flags) => (await load.publish()).runPublish({ ...flags, files }));

addLogLevel(program.command("download").description("fetch a stream as one device and verify it"), "warn")
  .argument("<streamId>", "the stream", read.streamId)
  .option("--broker <URL>", "the broker", read.urlWith("--broker", MQTT), LOCAL_BROKER)
  .option("--thing <NAME>", "thing name and MQTT client id; default: device-<random>", read.thingName)
  .option("--file-id <N>", "only this file", read.integerFrom("--file-id", 0, MAX_FILE_ID))
  .option(
    "--block-size <BYTES>",
    "block size",
    read.integerFrom("--block-size", MIN_BLOCK_SIZE_BYTES, MAX_BLOCK_SIZE_BYTES),
    4096,
  )
  .option("--format <FORMAT>", "cbor or json", read.format, "cbor")
  .option("--out <DIR>", "files become DIR/<streamId>/<fileId>", read.someText("--out"), "./downloads")
  .option(
    "--crc32 <HEX>",
    "CRC-32 the file must have; of a stream with several files, name one with --file-id",
    read.crc32,
  )
  .option("--sha256 <HEX>", "SHA-256 the file must have, likewise", read.sha256)
  .option("--base <FILE>", "older image: blocks that did not change come from there, likewise", read.someText("--base"))
  .option("--require-digest", "refuse a file that can only be verified by its size", false)
  .option("--json", "print one line of JSON at the end", false)
  .action(async (streamId: string, flags) => {
    const { blockSize: blockSizeBytes, crc32, sha256, logLevel } = flags;
    const digests = { ...(crc32 !== undefined && { crc32 }), ...(sha256 !== undefined && { sha256 }) };
    return (await load.download()).runDownload({ ...flags, streamId, blockSizeBytes, digests, log: openLog(logLevel) });
  });

const streams = program.command("streams").description("look at the streams");
addApi(streams.command("list").description("all streams, the oldest first")).action(async (flags) =>
  (await load.streams()).runStreamsList(flags),
);
addApi(
  streams
    .command("describe")
    .description("one stream and its files")
    .argument("<streamId>", "the stream", read.streamId),
).action(async (streamId: string, flags) => (await load.streams()).runStreamsDescribe(streamId, flags));
addApi(
  streams
    .command("delete")
    .description("delete one stream; its objects stay")
    .argument("<streamId>", "the stream", read.streamId),
).action(async (streamId: string, flags) => (await load.streams()).runStreamsDelete(streamId, flags));

addLogLevel(program.command("demo").description("serve, publish, download and compare, in one command"), "warn")
  .argument("[files...]", "default: seven real firmware images")
  .option("--keep", "leave the server running until Ctrl-C", false)
  .action(async (files: string[], flags) =>
    (await load.demo()).runDemo({ files, keep: flags.keep, log: openLog(flags.logLevel) }),
  );

declareFleet(
  addLogLevel(program.command("fleet").description("load test: many simulated devices fetch one stream"), "warn"),
);

outliveReaders();
try {
  await program.parseAsync();
} catch (error) {
  // Commander has told the person already; its usage errors have status 1, and asking for help has 0.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = tellFailure(error);
}
