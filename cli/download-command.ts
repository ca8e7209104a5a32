/** `otastream download`: one device that fetches a stream and verifies it. */
import { randomBytes } from "node:crypto";
import { type DownloadResult, downloadStream } from "../device/agent.ts";
import { systemFileSystem } from "../device/file-system.ts";
import type { ExpectedDigests } from "../device/protocol/expected-digests.ts";
import { systemClock } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import { createDeviceTransport } from "../shared/mqtt-connection.ts";
import { formatChecksum } from "../shared/protocol/block-checksums.ts";
import type { Format } from "../shared/protocol/topics.ts";
import { systemRandom } from "../shared/random.ts";
import { showDownload } from "./download-progress.ts";
import { interruption, print, tell } from "./terminal.ts";

/** What the command line says. */
export interface DownloadCommandOptions {
  readonly streamId: string;
  readonly broker: string;
  /** Absent: `device-` and random digits, so that two runs do not take each other's connection. */
  readonly thing?: string;
  readonly fileId?: number;
  readonly blockSizeBytes: number;
  readonly format: Format;
  readonly out: string;
  readonly digests: ExpectedDigests;
  readonly requireDigest: boolean;
  /** An older image of the file. */
  readonly base?: string;
  readonly json: boolean;
  readonly log: Log;
}

/** Downloads and prints what became of each file. */
export async function runDownload(options: DownloadCommandOptions): Promise<void> {
  const result = await download(options, interruption(), (fileId) => `file ${fileId}`);
  if (options.json) {
    print(JSON.stringify(formatResult(result)));
    return;
  }
  for (const file of result.files) {
    const resumed = file.resumedBlocks === 0 ? "" : `, ${file.resumedBlocks} of them held before`;
    const based = file.baseBlocks === 0 ? "" : `, ${file.baseBlocks} of them taken from the base`;
    print(
      `file ${file.fileId}  ${file.path}  ${file.sizeBytes} bytes in ${file.blocks} blocks${resumed}${based}, ${file.requests} requests, ${file.milliseconds} ms, crc32 ${formatChecksum(file.crc32)}, verified by ${file.verified}`,
    );
  }
  if (result.files.some(({ verified }) => verified === "size")) {
    tell(
      "otastream: the stream gives no digest, so a file was verified by its size only; name one with --crc32 or --sha256",
    );
  }
}

/** Downloads with visible progress; `nameOf` labels a file. */
export async function download(
  options: DownloadCommandOptions,
  signal: AbortSignal,
  nameOf: (fileId: number) => string,
): Promise<DownloadResult> {
  const { base, broker, digests, fileId, json, log, out, thing = `device-${randomBytes(4).toString("hex")}` } = options;
  const progress = json ? undefined : showDownload(nameOf);
  try {
    return await downloadStream({
      transport: createDeviceTransport({ url: broker, clientId: thing, log, random: systemRandom }),
      thing,
      streamId: options.streamId,
      ...(fileId !== undefined && { fileId }),
      blockSizeBytes: options.blockSizeBytes,
      format: options.format,
      directory: out,
      digests,
      requireDigest: options.requireDigest,
      ...(base !== undefined && { basePath: base }),
      fileSystem: systemFileSystem,
      clock: systemClock,
      random: systemRandom,
      log,
      signal,
      ...(progress !== undefined && { onProgress: progress.show }),
    });
  } finally {
    progress?.stop();
  }
}

function formatResult({ streamId, streamVersion, files }: DownloadResult): object {
  return {
    streamId,
    streamVersion,
    files: files.map((file) => ({
      fileId: file.fileId,
      path: file.path,
      bytes: file.sizeBytes,
      blocks: file.blocks,
      resumedBlocks: file.resumedBlocks,
      ...(file.baseBlocks > 0 && { baseBlocks: file.baseBlocks }),
      requests: file.requests,
      duplicates: file.duplicates,
      milliseconds: file.milliseconds,
      crc32: formatChecksum(file.crc32),
      sha256: file.sha256,
      verified: file.verified,
    })),
  };
}
