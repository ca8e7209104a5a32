/** Decides which blocks answer a GetStream request, or why none do. No IO. */
import { nextSetBit } from "../../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../../shared/protocol/blocks.ts";
import type { RequestProfile } from "../../shared/protocol/decode.ts";
import { isFileId } from "../../shared/protocol/ids.ts";
import { MAX_CHECKSUMS_PER_MESSAGE, MAX_FILE_ID, MAX_RESPONSE_BYTES } from "../../shared/protocol/limits.ts";
import type { Description, GetRequest, ManifestRequest } from "../../shared/protocol/messages.ts";
import { accepted, type Checked, refused } from "../../shared/protocol/rejection.ts";
import type { StreamFile, StreamRecord } from "./stream.ts";

/** The answer to a request: these blocks of this file. */
export interface ResponsePlan {
  readonly clientToken: string | undefined;
  readonly file: StreamFile;
  readonly blockSizeBytes: number;
  /** Ascending, at least one, together at most 131,072 bytes. */
  readonly blockIds: Uint32Array;
  /** What the lenient profile forgave, each a short phrase. */
  readonly forgiven: readonly string[];
}

const NOTHING: readonly string[] = [];
const MISSING_COUNT: readonly string[] = ["block count (n) missing beside a block bitmap (b)"];

/**
 * Plans the answer to a request whose fields are in range: b selects and n caps; n alone takes the blocks from the
 * offset on; neither takes as many as one answer holds (docs/PROTOCOL.md section 2). Checks the stream version, the
 * file and the blocks, in this order.
 */
export function planGet(request: GetRequest, stream: StreamRecord, profile: RequestProfile): Checked<ResponsePlan> {
  const found = findFile(request, stream);
  if (!found.ok) return found;
  const file = found.value;
  const { clientToken, blockSizeBytes } = request;
  const blockCount = countBlocks(file.sizeBytes, blockSizeBytes);
  const isCountMissing = lacksCount(request, blockCount);
  if (profile === "strict" && isCountMissing) {
    const message = `block count (n) is missing beside a block bitmap (b), and the file has only ${blockCount} blocks: refused by the strict profile`;
    return refused("InvalidRequest", message, clientToken);
  }
  const blockIds = selectBlocks(request, file.sizeBytes, blockCount);
  if (blockIds.length === 0) {
    const message = `block bitmap (b) asks for no block of the file, which has ${blockCount} blocks of ${blockSizeBytes} bytes`;
    return refused("ResourceNotFound", message, clientToken);
  }
  const forgiven = isCountMissing ? MISSING_COUNT : NOTHING;
  return accepted({ clientToken, file, blockSizeBytes, blockIds, forgiven });
}

/** The answer to a manifest request: the CRC-32 of these blocks of this file. */
export interface ManifestPlan {
  readonly clientToken: string | undefined;
  readonly file: StreamFile;
  readonly blockSizeBytes: number;
  readonly blockOffset: number;
  /** At least one, at most 16,384. */
  readonly blockCount: number;
}

/** Plans the answer to a manifest request: n blocks from o on, or all, as far as one message goes (section 3). */
export function planManifest(request: ManifestRequest, stream: StreamRecord): Checked<ManifestPlan> {
  const found = findFile(request, stream);
  if (!found.ok) return found;
  const file = found.value;
  const { clientToken, blockSizeBytes, blockOffset = 0 } = request;
  const left = countBlocks(file.sizeBytes, blockSizeBytes) - blockOffset;
  const blockCount = Math.min(left, request.blockCount || left, MAX_CHECKSUMS_PER_MESSAGE);
  return accepted({ clientToken, file, blockSizeBytes, blockOffset, blockCount });
}

