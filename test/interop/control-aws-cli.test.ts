import { afterEach, describe, expect, it } from "vitest";
import { AWS_CLI, type ClientRun, isMissing, runClient } from "../support/control-clients.ts";
import { ROLE_ARN, type StartedControlPlane, startControlPlane } from "../support/control-plane.ts";
import { arnOf } from "../support/control-request.ts";

const FILES = JSON.stringify([{ fileId: 0, s3Location: { bucket: "firmware", key: "a.bin" } }]);

let plane: StartedControlPlane;
afterEach(() => plane.close());

function iot(...args: readonly string[]): Promise<ClientRun> {
  return runClient(AWS_CLI, ["--endpoint-url", plane.endpoint, "--output", "json", "iot", ...args]);
}

async function iotJson(...args: readonly string[]): Promise<unknown> {
  const run = await iot(...args);
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
  return run.stdout === "" ? undefined : JSON.parse(run.stdout);
}

async function expectFailure(run: Promise<ClientRun>, operation: string, name: string, message: string): Promise<void> {
  const { status, stderr } = await run;
  // The only attempt is also the last, which this client mentions.
  const text = stderr.trim().replace(" (reached max retries: 0)", "");
  expect(text).toBe(`An error occurred (${name}) when calling the ${operation} operation: ${message}`);
  expect(status).toBe(254);
}

describe.skipIf(isMissing(AWS_CLI))("Debian's aws iot", () => {
  it("does all eight operations", async () => {
    plane = await startControlPlane();
    const create = ["create-stream", "--stream-id", "s-1", "--files", FILES, "--role-arn", ROLE_ARN];
    expect(await iotJson(...create, "--description", "first", "--tags", "Key=team,Value=fw")).toEqual({
      streamId: "s-1",
      streamArn: arnOf("s-1"),
      description: "first",
      streamVersion: 0,
    });
    const message = "stream s-1 already exists";
    await expectFailure(iot(...create), "CreateStream", "ResourceAlreadyExistsException", message);
    expect(await iotJson("update-stream", "--stream-id", "s-1", "--description", "second")).toMatchObject({
      description: "second",
      streamVersion: 1,
    });
    expect(await iotJson("describe-stream", "--stream-id", "s-1")).toMatchObject({
      streamInfo: {
        streamVersion: 1,
        files: JSON.parse(FILES),
        createdAt: expect.stringMatching(/^2025-11-2\dT.*\.250000/),
        roleArn: ROLE_ARN,
      },
    });
    expect(await iotJson("list-streams", "--max-results", "1", "--ascending-order")).toMatchObject({
      streams: [{ streamId: "s-1", streamVersion: 1 }],
    });
    const resource = ["--resource-arn", arnOf("s-1")];
    await iotJson("tag-resource", ...resource, "--tags", "Key=site,Value=x");
    await iotJson("untag-resource", ...resource, "--tag-keys", "team");
    expect(await iotJson("list-tags-for-resource", ...resource)).toEqual({ tags: [{ Key: "site", Value: "x" }] });
    await iotJson("delete-stream", "--stream-id", "s-1");
    const gone = "stream s-1 does not exist";
    await expectFailure(iot("delete-stream", "--stream-id", "s-1"), "DeleteStream", "ResourceNotFoundException", gone);
  });

  it("reports limits and refusals by AWS's names", async () => {
    plane = await startControlPlane();
    plane.store.put("firmware", "over.bin", new Uint8Array(2_097_153));
    const create = (streamId: string, key: string) =>
      iot("create-stream", "--stream-id", streamId, "--role-arn", ROLE_ARN, "--files", FILES.replace("a.bin", key));
    const tooLarge = "file 0 has 2097153 bytes; the limit is 2097152 bytes";
    await expectFailure(create("s", "over.bin"), "CreateStream", "LimitExceededException", tooLarge);
    const missing = "file 0: firmware/none.bin does not exist";
    await expectFailure(create("s", "none.bin"), "CreateStream", "ResourceNotFoundException", missing);
    const badId = 'streamId must match [a-zA-Z0-9_-]+; it is "a b", where character 2 is U+0020';
    await expectFailure(create("a b", "a.bin"), "CreateStream", "InvalidRequestException", badId);
  });
});
