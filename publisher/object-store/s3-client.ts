/** One connection to S3-compatible storage: the few operations otastream needs, on the official client. */
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { S3Location } from "../protocol/stream.ts";
import { type AwsCredentials, defaultCredentials } from "./credentials.ts";

/** Where the storage is and how long to wait for it. */
export interface S3ConnectionOptions {
  /** An `http` or `https` URL; absent is AWS itself. */
  readonly endpoint?: string;
  readonly region: string;
  /** Absent: dummy ones for a loopback endpoint where the environment has none, else the SDK's default chain. */
  readonly credentials?: AwsCredentials;
  /** Longest wait for a connection, in milliseconds, each attempt. */
  readonly connectTimeoutMs: number;
  /** Longest wait for the head of an answer, in milliseconds, each attempt. */
  readonly requestTimeoutMs: number;
  /** How often a request is sent at most, the first time included. */
  readonly maxAttempts: number;
}

/** What an answer says of an object; a member the store left out is undefined. */
export interface S3ObjectAnswer {
  readonly sizeBytes: number | undefined;
  readonly etag: string | undefined;
  readonly versionId: string | undefined;
}

/** An answer whose bytes are still to be read. */
export interface S3BodyAnswer extends S3ObjectAnswer {
  readonly body: Readable;
}

/** What an answer to a write says of the new object. */
export type S3WriteAnswer = Omit<S3ObjectAnswer, "sizeBytes">;

/** A bucket and a key. */
export type S3Target = Pick<S3Location, "bucket" | "key">;

/** What the store said of an uploaded part. */
export interface S3Part {
  readonly etag: string;
  /** From 1. */
  readonly partNumber: number;
}

/** The operations. Each rejects with what the SDK threw: see {@link classifyS3Error}. */
export interface S3Connection {
  /** The endpoint in words, for messages. */
  readonly place: string;
  headObject(location: S3Location, signal: AbortSignal): Promise<S3ObjectAnswer>;
  /** With `etag`, only if the object is still that one. */
  getObject(location: S3Location, etag: string | undefined, signal: AbortSignal): Promise<S3BodyAnswer>;
  headBucket(bucket: string): Promise<void>;
  createBucket(bucket: string): Promise<void>;
  putObject(target: S3Target, bytes: Uint8Array): Promise<S3WriteAnswer>;
  startMultipartUpload(target: S3Target): Promise<string>;
  uploadPart(target: S3Target, uploadId: string, partNumber: number, bytes: Uint8Array): Promise<S3Part>;
  completeMultipartUpload(target: S3Target, uploadId: string, parts: readonly S3Part[]): Promise<S3WriteAnswer>;
  abortMultipartUpload(target: S3Target, uploadId: string): Promise<void>;
  close(): void;
}

/** Connects on first use. Throws OtaError `InvalidArgument` for an endpoint that is not an http or https URL. */
export function connectS3(options: S3ConnectionOptions): S3Connection {
  const client = createClient(options);
  return {
    place: options.endpoint ?? `Amazon S3 in ${options.region}`,
    ...objectReads(client),
    ...bucketOperations(client, options),
    ...objectWrites(client),
    close: () => client.destroy(),
  };
}

function createClient(options: S3ConnectionOptions): S3Client {
  const { endpoint, region } = options;
  const credentials = options.credentials ?? defaultCredentials(endpoint);
  return new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: !isAwsHost(parseEndpoint(endpoint).hostname) }),
    ...(credentials === undefined ? {} : { credentials }),
    followRegionRedirects: true,
    maxAttempts: options.maxAttempts,
    // Stores older than these checksums refuse them in uploads; the answers' own are still checked where present.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_SUPPORTED",
    requestHandler: {
      connectionTimeout: options.connectTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
  });
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new OtaError("InvalidArgument", `S3 endpoint "${endpoint}" is not an http:// or https:// URL`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new OtaError("InvalidArgument", `S3 endpoint ${url.host} must not carry a user name or password`);
  }
  return url;
}

