import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { type ControlPlaneConfig, createControlPlane } from "../../publisher/control/control-plane.ts";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import { silentLog } from "../../shared/log.ts";
import { createControlClock } from "../support/control-clock.ts";
import { expectError } from "../support/control-errors.ts";
import { ControlObjectStore } from "../support/control-object-store.ts";
import { type StartedControlPlane, type StartOptions, startControlPlane } from "../support/control-plane.ts";
import { arnOf, createBody, send } from "../support/control-request.ts";

let plane: StartedControlPlane;
afterEach(() => plane.close());

async function start(options: StartOptions = {}): Promise<void> {
  plane = await startControlPlane(options);
}

const create = (overrides = {}) => send(plane, "POST", "/streams/s", createBody(overrides));

describe("other refusals", () => {
  it("DeleteConflictException: a stream in use", async () => {
    await start({ isInUse: (streamId) => streamId === "s" });
    await create();
    const message = "stream s is in use and cannot be deleted";
    expectError(await send(plane, "DELETE", "/streams/s"), "DeleteConflictException", message);
    expect((await send(plane, "GET", "/streams/s")).status).toBe(200);
  });

  it("InternalFailureException: logged with its error, told without it", async () => {
    const secret = new Error("the disk's name is /dev/secret");
    await start({
      wrapRegistry: (registry) => ({ ...registry, find: () => Promise.reject(secret) }) as typeof registry,
    });
    const answer = await send(plane, "GET", "/streams/s");
    const requestId = answer.headers.get("x-amzn-requestid");
    const message = `the request failed inside the server; its log says why under request id ${requestId}`;
    expectError(answer, "InternalFailureException", message);
    expect(plane.logged).toContainEqual({
      level: "error",
      message: "a request failed unexpectedly",
      fields: { requestId, error: secret },
    });
  });

  it("InternalFailureException: an object store that breaks its contract", async () => {
    const objectStore = new ControlObjectStore();
    objectStore.beforeAnswer = () => {
      throw new TypeError("bug");
    };
    await start({ objectStore });
    expectError(await create(), "InternalFailureException", /^the request failed inside the server/);
  });

  it.each([
    [arnOf("absent"), "ResourceNotFoundException", "stream absent does not exist"],
    [arnOf("s").replace("us-east-1", "eu-west-1"), "ResourceNotFoundException", /this server's streams have ARNs like/],
    ["arn:aws:iot:us-east-1:123456789012:thing/s", "InvalidRequestException", /must be the ARN of a stream/],
    ["s", "InvalidRequestException", /must be the ARN of a stream/],
  ] as const)("of the ARN %s", async (resourceArn, name, message) => {
    await start();
    const tagKeys = ["a"];
    expectError(await send(plane, "POST", "/tags", { resourceArn, tags: [] }), name, message);
    expectError(await send(plane, "POST", "/untag", { resourceArn, tagKeys }), name, message);
    expectError(await send(plane, "GET", `/tags?resourceArn=${encodeURIComponent(resourceArn)}`), name, message);
  });
});

describe("requests that are no operation", () => {
  it.each([
    ["GET", "/", "ResourceNotFoundException", 'there is no operation at the path "/"'],
    ["POST", "/jobs/x", "ResourceNotFoundException", 'there is no operation at the path "/jobs/x"'],
    ["GET", "/streams/a/b", "ResourceNotFoundException", 'there is no operation at the path "/streams/a/b"'],
    ["PATCH", "/streams/s", "InvalidRequestException", /^there is no operation PATCH .* only POST, GET, PUT, DELETE$/],
    ["POST", "/streams", "InvalidRequestException", 'there is no operation POST at the path "/streams", only GET'],
    ["OPTIONS", "/untag", "InvalidRequestException", 'there is no operation OPTIONS at the path "/untag", only POST'],
    ["GET", "/streams/%zz", "InvalidRequestException", 'the request path is not a valid URL: "/streams/%zz"'],
    ["GET", "/streams/", "InvalidRequestException", "streamId must have 1 to 128 characters; it has 0"],
    ["GET", "/streams/a%2Fb", "InvalidRequestException", /^streamId must match .* where character 2 is U\+002F$/],
    ["GET", `/streams/${"a".repeat(128)}`, "ResourceNotFoundException", /^stream a{128} does not exist$/],
    ["GET", `/streams/${"a".repeat(129)}`, "InvalidRequestException", /it has 129$/],
    ["GET", `/streams/${"a".repeat(14_000)}`, "InvalidRequestException", /it has 14000$/],
    [
      "GET",
      `/streams/${"a".repeat(20_000)}`,
      "InvalidRequestException",
      /URL and headers must have at most 16384 bytes/,
    ],
  ] as const)("%s %s", async (method, path, name, message) => {
    await start();
    expectError(await send(plane, method, path), name, message);
  });

  it.each([
    ["{", "application/json", /^the request body must be JSON; /],
    ["\u00e9".repeat(3), "application/json", /^the request body must be JSON; /],
    ["[]", "application/json", "the request body must be a map; it is a list"],
    ["7", "application/json", "the request body must be a map; it is 7"],
    ["null", "application/json", "files must be a list; it is missing"],
    ["{}", "text/xml", 'the Content-Type of the request must be application/json; it is "text/xml"'],
    ["{}", "%%%", 'the Content-Type of the request must be application/json; it is "%%%"'],
    ["[".repeat(500_000), "application/json", /^the request body must be JSON; /],
    ["x".repeat(1_048_577), "application/json", "the request body must have at most 1048576 bytes; it has 1048577"],
  ])("a body that begins %.9s as %s", async (body, contentType, message) => {
    await start();
    const answer = await send(plane, "POST", "/streams/s", body, { "content-type": contentType });
    expectError(answer, "InvalidRequestException", message);
  });

  it("take JSON under the names that AWS's clients have given it", async () => {
    await start();
    for (const type of ["application/json; charset=utf-8", "application/x-amz-json-1.1", "Application/JSON"]) {
      const answer = await send(plane, "POST", "/streams/s", "{}", { "content-type": type });
      expectError(answer, "InvalidRequestException", "files must be a list; it is missing");
    }
  });
});

describe("connections", () => {
  async function exchange(bytes: string): Promise<string> {
    const socket = connect(plane.port, "127.0.0.1");
    socket.end(bytes);
    return text(socket);
  }

  it("that do not speak HTTP get an answer in the same form", async () => {
    await start();
    const answer = await exchange("hello\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain("x-amzn-errortype: InvalidRequestException\r\n");
    expect(answer).toMatch(/x-amzn-requestid: [0-9a-f-]{36}\r\n/);
    expect(answer).toContain('{"__type":"InvalidRequestException","message":"the request is not HTTP: ');
  });

  it("may leave the Host header out", async () => {
    await start();
    const answer = await exchange("GET /streams HTTP/1.1\r\nconnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it("may leave the content type of a body out", async () => {
    await start();
    const head = "PUT /streams/s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n";
    expect(await exchange(`${head}{}`)).toContain("stream s does not exist");
    expect(await exchange(`${head}{,`)).toContain("the request body must be JSON; ");
  });

  it("that never finish their request do not hold up the close", async () => {
    await start();
    const socket = connect(plane.port, "127.0.0.1");
    await once(socket, "connect");
    const ended = once(socket, "close");
    socket.on("error", () => {});
    socket.write(
      "POST /streams/s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
    );
    await send(plane, "GET", "/streams");
    const closed = plane.stop();
    plane.clock.advance(2000);
    await closed;
    await ended;
  });
});

describe("starting", () => {
  const build = (config: Partial<ControlPlaneConfig>) =>
    createControlPlane({
      registry: openMemoryRegistry(),
      objectStore: new ControlObjectStore(),
      clock: createControlClock(0),
      log: silentLog,
      config: { region: "us-east-1", accountId: "123456789012", ...config },
    });

  it("says which port is taken, and which address is not here", async () => {
    await start();
    const message = `the HTTP port ${plane.port} on 127.0.0.1 is taken by another program`;
    const second = build({});
    await expect(second.listen({ host: "127.0.0.1", port: plane.port })).rejects.toMatchObject({
      code: "AddressInUse",
      message,
    });
    await second.close();
    const third = build({});
    const elsewhere = third.listen({ host: "192.0.2.1", port: 0 });
    await expect(elsewhere).rejects.toMatchObject({ code: "AddressNotAvailable" });
    await third.close();
  });

  it.each([
    [{ maxFileBytes: 0 }, "maxFileBytes must be an integer, 1 to 25165824; it is 0"],
    [{ maxFileBytes: 25_165_825 }, "maxFileBytes must be an integer, 1 to 25165824; it is 25165825"],
    [{ maxFilesPerStream: 51 }, "maxFilesPerStream must be an integer, 1 to 50; it is 51"],
    [{ maxStreams: -1 }, "maxStreams must be an integer, 0 to 9007199254740991; it is -1"],
    [{ maxRequestsPerSecond: -1 }, "maxRequestsPerSecond must be 0 or more; it is -1"],
  ])("refuses the configuration %o", async (config, message) => {
    await start();
    expect(() => build(config)).toThrow(expect.objectContaining({ code: "InvalidArgument", message }));
  });
});
