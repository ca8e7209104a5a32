/** The whole form of an error of the stream API, in one assertion. */
import { expect } from "vitest";
import type { ControlAnswer } from "./control-request.ts";

const STATUSES: Readonly<Record<string, number>> = {
  InvalidRequestException: 400,
  UnauthorizedException: 401,
  ResourceNotFoundException: 404,
  ResourceAlreadyExistsException: 409,
  DeleteConflictException: 409,
  LimitExceededException: 410,
  ThrottlingException: 429,
  InternalFailureException: 500,
  ServiceUnavailableException: 503,
};

/** Asserts the whole form of an error: status, both names, request id and message. */
export function expectError(answer: ControlAnswer, name: string, message: string | RegExp): void {
  expect(answer.body).toEqual({
    __type: name,
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });
  expect(answer.status).toBe(STATUSES[name]);
  expect(answer.headers.get("x-amzn-errortype")).toBe(name);
  expect(answer.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers.get("content-type")).toBe("application/json");
}
