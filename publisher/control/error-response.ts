/** How errors leave the control plane: one of AWS's exceptions, never anything else. */
import type { Log } from "../../shared/log.ts";
import { ApiException, invalidRequest } from "../protocol/api-exception.ts";
import { InvalidNextToken } from "../registry/stream-registry.ts";

/** An HTTP answer, ready to be written. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Formats an exception as AWS does: its name in a header and in `__type`, its extra members beside the message. */
export function formatErrorAnswer(exception: ApiException, requestId: string): HttpAnswer {
  return {
    status: exception.status,
    headers: {
      "content-type": "application/json",
      "x-amzn-errortype": exception.name,
      "x-amzn-requestid": requestId,
    },
    body: JSON.stringify({ __type: exception.name, message: exception.message, ...exception.members }),
  };
}

/** Formats what an operation answered. */
export function formatAnswer(result: object, requestId: string): HttpAnswer {
  const headers = { "content-type": "application/json", "x-amzn-requestid": requestId };
  return { status: 200, headers, body: JSON.stringify(result) };
}

/**
 * Turns whatever an operation threw into an exception for the client. What nobody foresaw is logged with its error and
 * becomes an InternalFailureException that says no more than the request id.
 */
export function toApiException(error: unknown, requestId: string, log: Log): ApiException {
  if (error instanceof InvalidNextToken) return invalidRequest(error.message);
  if (error instanceof ApiException) {
    if (error.status >= 500) {
      log.warn("a request could not be served", { requestId, exception: error.name, message: error.message });
    }
    return error;
  }
  log.error("a request failed unexpectedly", { requestId, error });
  const message = `the request failed inside the server; its log says why under request id ${requestId}`;
  return new ApiException("InternalFailureException", message);
}
