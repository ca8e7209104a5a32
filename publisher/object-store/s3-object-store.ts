/** The object store contract on S3-compatible storage. */
import { addAbortSignal, type Readable } from "node:stream";
import type { S3Location } from "../protocol/stream.ts";
import type { AwsCredentials } from "./credentials.ts";
import { type ObjectInfo, type ObjectStore, ObjectStoreError, type ObjectStoreFailure } from "./object-store.ts";
import { connectS3, type S3ObjectAnswer } from "./s3-client.ts";
import { classifyS3Error, type S3FailureKind } from "./s3-failure.ts";

/** Where the storage is, and how long a call may take. */
export interface S3ObjectStoreOptions {
  /** An `http` or `https` URL; absent is AWS itself. */
  readonly endpoint?: string;
  readonly region: string;
  /** Absent: dummy ones for a loopback endpoint where the environment has none, else the SDK's default chain. */
  readonly credentials?: AwsCredentials;
  /** Longest wait for a connection, in milliseconds, each attempt; 2000 by default. */
  readonly connectTimeoutMs?: number;
  /** Longest wait for the head of an answer, in milliseconds, each attempt; 10000 by default. */
  readonly requestTimeoutMs?: number;
  /** Longest a call takes with all its attempts and its bytes, in milliseconds; 20000 by default. */
  readonly totalTimeoutMs?: number;
  /** How often a request is sent at most, the first time included; 2 by default. */
  readonly maxAttempts?: number;
}

const FAILURE_BY_KIND: Readonly<Record<S3FailureKind, ObjectStoreFailure>> = {
  Unreachable: "Unavailable",
  Denied: "AccessDenied",
  NoBucket: "NotFound",
  NoObject: "NotFound",
  Changed: "Changed",
  TooLarge: "Unavailable",
  Conflict: "Unavailable",
  Refused: "Unavailable",
};

/** What can be one segment of a URL's path and a bucket; anything else would ask for another path than the one meant. */
const BUCKET_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?$/;
const MAX_KEY_BYTES = 1024;

/**
 * Opens a store at one endpoint; nothing is sent until the first call. A version is asked for by its id, and an answer
 * that does not carry that id is `VersionNotKept`: stores without versions ignore the parameter.
 * Throws OtaError `InvalidArgument` for an endpoint that is not an http or https URL.
 */
export function createS3ObjectStore(options: S3ObjectStoreOptions): ObjectStore {
  const { connectTimeoutMs = 2000, requestTimeoutMs = 10_000, totalTimeoutMs = 20_000, maxAttempts = 2 } = options;
  const s3 = connectS3({ ...options, connectTimeoutMs, requestTimeoutMs, maxAttempts });

  const closing = new AbortController();

  async function call<Result>(
    location: S3Location,
    perform: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const cancel = new AbortController();
    try {
      checkName(location);
      return await perform(AbortSignal.any([cancel.signal, closing.signal, AbortSignal.timeout(totalTimeoutMs)]));
    } catch (error) {
      // Drops the connection of an answer that nobody reads to its end.
      cancel.abort();
      throw error instanceof ObjectStoreError ? error : toStoreError(error, location, s3.place);
    }
  }

  return {
    head: (location) => call(location, async (signal) => checkAnswer(location, await s3.headObject(location, signal))),
    read: (location, { maxBytes, etag }) =>
      call(location, async (signal) => {
        const { body, ...answer } = await s3.getObject(location, etag, signal);
        addAbortSignal(signal, body);
        const info = checkAnswer(location, answer);
        return { ...info, bytes: await readWhole(body, info.sizeBytes, maxBytes, location) };
      }),
    close: async () => {
      closing.abort();
      s3.close();
    },
  };
}

function checkName(location: S3Location): void {
  const { bucket, key } = location;
  if (BUCKET_NAME.test(bucket) && key !== "" && Buffer.byteLength(key) <= MAX_KEY_BYTES) return;
  throw new ObjectStoreError("NotFound", `${describe(location)} cannot exist: its bucket or key is not a valid name`);
}

/** Requires what every store says of an object, and the version that was asked for. */
function checkAnswer(location: S3Location, { sizeBytes, etag, versionId }: S3ObjectAnswer): ObjectInfo {
  if (location.version !== undefined && versionId !== location.version) {
    const answered = versionId === undefined ? "no version" : `version ${versionId}`;
    throw new ObjectStoreError(
      "VersionNotKept",
      `version ${location.version} of s3://${location.bucket}/${location.key} was asked for and the store's answer carries ${answered}`,
    );
  }
  if (sizeBytes === undefined || etag === undefined) {
    const missing = etag === undefined ? "ETag" : "Content-Length";
    throw new ObjectStoreError("Unavailable", `${describe(location)} was answered without ${missing}`);
  }
  return { sizeBytes, etag, ...(versionId === undefined ? {} : { versionId }) };
}

async function readWhole(
  body: Readable,
  sizeBytes: number,
  maxBytes: number,
  location: S3Location,
): Promise<Uint8Array> {
  if (sizeBytes > maxBytes) {
    throw new ObjectStoreError("TooLarge", `${describe(location)} is ${sizeBytes} bytes; the limit is ${maxBytes}`);
  }
  const bytes = new Uint8Array(sizeBytes);
  let receivedBytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (receivedBytes + chunk.length > sizeBytes) break;
    bytes.set(chunk, receivedBytes);
    receivedBytes += chunk.length;
  }
  if (receivedBytes !== sizeBytes) {
    throw new ObjectStoreError(
      "Unavailable",
      `${describe(location)} was answered with a body that is not the ${sizeBytes} bytes announced`,
    );
  }
  return bytes;
}

function toStoreError(error: unknown, location: S3Location, place: string): ObjectStoreError {
  const { kind, status, code, reason } = classifyS3Error(error);
  // S3 answers 400 to a version id of the wrong form, and to HEAD without saying so.
  const isBadVersion = location.version !== undefined && status === 400 && (kind === "Refused" || code === undefined);
  const failure = isBadVersion ? "NotFound" : FAILURE_BY_KIND[kind];
  const what = failure === "NotFound" ? "was not found at" : "could not be read from";
  return new ObjectStoreError(failure, `${describe(location)} ${what} ${place}: ${reason}`, error);
}

function describe({ bucket, key, version }: S3Location): string {
  const name = `s3://${bucket}/${key}`;
  return version === undefined ? name : `version ${version} of ${name}`;
}
