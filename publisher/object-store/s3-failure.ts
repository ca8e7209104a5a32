/** What went wrong when S3-compatible storage was asked: the SDK's many errors in a few kinds. No IO. */

/**
 * The kinds:
 * - `Unreachable`: no connection, no answer in time, throttled, or a 5xx.
 * - `Denied`: the credentials are missing, wrong, expired, or not allowed to do this.
 * - `NoBucket`, `NoObject`: it is not there, or not in this region.
 * - `Changed`: the object is not the one the request was limited to.
 * - `TooLarge`: the store takes no body of this size.
 * - `Conflict`: another request is changing the same bucket, or somebody else owns it.
 * - `Refused`: any other 4xx.
 */
export type S3FailureKind =
  | "Unreachable"
  | "Denied"
  | "NoBucket"
  | "NoObject"
  | "Changed"
  | "TooLarge"
  | "Conflict"
  | "Refused";

/** A classified error. */
export interface S3Failure {
  readonly kind: S3FailureKind;
  /** HTTP status; absent when there was no answer. */
  readonly status?: number;
  /** S3's own name of the error, such as `NoSuchKey`; absent when the answer had none, as answers to HEAD have not. */
  readonly code?: string;
  /** Why, as the end of a sentence: "it answered 403 AccessDenied". Holds no secret. */
  readonly reason: string;
}

const KIND_BY_CODE: Readonly<Record<string, S3FailureKind>> = {
  NoSuchBucket: "NoBucket",
  InvalidBucketName: "Refused",
  PermanentRedirect: "NoBucket",
  NoSuchKey: "NoObject",
  NoSuchVersion: "NoObject",
  ExpiredToken: "Denied",
  InvalidToken: "Denied",
  AuthorizationHeaderMalformed: "Denied",
  EntityTooLarge: "TooLarge",
  RequestTimeout: "Unreachable",
};

const KIND_BY_STATUS: Readonly<Record<number, S3FailureKind>> = {
  // Only without a name of the error, as in answers to HEAD: expired credentials, by far most often.
  400: "Denied",
  301: "NoBucket",
  307: "NoBucket",
  401: "Denied",
  403: "Denied",
  404: "NoObject",
  // How S3 answers for a version that is a delete marker.
  405: "NoObject",
  408: "Unreachable",
  409: "Conflict",
  410: "NoObject",
  412: "Changed",
  413: "TooLarge",
  // A name longer than the server's router takes cannot be there.
  414: "NoObject",
  429: "Unreachable",
};

const REASON_BY_SYSTEM_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was closed before the answer was complete",
  EPIPE: "the connection was closed before the answer was complete",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name could not be looked up",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to the host",
};

/** Classifies whatever the S3 client threw. */
export function classifyS3Error(error: unknown): S3Failure {
  const { name, code, $metadata } = fieldsOf(error);
  const status = $metadata?.httpStatusCode;
  if (status !== undefined && status >= 300) return classifyAnswer(status, name);
  if (name === "CredentialsProviderError" || name === "TokenProviderError") {
    return { kind: "Denied", reason: "no credentials were found" };
  }
  if (name === "TimeoutError" || name === "AbortError" || code === "ETIMEDOUT") {
    return { kind: "Unreachable", reason: "there was no complete answer in time" };
  }
  const reason = REASON_BY_SYSTEM_CODE[code ?? ""] ?? `the request failed (${code ?? name ?? "unknown error"})`;
  return { kind: "Unreachable", reason };
}

function classifyAnswer(status: number, name: string | undefined): S3Failure {
  // Where an answer has no body, the SDK makes up a name of its own.
  const code =
    name !== undefined && /^[A-Z][A-Za-z]+$/.test(name) && !/^(Unknown|S3ServiceException|Error|SyntaxError)/.test(name)
      ? name
      : undefined;
  const kindOfStatus = status === 400 && code !== undefined ? "Refused" : KIND_BY_STATUS[status];
  const kind = KIND_BY_CODE[code ?? ""] ?? kindOfStatus ?? (status >= 500 ? "Unreachable" : "Refused");
  const reason = code === undefined ? `it answered ${status}` : `it answered ${status} ${code}`;
  return { kind, status, ...(code === undefined ? {} : { code }), reason };
}

interface ErrorFields {
  readonly name?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

function fieldsOf(error: unknown): ErrorFields {
  return typeof error === "object" && error !== null ? (error as ErrorFields) : {};
}
