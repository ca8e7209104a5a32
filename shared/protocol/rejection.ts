/** What a peer is told when its request is refused: data, never thrown. No IO. */

/** The thirteen codes of the protocol (docs/PROTOCOL.md section 2). */
export const REJECTION_CODES = [
  "InvalidTopic",
  "InvalidJson",
  "InvalidCbor",
  "InvalidRequest",
  "Unauthorized",
  "BlockSizeOutOfBounds",
  "OffsetOutOfBounds",
  "BlockCountLimitExceeded",
  "BlockBitmapLimitExceeded",
  "ResourceNotFound",
  "VersionMismatch",
  "ETagMismatch",
  "InternalError",
] as const;

/** One of {@link REJECTION_CODES}. */
export type RejectionCode = (typeof REJECTION_CODES)[number];

/** A refusal of one request. */
export interface Rejection {
  readonly code: RejectionCode;
  /** One sentence that names the field, the limit and the value. */
  readonly message: string;
  /** The request's token, when it was valid and the request could be parsed. */
  readonly clientToken?: string;
}

/** Either a value or the rejection that stands for it. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly rejection: Rejection };

/** Makes the accepted side of a {@link Checked}. */
export function accepted<T>(value: T): Checked<T> {
  return { ok: true, value };
}

/** Makes the refused side of a {@link Checked}. */
export function refused(code: RejectionCode, message: string, clientToken?: string): Checked<never> {
  return { ok: false, rejection: clientToken === undefined ? { code, message } : { code, message, clientToken } };
}
