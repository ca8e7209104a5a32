/** The exceptions of the stream API: AWS's names and statuses, and nothing else. No IO. */

const STATUS_BY_NAME = {
  InvalidRequestException: 400,
  UnauthorizedException: 401,
  ResourceNotFoundException: 404,
  ResourceAlreadyExistsException: 409,
  DeleteConflictException: 409,
  LimitExceededException: 410,
  ThrottlingException: 429,
  InternalFailureException: 500,
  ServiceUnavailableException: 503,
} as const;

/** Every exception the stream API answers with (docs/PROTOCOL.md section 1). */
export type ApiExceptionName = keyof typeof STATUS_BY_NAME;

/**
 * Tells a client of the stream API why its request was refused. `status` is the HTTP status that belongs to the name;
 * `members` are what the body carries beside the message. The message is for the client: it names the field, the limit
 * and the value, and no secret.
 */
export class ApiException extends Error {
  override readonly name: ApiExceptionName;
  readonly status: number;
  readonly members: Readonly<Record<string, string>>;

  constructor(
    name: ApiExceptionName,
    message: string,
    options: { cause?: unknown; members?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = name;
    this.status = STATUS_BY_NAME[name];
    this.members = options.members ?? {};
  }
}

/** Makes the exception for a request that breaks a shape or a range. */
export function invalidRequest(message: string): ApiException {
  return new ApiException("InvalidRequestException", message);
}

/** Makes the exception for a request that goes past a quota. */
export function limitExceeded(message: string): ApiException {
  return new ApiException("LimitExceededException", message);
}

/** Makes the exception for a stream that is not there. */
export function streamNotFound(streamId: string): ApiException {
  return new ApiException("ResourceNotFoundException", `stream ${streamId} does not exist`);
}
