/** Turns the files a caller names into what is recorded of them: looks every object up, then reads it for its digests. */
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
import { mapConcurrently } from "./map-concurrently.ts";

/** How many objects of one request are looked up or read at a time; bounds memory to as many whole files. */
const CONCURRENCY = 4;

/**
 * Resolves every file: size, ETag, version id, CRC-32 and SHA-256 of its object (docs/PROTOCOL.md section 1). All sizes
 * are checked before the first byte is read. An object replaced between look-up and read is tried once more. Throws
 * ApiException: what the store says becomes ResourceNotFound, Unauthorized, LimitExceeded or ServiceUnavailable.
 */
export async function resolveObjects(
  store: ObjectStore,
  files: readonly FileInput[],
  rules: StreamRules,
): Promise<readonly StreamFile[]> {
  const infos = await mapConcurrently(files, CONCURRENCY, (file) => lookUp(store, file, rules));
  return mapConcurrently(files, CONCURRENCY, async (file, index) => {
    const content = await readUnchanged(store, file, infos[index] as ObjectInfo, rules);
    return describeFile(file, content);
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

function describeFile(file: FileInput, content: ObjectContent): StreamFile {
  return {
    fileId: file.fileId,
    s3Location: file.s3Location,
    sizeBytes: content.bytes.length,
    etag: content.etag,
    ...(content.versionId === undefined ? {} : { versionId: content.versionId }),
    crc32: crc32(content.bytes),
    sha256: createHash("sha256").update(content.bytes).digest("hex"),
  };
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
