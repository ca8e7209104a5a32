/** Raw HTTP requests to a control plane, so that a test sees statuses, headers and bodies as they are. */
import { ROLE_ARN, type StartedControlPlane } from "./control-plane.ts";

/** What came back. */
export interface ControlAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON body. */
  readonly body: unknown;
}

/** Sends one request; `body` is sent as JSON, or as it is when it is text. */
export async function send(
  plane: Pick<StartedControlPlane, "endpoint">,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
): Promise<ControlAnswer> {
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const init = text === undefined ? {} : { body: text, headers };
  const response = await fetch(`${plane.endpoint}${path}`, { method, ...init });
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

/** The body of a CreateStream of one file, "firmware/a.bin", and whatever is put over it. */
export function createBody(overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { files: [fileOf(0)], roleArn: ROLE_ARN, ...overrides };
}

/** A file as a request names it. */
export function fileOf(fileId: number, key = "a.bin", bucket = "firmware"): object {
  return { fileId, s3Location: { bucket, key } };
}

/** The ARN of a stream of the test control plane. */
export function arnOf(streamId: string): string {
  return `arn:aws:iot:us-east-1:123456789012:stream/${streamId}`;
}
