/** Turns the bytes of a request's body into JSON; what is not JSON is an InvalidRequestException. No IO. */
import { type ApiException, invalidRequest } from "../protocol/api-exception.ts";
import { quote } from "../protocol/quote.ts";

/** JSON by any of the names AWS's clients have given it. */
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]*\+)?(?:json|x-amz-json-1\.[01])$/;

/** Parses a body: undefined when it is empty. A content type is not needed, but one that is given must be JSON's. */
export function parseRequestBody(bytes: Uint8Array | undefined, contentType: string | undefined): unknown {
  if (bytes === undefined || bytes.length === 0) return undefined;
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType !== undefined && !JSON_TYPE.test(mediaType)) throw notJsonType(mediaType);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw invalidRequest(`the request body must be JSON; ${reason}`);
  }
}

/** Makes the exception for a content type that is not JSON's. */
export function notJsonType(contentType: string): ApiException {
  return invalidRequest(`the Content-Type of the request must be application/json; it is ${quote(contentType)}`);
}