/** Describes a stream as a device sees it; the strict profile leaves out what section 3 adds. */
export function planDescription(stream: StreamRecord, profile: RequestProfile): Description {
  return {
    streamVersion: stream.streamVersion,
    ...(stream.description !== undefined && { description: stream.description }),
    files: stream.files.map(({ fileId, sizeBytes, crc32, sha256 }) =>
      profile === "strict" ? { fileId, sizeBytes } : { fileId, sizeBytes, crc32, sha256 },
    ),
    ...(profile !== "strict" && { hasManifest: true }),
  };
}

/** The file of a request, once its stream version is the latest and its offset lies inside the file. */
function findFile(request: ManifestRequest, stream: StreamRecord): Checked<StreamFile> {
  const { clientToken, streamVersion, fileId, blockSizeBytes, blockOffset = 0 } = request;
  if (streamVersion !== undefined && streamVersion !== stream.streamVersion) {
    return refused("VersionMismatch", describeMismatch(streamVersion, stream.streamVersion), clientToken);
  }
  if (!isFileId(fileId)) {
    return refused("InvalidRequest", `file id (f) must be 0 to ${MAX_FILE_ID}, not ${BigInt(fileId)}`, clientToken);
  }
  const file = fileOf(stream, fileId);
  if (file === undefined) {
    return refused("ResourceNotFound", `file id (f) ${fileId} is not in stream ${stream.streamId}`, clientToken);
  }
  const blockCount = countBlocks(file.sizeBytes, blockSizeBytes);
  if (blockOffset < blockCount) return accepted(file);
  const message = `block offset (o) ${blockOffset} is past the end: the file has ${blockCount} blocks of ${blockSizeBytes} bytes`;
  return refused("ResourceNotFound", message, clientToken);
}

function fileOf({ files }: StreamRecord, fileId: number): StreamFile | undefined {
  for (const file of files) if (file.fileId === fileId) return file;
  return undefined;
}

function describeMismatch(asked: number, current: number): string {
  const message = `stream version (s) must be the latest, ${current}, not ${BigInt(asked)}`;
  // A stock client in JSON mode always sends 1, and a new stream here starts at 0 unless told otherwise.
  return asked === 1 && current === 0
    ? `${message}; for a client that always sends 1, create the stream with the server option --first-stream-version 1`
    : message;
}

/** The one case in which a stock server insists on n (docs/PROTOCOL.md section 2, profiles). */
function lacksCount(request: GetRequest, blockCount: number): boolean {
  const wanted = Math.floor(MAX_RESPONSE_BYTES / request.blockSizeBytes);
  return request.blockBitmap !== undefined && !request.blockCount && wanted > blockCount;
}

function selectBlocks(request: GetRequest, sizeBytes: number, blockCount: number): Uint32Array {
  const { blockSizeBytes, blockOffset = 0, blockBitmap } = request;
  // Every block is at least a byte long, and all but the last one have the whole size: one more than fits is the bound.
  const most = Math.floor(MAX_RESPONSE_BYTES / blockSizeBytes) + 1;
  const cap = Math.min(request.blockCount || (blockBitmap === undefined ? most - 1 : most), most, blockCount);
  const selected = new Uint32Array(cap);
  let count = 0;
  let bytes = 0;
  let blockId = blockBitmap === undefined ? blockOffset : nextSelected(blockBitmap, blockOffset, blockOffset);
  while (count < cap && blockId >= 0 && blockId < blockCount) {
    bytes += blockLength(blockId, sizeBytes, blockSizeBytes);
    if (bytes > MAX_RESPONSE_BYTES) break;
    selected[count++] = blockId;
    blockId = blockBitmap === undefined ? blockId + 1 : nextSelected(blockBitmap, blockOffset, blockId + 1);
  }
  return count === cap ? selected : selected.subarray(0, count);
}

/** The first block at or after `from` that a bitmap selects, or -1. */
function nextSelected(blockBitmap: Uint8Array, blockOffset: number, from: number): number {
  const bit = nextSetBit(blockBitmap, from - blockOffset);
  return bit < 0 ? -1 : blockOffset + bit;
}
