/** Turns the files a caller names into what is recorded of them: looks every object up, and reads it for its digests. */
import { createHash } from "node:crypto";
import { crc32 } from "../../shared/crc32.ts";
import {
  type ObjectContent,
  type ObjectInfo,
  type ObjectStore,
  ObjectStoreError,
} from "../object-store/object-store.ts";
import { ApiException } from "../protocol/api-exception.ts";
import type { StreamFile } from "../protocol/stream.ts";
import type { FileInput } from "../protocol/stream-input.ts";
import { checkFileSize, type StreamRules } from "../protocol/stream-rules.ts";
import type { DigestMemory, Digests } from "./digest-memory.ts";
import { mapConcurrently } from "./map-concurrently.ts";

/** How many objects of one request are looked up or read at a time; bounds memory to as many whole files. */
const CONCURRENCY = 4;

/**
 * Resolves every file: size, ETag, version id, CRC-32 and SHA-256 of its object (docs/PROTOCOL.md section 1). All sizes
 * are checked before the first byte is read; one whose digests are remembered is not read. An object replaced between look-up and read is tried once more. Throws
 * ApiException: what the store says becomes ResourceNotFound, Unauthorized, LimitExceeded or ServiceUnavailable.
 */
export async function resolveObjects(
  store: ObjectStore,
  files: readonly FileInput[],
  rules: StreamRules,
  memory: DigestMemory,
): Promise<readonly StreamFile[]> {
  const infos = await mapConcurrently(files, CONCURRENCY, (file) => lookUp(store, file, rules));
  return mapConcurrently(files, CONCURRENCY, async (file, index) => {
    const info = infos[index] as ObjectInfo;
    const remembered = memory.recall(file.s3Location, info);
    if (remembered !== undefined) return describeFile(file, info, remembered);
    const content = await readUnchanged(store, file, info, rules);
    const found = { ...content, sizeBytes: content.bytes.length };
    const digests = digestsOf(content.bytes);
    memory.remember(file.s3Location, found, digests);
    return describeFile(file, found, digests);
  });
}

async function lookUp(store: ObjectStore, file: FileInput, rules: StreamRules): Promise<ObjectInfo> {
  const info = await asApiExceptions(file, rules, () => store.head(file.s3Location));
  checkFileSize(file.fileId, info.sizeBytes, rules);
  return info;
}

async function readUnchanged(
  store: ObjectStore,
  file: FileInput,
  info: ObjectInfo,
  rules: StreamRules,
): Promise<ObjectContent> {
  const read = (etag: string) => store.read(file.s3Location, { maxBytes: rules.maxFileBytes, etag });
  return asApiExceptions(file, rules, async () => {
    try {
      return await read(info.etag);
    } catch (error) {
      if (!(error instanceof ObjectStoreError) || error.failure !== "Changed") throw error;
    }
    const replaced = await lookUp(store, file, rules);
    return read(replaced.etag);
  });
}

function describeFile({ fileId, s3Location }: FileInput, info: ObjectInfo, digests: Digests): StreamFile {
  const { sizeBytes, etag, versionId } = info;
  return { fileId, s3Location, sizeBytes, etag, ...(versionId === undefined ? {} : { versionId }), ...digests };
}

function digestsOf(bytes: Uint8Array): Digests {
  return { crc32: crc32(bytes), sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function asApiExceptions<T>(file: FileInput, rules: StreamRules, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof ObjectStoreError ? toApiException(error, file, rules) : error;
  }
}

function toApiException(error: ObjectStoreError, file: FileInput, rules: StreamRules): ApiException {
  const message = `file ${file.fileId}: ${error.message}`;
  const options = { cause: error };
  switch (error.failure) {
    case "NotFound":
    case "VersionNotKept":
      return new ApiException("ResourceNotFoundException", message, options);
    case "AccessDenied":
      return new ApiException("UnauthorizedException", message, options);
    case "TooLarge": {
      const tooLarge = `file ${file.fileId} has more bytes than the limit, ${rules.maxFileBytes}: ${error.message}`;
      return new ApiException("LimitExceededException", tooLarge, options);
    }
    case "Changed":
    case "Unavailable":
      return new ApiException("ServiceUnavailableException", message, options);
  }
}