function isAwsHost(hostname: string): boolean {
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(hostname);
}

function objectReads(client: S3Client): Pick<S3Connection, "headObject" | "getObject"> {
  return {
    async headObject(location, signal) {
      const answer = await client.send(new HeadObjectCommand(objectInput(location)), { abortSignal: signal });
      return { sizeBytes: answer.ContentLength, etag: answer.ETag, versionId: answer.VersionId };
    },
    async getObject(location, etag, signal) {
      const input = { ...objectInput(location), ...(etag === undefined ? {} : { IfMatch: etag }) };
      const answer = await client.send(new GetObjectCommand(input), { abortSignal: signal });
      if (!(answer.Body instanceof Readable)) throw new Error("the S3 client gave no stream of bytes");
      return {
        sizeBytes: answer.ContentLength,
        etag: answer.ETag,
        versionId: answer.VersionId,
        body: answer.Body,
      };
    },
  };
}

function bucketOperations(
  client: S3Client,
  options: S3ConnectionOptions,
): Pick<S3Connection, "headBucket" | "createBucket"> {
  return {
    async headBucket(bucket) {
      await client.send(new HeadBucketCommand({ Bucket: bucket }));
    },
    async createBucket(bucket) {
      try {
        // The client itself adds the LocationConstraint that AWS requires in regions other than us-east-1.
        await client.send(new CreateBucketCommand({ Bucket: bucket }));
      } catch (error) {
        const isUnknownRegion = error instanceof Error && error.name === "InvalidLocationConstraint";
        if (!isUnknownRegion || options.endpoint === undefined) throw error;
        // A store that does not know AWS's regions takes the bucket without the constraint.
        const plainClient = createClient({ ...options, region: "us-east-1" });
        await plainClient.send(new CreateBucketCommand({ Bucket: bucket })).finally(() => plainClient.destroy());
      }
    },
  };
}

type ObjectWrites = Pick<
  S3Connection,
  "putObject" | "startMultipartUpload" | "uploadPart" | "completeMultipartUpload" | "abortMultipartUpload"
>;

function objectWrites(client: S3Client): ObjectWrites {
  return {
    async putObject(target, bytes) {
      const answer = await client.send(new PutObjectCommand({ ...objectInput(target), ...bodyInput(bytes) }));
      return { etag: answer.ETag, versionId: answer.VersionId };
    },
    async startMultipartUpload(target) {
      const answer = await client.send(new CreateMultipartUploadCommand(objectInput(target)));
      if (answer.UploadId === undefined) throw new Error("the store named no upload id");
      return answer.UploadId;
    },
    async uploadPart(target, uploadId, partNumber, bytes) {
      const input = { ...objectInput(target), ...bodyInput(bytes), UploadId: uploadId, PartNumber: partNumber };
      const answer = await client.send(new UploadPartCommand(input));
      if (answer.ETag === undefined) throw new Error(`the store named no ETag for part ${partNumber}`);
      return { etag: answer.ETag, partNumber };
    },
    async completeMultipartUpload(target, uploadId, parts) {
      const Parts = parts.map(({ etag, partNumber }) => ({ ETag: etag, PartNumber: partNumber }));
      const input = { ...objectInput(target), UploadId: uploadId, MultipartUpload: { Parts } };
      const answer = await client.send(new CompleteMultipartUploadCommand(input));
      return { etag: answer.ETag, versionId: answer.VersionId };
    },
    async abortMultipartUpload(target, uploadId) {
      await client.send(new AbortMultipartUploadCommand({ ...objectInput(target), UploadId: uploadId }));
    },
  };
}

function objectInput({ bucket, key, version }: S3Location): { Bucket: string; Key: string; VersionId?: string } {
  return { Bucket: bucket, Key: key, ...(version === undefined ? {} : { VersionId: version }) };
}

function bodyInput(bytes: Uint8Array): { Body: Uint8Array; ContentLength: number } {
  return { Body: bytes, ContentLength: bytes.length };
}
