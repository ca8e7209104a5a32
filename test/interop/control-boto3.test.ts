import { afterEach, describe, expect, it } from "vitest";
import { DEBIAN_BOTO3, DEBIAN_PYTHON, isMissing, runClient } from "../support/control-clients.ts";
import { CONTROL_START_MS, ROLE_ARN, type StartedControlPlane, startControlPlane } from "../support/control-plane.ts";
import { arnOf } from "../support/control-request.ts";

/** Calls every operation and prints what came back, or the class, status and members of what was raised. */
const SCRIPT = `
import json, sys
import boto3

endpoint, role = sys.argv[1:3]
iot = boto3.client("iot", endpoint_url=endpoint)
arn = "${arnOf("s-1")}"
files = [{"fileId": 0, "s3Location": {"bucket": "firmware", "key": "a.bin"}}]
seen = []

def call(name, **arguments):
    try:
        answer = getattr(iot, name)(**arguments)
        assert answer.pop("ResponseMetadata")["RequestId"]
        seen.append(answer)
    except iot.exceptions.ClientError as error:
        response = error.response
        seen.append({
            "class": type(error).__name__,
            "status": response["ResponseMetadata"]["HTTPStatusCode"],
            "message": response["Error"]["Message"],
            "resourceArn": response.get("resourceArn"),
        })

call("create_stream", streamId="s-1", description="first", files=files, roleArn=role, tags=[{"Key": "team", "Value": "fw"}])
call("create_stream", streamId="s-1", files=files, roleArn=role)
call("create_stream", streamId="a b", files=files, roleArn=role)
call("create_stream", streamId="s-2", files=[dict(files[0], fileId=256)], roleArn=role)
call("create_stream", streamId="s-2", files=files, roleArn=role)
call("update_stream", streamId="s-1")
call("describe_stream", streamId="s-1")
call("list_streams", ascendingOrder=False, maxResults=250)
call("tag_resource", resourceArn=arn, tags=[{"Key": "site", "Value": "x"}])
call("untag_resource", resourceArn=arn, tagKeys=["team"])
call("list_tags_for_resource", resourceArn=arn)
call("delete_stream", streamId="s-1")
call("update_stream", streamId="s-1")
json.dump(seen, sys.stdout, default=lambda time: time.timestamp())
`;

let plane: StartedControlPlane;
afterEach(() => plane.close());

describe.skipIf(isMissing(DEBIAN_PYTHON, DEBIAN_BOTO3))("Debian's boto3", () => {
  it("does all eight operations and raises typed exceptions", async () => {
    plane = await startControlPlane({ config: { maxStreams: 1 } });
    const run = await runClient(DEBIAN_PYTHON, ["-", plane.endpoint, ROLE_ARN], SCRIPT);
    expect(run.stderr).toBe("");
    const stream = { streamId: "s-1", streamArn: arnOf("s-1"), description: "first" };
    const files = [{ fileId: 0, s3Location: { bucket: "firmware", key: "a.bin" } }];
    const createdAt = CONTROL_START_MS / 1000;
    const raised = (name: string, status: number, message: string, resourceArn: string | null = null) => ({
      class: name,
      status,
      message,
      resourceArn,
    });
    expect(JSON.parse(run.stdout)).toEqual([
      { ...stream, streamVersion: 0 },
      raised("ResourceAlreadyExistsException", 409, "stream s-1 already exists", arnOf("s-1")),
      raised("InvalidRequestException", 400, expect.stringMatching(/^streamId must match/)),
      raised("InvalidRequestException", 400, "files[0].fileId must be an integer, 0 to 255; it is 256"),
      raised("LimitExceededException", 410, "there are 1 streams; this server's limit is 1"),
      { ...stream, streamVersion: 1 },
      { streamInfo: { ...stream, streamVersion: 1, files, createdAt, lastUpdatedAt: createdAt, roleArn: ROLE_ARN } },
      { streams: [{ ...stream, streamVersion: 1 }] },
      {},
      {},
      { tags: [{ Key: "site", Value: "x" }] },
      {},
      raised("ResourceNotFoundException", 404, "stream s-1 does not exist"),
    ]);
  });
});
