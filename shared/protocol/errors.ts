/** The errors a caller of otastream's own code is told: one class, a closed list of codes. No IO. */

/** Every code an {@link OtaError} can have; each has a heading in docs/ERRORS.md. */
export type OtaErrorCode =
  | "InvalidArgument"
  | "BrokerUnreachable"
  | "ConnectionLost"
  | "SubscriptionRefused"
  | "StreamNotFound"
  | "FileNotFound"
  | "RequestRejected"
  | "NoProgress"
  | "SizeMismatch"
  | "DigestMismatch"
  | "DigestMissing"
  | "OutputNotWritable"
  | "DiskFull"
  | "FileNotReadable"
  | "FileTooLarge"
  | "AddressInUse"
  | "AddressNotAvailable"
  | "DataDirNotUsable"
  | "StoreUnreachable"
  | "StoreAccessDenied"
  | "ApiUnreachable"
  | "ApiError"
  | "Interrupted";

/** Codes of what may pass by itself. */
const RETRYABLE: ReadonlySet<OtaErrorCode> = new Set<OtaErrorCode>([
  "BrokerUnreachable",
  "ConnectionLost",
  "NoProgress",
  "StoreUnreachable",
  "ApiUnreachable",
  "Interrupted",
]);

/**
 * Tells a caller what went wrong in words a person can act on. Branch on `code`, never on the message.
 * `retryable` says whether the same call may succeed later without a change by the caller.
 */
export class OtaError extends Error {
  readonly code: OtaErrorCode;
  readonly retryable: boolean;

  constructor(code: OtaErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "OtaError";
    this.code = code;
    this.retryable = options.retryable ?? RETRYABLE.has(code);
  }
}
