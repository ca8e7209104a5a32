import {
  CreateStreamCommand,
  DeleteConflictException,
  DeleteStreamCommand,
  DescribeStreamCommand,
  InternalFailureException,
  InvalidRequestException,
  IoTClient,
  LimitExceededException,
  ListStreamsCommand,
  ListTagsForResourceCommand,
  paginateListStreams,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  ServiceUnavailableException,
  TagResourceCommand,
  ThrottlingException,
  UnauthorizedException,
  UntagResourceCommand,
  UpdateStreamCommand,
} from "@aws-sdk/client-iot";
import { afterEach, describe, expect, it } from "vitest";
import {
  CONTROL_START_MS,
  ROLE_ARN,
  type StartedControlPlane,
  type StartOptions,
  startControlPlane,
} from "../support/control-plane.ts";
import { arnOf } from "../support/control-request.ts";

const files = [{ fileId: 0, s3Location: { bucket: "firmware", key: "a.bin" } }];

let plane: StartedControlPlane;
let client: IoTClient;

async function start(options: StartOptions = {}): Promise<void> {
  plane = await startControlPlane(options);
  client = new IoTClient({
    endpoint: plane.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "not-a-secret" },
    maxAttempts: 1,
  });
}

afterEach(async () => {
  client.destroy();
  await plane.close();
});

const create = (streamId: string, overrides = {}) =>
  client.send(new CreateStreamCommand({ streamId, files, roleArn: ROLE_ARN, ...overrides }));

describe("@aws-sdk/client-iot", () => {
  it("does all eight operations", async () => {
    await start();
    const created = await create("s-1", { description: "Größe", tags: [{ Key: "team", Value: "fw" }] });
    expect(created).toMatchObject({ streamId: "s-1", streamArn: arnOf("s-1"), description: "Größe", streamVersion: 0 });
    expect(created.$metadata).toMatchObject({
      httpStatusCode: 200,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    plane.clock.advance(1250);
    const updated = await client.send(new UpdateStreamCommand({ streamId: "s-1", description: "new" }));
    expect(updated).toMatchObject({ streamId: "s-1", streamArn: arnOf("s-1"), description: "new", streamVersion: 1 });
    const { streamInfo } = await client.send(new DescribeStreamCommand({ streamId: "s-1" }));
    expect(streamInfo).toEqual({
      streamId: "s-1",
      streamArn: arnOf("s-1"),
      streamVersion: 1,
      description: "new",
      files,
      createdAt: new Date(CONTROL_START_MS),
      lastUpdatedAt: new Date(CONTROL_START_MS + 1250),
      roleArn: ROLE_ARN,
    });
    const { streams } = await client.send(new ListStreamsCommand({ maxResults: 250, ascendingOrder: true }));
    expect(streams).toEqual([{ streamId: "s-1", streamArn: arnOf("s-1"), streamVersion: 1, description: "new" }]);

    const resourceArn = arnOf("s-1");
    await client.send(new TagResourceCommand({ resourceArn, tags: [{ Key: "site", Value: "x" }] }));
    await client.send(new UntagResourceCommand({ resourceArn, tagKeys: ["team"] }));
    const { tags } = await client.send(new ListTagsForResourceCommand({ resourceArn }));
    expect(tags).toEqual([{ Key: "site", Value: "x" }]);

    await client.send(new DeleteStreamCommand({ streamId: "s-1" }));
    await expect(client.send(new DescribeStreamCommand({ streamId: "s-1" }))).rejects.toThrow(
      ResourceNotFoundException,
    );
    expect(await create("s-1")).toMatchObject({ streamVersion: 2 });
  });

  it("follows pages with its own paginator", async () => {
    await start();
    for (const streamId of ["a", "b", "c", "d", "e"]) await create(streamId);
    const pages: (string | undefined)[][] = [];
    for await (const page of paginateListStreams({ client, pageSize: 2 }, { ascendingOrder: true })) {
      pages.push((page.streams ?? []).map((stream) => stream.streamId));
    }
    expect(pages).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  it("raises InvalidRequestException, for an empty id too, which it sends as GET /streams/", async () => {
    await start();
    await expect(create("a b")).rejects.toThrow(InvalidRequestException);
    await expect(create("a".repeat(129))).rejects.toThrow("streamId must have 1 to 128 characters; it has 129");
    await expect(create("s", { files: [] })).rejects.toThrow("files must have 1 to 50 items; it has 0");
  });

  it("raises ResourceAlreadyExistsException with its members", async () => {
    await start();
    await create("s");
    const error: unknown = await create("s").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ResourceAlreadyExistsException);
    expect(error).toMatchObject({
      message: "stream s already exists",
      resourceId: "s",
      resourceArn: arnOf("s"),
      $metadata: { httpStatusCode: 409, requestId: expect.any(String) },
    });
  });

  it("raises the other exceptions with their types and statuses", async () => {
    await start({ config: { maxStreams: 1, maxRequestsPerSecond: 5 }, isInUse: () => true });
    plane.store.failWith("AccessDenied");
    await expect(create("s")).rejects.toThrow(UnauthorizedException);
    plane.store.failWith("Unavailable");
    await expect(create("s")).rejects.toThrow(ServiceUnavailableException);
    plane.store.heal();
    await create("s");
    await expect(create("t")).rejects.toThrow(LimitExceededException);
    await expect(client.send(new DeleteStreamCommand({ streamId: "s" }))).rejects.toThrow(DeleteConflictException);
    const throttled: unknown = await client.send(new ListStreamsCommand({})).catch((reason: unknown) => reason);
    expect(throttled).toBeInstanceOf(ThrottlingException);
    expect(throttled).toMatchObject({ $metadata: { httpStatusCode: 429 } });
  });

  it("raises InternalFailureException", async () => {
    await start({
      wrapRegistry: (registry) => {
        registry.find = () => Promise.reject(new Error("broken"));
        return registry;
      },
    });
    await expect(client.send(new DescribeStreamCommand({ streamId: "s" }))).rejects.toThrow(InternalFailureException);
  });
});
