/** Puts files into S3-compatible storage, as `publish` does before it creates a stream. */
import { OtaError } from "../../shared/protocol/errors.ts";
import type { AwsCredentials } from "./credentials.ts";
import { connectS3, type S3Connection, type S3Part, type S3Target, type S3WriteAnswer } from "./s3-client.ts";
import { classifyS3Error } from "./s3-failure.ts";
import { type OpenSource, openSource, type UploadSource } from "./upload-source.ts";

/** How far one file is. */
export interface UploadProgress {
  readonly key: string;
  readonly uploadedBytes: number;
  readonly sizeBytes: number;
}

/** What {@link uploadFiles} is called with. */
export interface UploadOptions {
  /** An `http` or `https` URL; absent is AWS itself. */
  readonly endpoint?: string;
  readonly region: string;
  /** Created when missing. */
  readonly bucket: string;
  readonly files: readonly UploadSource[];
  /** Absent: dummy ones for a loopback endpoint where the environment has none, else the SDK's default chain. */
  readonly credentials?: AwsCredentials;
  /** Called at the start and after each part the store took. */
  readonly onProgress?: (progress: UploadProgress) => void;
  /** Longest wait for a connection, in milliseconds, each attempt; 5000 by default. */
  readonly connectTimeoutMs?: number;
  /** Longest wait for the store to take one part, in milliseconds, each attempt; 120000 by default. */
  readonly requestTimeoutMs?: number;
  /** How often a request is sent at most, the first time included; 3 by default. */
  readonly maxAttempts?: number;
}

/** One object as the store took it. */
export interface UploadedObject {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** Quotes included, as S3 gives it. */
  readonly etag: string;
  /** Present when the bucket keeps versions. */
  readonly versionId?: string;
}

/** Anything larger goes up in parts of this size: S3 takes no smaller ones, and some servers no much larger ones. */
const PART_BYTES = 8 * 1024 * 1024;
const HEAD_TIMEOUT_MS = 30_000;

/**
 * Uploads the files one after the other and resolves with one object for each, in order. Every path is opened before
 * anything is sent. Rejects with OtaError `FileNotReadable`, `StoreUnreachable`, `StoreAccessDenied`, `FileTooLarge`
 * (the store's limit) or `InvalidArgument`; objects already uploaded stay.
 */
export async function uploadFiles(options: UploadOptions): Promise<UploadedObject[]> {
  const { connectTimeoutMs = 5000, requestTimeoutMs = 120_000, maxAttempts = 3, bucket } = options;
  const s3 = connectS3({ ...options, connectTimeoutMs, requestTimeoutMs, maxAttempts });
  const sources: OpenSource[] = [];
  try {
    for (const file of options.files) sources.push(await openSource(file));
    await ensureBucket(s3, bucket);
    const uploaded: UploadedObject[] = [];
    for (const source of sources) uploaded.push(await uploadOne(s3, bucket, source, options.onProgress));
    return uploaded;
  } finally {
    for (const source of sources) await source.close();
    s3.close();
  }
}

/** Creates the bucket when it is missing; another one creating it at the same time is as good. */
async function ensureBucket(s3: S3Connection, bucket: string): Promise<void> {
  const found = await s3.headBucket(bucket).then(
    () => true,
    (error: unknown) => {
      const { kind } = classifyS3Error(error);
      // Who may write objects may still not be allowed to look at the bucket: the upload itself will tell.
      if (kind === "Denied") return true;
      if (kind === "NoObject") return false;
      throw uploadError(error, s3, `bucket ${bucket} could not be looked up`);
    },
  );
  if (found) return;
  await s3.createBucket(bucket).catch(async (error: unknown) => {
    const failed = uploadError(error, s3, `bucket ${bucket} could not be created`);
    if (classifyS3Error(error).kind !== "Conflict") throw failed;
    await s3.headBucket(bucket).catch(() => {
      throw failed;
    });
  });
}

async function uploadOne(
  s3: S3Connection,
  bucket: string,
  source: OpenSource,
  onProgress: UploadOptions["onProgress"],
): Promise<UploadedObject> {
  const { key, sizeBytes } = source;
  const report = (uploadedBytes: number) => onProgress?.({ key, uploadedBytes, sizeBytes });
  report(0);
  try {
    const { etag, versionId } =
      sizeBytes <= PART_BYTES
        ? await uploadWhole(s3, { bucket, key }, source, report)
        : await uploadInParts(s3, { bucket, key }, source, report);
    // Some stores name none when they have put parts together.
    const finalEtag = etag || (await s3.headObject({ bucket, key }, AbortSignal.timeout(HEAD_TIMEOUT_MS))).etag;
    if (!finalEtag) throw new Error("the store named no ETag");
    return { bucket, key, sizeBytes, etag: finalEtag, ...(versionId === undefined ? {} : { versionId }) };
  } catch (error) {
    throw uploadError(error, s3, `s3://${bucket}/${key} could not be uploaded`);
  }
}

type Report = (uploadedBytes: number) => void;

async function uploadWhole(
  s3: S3Connection,
  target: S3Target,
  source: OpenSource,
  report: Report,
): Promise<S3WriteAnswer> {
  const written = await s3.putObject(target, await source.read(0, source.sizeBytes));
  report(source.sizeBytes);
  return written;
}

async function uploadInParts(
  s3: S3Connection,
  target: S3Target,
  source: OpenSource,
  report: Report,
): Promise<S3WriteAnswer> {
  const uploadId = await s3.startMultipartUpload(target);
  try {
    const parts: S3Part[] = [];
    for (let offset = 0; offset < source.sizeBytes; offset += PART_BYTES) {
      const bytes = await source.read(offset, Math.min(PART_BYTES, source.sizeBytes - offset));
      parts.push(await s3.uploadPart(target, uploadId, parts.length + 1, bytes));
      report(offset + bytes.length);
    }
    return await s3.completeMultipartUpload(target, uploadId, parts);
  } catch (error) {
    // Parts left behind cost space; the first error is the one to tell.
    await s3.abortMultipartUpload(target, uploadId).catch(() => {});
    throw error;
  }
}

function uploadError(error: unknown, s3: S3Connection, what: string): OtaError {
  if (error instanceof OtaError) return error;
  const { kind, reason } = classifyS3Error(error);
  const message = `${what} at ${s3.place}: ${reason}`;
  if (kind === "Unreachable") return new OtaError("StoreUnreachable", message, { cause: error, retryable: true });
  if (kind === "Denied" || kind === "Conflict") return new OtaError("StoreAccessDenied", message, { cause: error });
  return new OtaError(kind === "TooLarge" ? "FileTooLarge" : "InvalidArgument", message, { cause: error });
}
