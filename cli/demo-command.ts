/** `otastream demo`: the whole way of a firmware image, from storage to a verified file, in one command. */
import { readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import type { DownloadedFile } from "../device/file-receiver.ts";
import type { Log } from "../shared/log.ts";
import { formatChecksum } from "../shared/protocol/block-checksums.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import { download } from "./download-command.ts";
import { PRIVATE_REGION, privateServer } from "./private-server.ts";
import { publishFiles } from "./publish-command.ts";
import { type Server, startServer } from "./server.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";
import { interruption, print, tell, untilAborted } from "./terminal.ts";

/** What the command line says. */
export interface DemoOptions {
  /** Empty: the firmware images of the development dependency. */
  readonly files: readonly string[];
  /** Leave the server running until a signal. */
  readonly keep: boolean;
  readonly log: Log;
}

const STREAM_ID = "demo";
const BLOCK_SIZE_BYTES = 4096;
const FIRMWARE_PACKAGE = "@pybricks/firmware";

/** Runs the demo; rejects with OtaError when anything is not as it should be. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const signal = interruption();
  const files = options.files.length > 0 ? options.files : await findFirmware();
  const directory = await makeTemporaryDirectory("demo");
  try {
    const server = await startDemoServer(directory, options.log);
    try {
      await showDelivery(server, files, directory, options.log, signal);
      if (options.keep && !signal.aborted) await keepServing(server, signal);
    } finally {
      await server.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function startDemoServer(directory: string, log: Log): Promise<Server> {
  return startServer({ ...privateServer(join(directory, "server"), log), observers: ["observer"] });
}

async function showDelivery(
  server: Server,
  files: readonly string[],
  directory: string,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { http, mqtt, s3 } = server.urls;
  tell(`server    MQTT ${mqtt}, stream API ${http}, storage ${s3}`);
  const published = await publishFiles(
    {
      files,
      streamId: STREAM_ID,
      description: "otastream demo",
      bucket: "otastream",
      endpoint: http,
      s3Endpoint: s3,
      region: PRIVATE_REGION,
      json: false,
    },
    (line) => tell(`storage   ${line}`),
  );
  tell(
    `stream    ${published.streamArn}, version ${published.streamVersion}, ${published.files.length} ${published.files.length === 1 ? "file" : "files"}`,
  );
  const nameOf = (fileId: number): string => published.files[fileId]?.name ?? `file ${fileId}`;
  const result = await download(
    {
      streamId: STREAM_ID,
      broker: mqtt,
      blockSizeBytes: BLOCK_SIZE_BYTES,
      format: "cbor",
      out: join(directory, "device"),
      digests: {},
      requireDigest: true,
      json: false,
      log,
    },
    signal,
    nameOf,
  );
  await printTable(result.files, files, nameOf);
}

async function printTable(
  downloaded: readonly DownloadedFile[],
  originals: readonly string[],
  nameOf: (fileId: number) => string,
): Promise<void> {
  const rows = await Promise.all(
    downloaded.map(async (file) => {
      const [original, copy] = await Promise.all([readFile(originals[file.fileId] as string), readFile(file.path)]);
      return [
        nameOf(file.fileId),
        `${file.sizeBytes}`,
        `${file.blocks}`,
        `${file.requests}`,
        `${file.milliseconds} ms`,
        formatChecksum(file.crc32),
        original.equals(copy) ? "ok" : "DIFFERS",
      ];
    }),
  );
  const table = [["file", "bytes", "blocks", "requests", "time", "crc32", "compared with the original"], ...rows];
  const widths = (table[0] as string[]).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  for (const row of table) {
    print(
      row
        .map((cell, column) =>
          column === 0
            ? cell.padEnd(widths[0] as number)
            : cell.padStart(column === 6 ? 0 : (widths[column] as number)),
        )
        .join("  "),
    );
  }
  const differing = rows.find((row) => row.at(-1) !== "ok");
  if (differing !== undefined) throw new OtaError("DigestMismatch", `${differing[0]} differs from its original`);
}

async function keepServing(server: Server, signal: AbortSignal): Promise<void> {
  const { mqtt, http } = server.urls;
  const { hostname, port } = new URL(mqtt);
  print(`watch    mosquitto_sub -h ${hostname} -p ${port} -i observer -t '$aws/#' -F '%t %l bytes'`);
  print(`fetch    otastream download ${STREAM_ID} --broker ${mqtt}`);
  print(`look     otastream streams describe ${STREAM_ID} --endpoint ${http}`);
  print("Ctrl-C stops the server and removes its files.");
  await untilAborted(signal);
}

async function findFirmware(): Promise<string[]> {
  try {
    const folder = join(dirname(createRequire(import.meta.url).resolve(`${FIRMWARE_PACKAGE}/package.json`)), "build");
    const names = (await readdir(folder)).filter((name) => name.endsWith(".zip")).sort();
    return names.map((name) => join(folder, basename(name)));
  } catch (cause) {
    throw new OtaError("FileNotReadable", `${FIRMWARE_PACKAGE} is not installed: name the files to deliver`, { cause });
  }
}
