import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { ControlObjectStore } from "../support/control-object-store.ts";
import { type StartedControlPlane, type StartOptions, startControlPlane } from "../support/control-plane.ts";
import { arnOf, type ControlAnswer, createBody, fileOf, send } from "../support/control-request.ts";

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

let plane: StartedControlPlane;
afterEach(() => plane.close());

async function start(options: StartOptions = {}): Promise<void> {
  plane = await startControlPlane(options);
}

/** Asserts the whole form of an error: status, both names, request id and message. */
function expectError(answer: ControlAnswer, name: string, message: string | RegExp): void {
  expect(answer.body).toEqual({
    __type: name,
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });
  expect(answer.status).toBe(STATUSES[name]);
  expect(answer.headers.get("x-amzn-errortype")).toBe(name);
  expect(answer.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers.get("content-type")).toBe("application/json");
}

const create = (overrides = {}) => send(plane, "POST", "/streams/s", createBody(overrides));

describe("objects that cannot be resolved", () => {
  it.each([
    ["NotFound", "head", "ResourceNotFoundException"],
    ["NotFound", "read", "ResourceNotFoundException"],
    ["AccessDenied", "head", "UnauthorizedException"],
    ["AccessDenied", "read", "UnauthorizedException"],
    ["Unavailable", "head", "ServiceUnavailableException"],
    ["Unavailable", "read", "ServiceUnavailableException"],
    ["TooLarge", "read", "LimitExceededException"],
    ["Changed", "read", "ServiceUnavailableException"],
  ] as const)("%s at %s is answered, and nothing is created", async (failure, at, name) => {
    await start();
    plane.store.failWith(failure, at);
    expectError(await create(), name, /^file 0.*firmware\/a\.bin: \w+ injected$/);
    expect(await plane.registry.find("s")).toBeUndefined();
    plane.store.heal();
    expect((await create()).body).toMatchObject({ streamVersion: 0 });
  });

  it("names the file among several", async () => {
    await start();
    const files = [fileOf(1), fileOf(2), fileOf(7, "gone.bin"), fileOf(8, "gone too.bin")];
    expectError(await create({ files }), "ResourceNotFoundException", "file 7: firmware/gone.bin does not exist");
  });

  it("says when a store keeps no versions", async () => {
    await start();
    const files = [{ fileId: 0, s3Location: { bucket: "firmware", key: "a.bin", version: "v9" } }];
    const message = "file 0: firmware/a.bin: the store keeps no version v9";
    expectError(await create({ files }), "ResourceNotFoundException", message);
  });

  it("tries an object once more that was replaced while it was looked at", async () => {
    await start();
    let reads = 0;
    plane.store.beforeAnswer = (call) => {
      if (call === "read" && ++reads === 1) plane.store.put("firmware", "a.bin", Uint8Array.of(9, 9));
    };
    expect((await create()).status).toBe(200);
    expect(await plane.registry.find("s")).toMatchObject({ record: { files: [{ sizeBytes: 2 }] } });
    expect(plane.store.calls).toEqual([
      "head firmware/a.bin",
      "read firmware/a.bin",
      "head firmware/a.bin",
      "read firmware/a.bin",
    ]);
  });

  it("has at most four calls to the store under way", async () => {
    await start();
    let underWay = 0;
    let most = 0;
    plane.store.beforeAnswer = async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
    };
    await create({ files: Array.from({ length: 20 }, (_, index) => fileOf(index)) });
    expect(most).toBe(4);
  });
});

describe("limits", () => {
  it("let a file of exactly 2097152 bytes in and refuse one byte more without reading any file", async () => {
    await start();
    plane.store.put("firmware", "exact.bin", new Uint8Array(2_097_152));
    plane.store.put("firmware", "over.bin", new Uint8Array(2_097_153));
    const message = "file 4 has 2097153 bytes; the limit is 2097152 bytes";
    expectError(await create({ files: [fileOf(1), fileOf(4, "over.bin")] }), "LimitExceededException", message);
    expect(plane.store.calls.filter((call) => call.startsWith("read"))).toEqual([]);
    expect((await create({ files: [fileOf(4, "exact.bin")] })).status).toBe(200);
  });

  it("of file size can be set, up to 25165824", async () => {
    await start({ config: { maxFileBytes: 25_165_824 } });
    plane.store.put("firmware", "exact.bin", new Uint8Array(25_165_824));
    plane.store.put("firmware", "over.bin", new Uint8Array(25_165_825));
    expectError(await create({ files: [fileOf(0, "over.bin")] }), "LimitExceededException", /25165825.*25165824/);
    expect((await create({ files: [fileOf(0, "exact.bin")] })).status).toBe(200);
  });

  it("of files per stream can be set below 50", async () => {
    await start({ config: { maxFilesPerStream: 2 } });
    const files = [fileOf(0), fileOf(1), fileOf(2)];
    const message = "files has 3 items; this server's limit is 2 per stream";
    expectError(await create({ files }), "LimitExceededException", message);
    expect((await create({ files: files.slice(1) })).status).toBe(200);
    expectError(await send(plane, "PUT", "/streams/s", { files }), "LimitExceededException", message);
  });

  it("of 50 files per stream belongs to the request's shape", async () => {
    await start();
    const files = Array.from({ length: 51 }, (_, index) => fileOf(index));
    expectError(await create({ files }), "InvalidRequestException", "files must have 1 to 50 items; it has 51");
  });

  it("of streams holds against creates at the same time", async () => {
    await start({ config: { maxStreams: 2 } });
    const answers = await Promise.all(
      ["a", "b", "c", "d"].map((id) => send(plane, "POST", `/streams/${id}`, createBody())),
    );
    const refused = answers.filter((answer) => answer.status !== 200);
    expect(refused).toHaveLength(2);
    for (const answer of refused) {
      expectError(answer, "LimitExceededException", "there are 2 streams; this server's limit is 2");
    }
    expect(await plane.registry.count()).toBe(2);
  });

  it("of versions ends at 65535", async () => {
    await start();
    await create();
    await plane.registry.change("s", (entry) => {
      if (entry?.state !== "live") throw new Error("not live");
      return { state: "live", record: { ...entry.record, streamVersion: 65_534 } };
    });
    expect((await send(plane, "PUT", "/streams/s", {})).body).toMatchObject({ streamVersion: 65_535 });
    const message = "stream s is at version 65535; the limit is 65535";
    expectError(await send(plane, "PUT", "/streams/s", {}), "LimitExceededException", message);
    await send(plane, "DELETE", "/streams/s");
    expectError(await create(), "LimitExceededException", message);
  });

  it("of requests per second refills with time", async () => {
    await start({ config: { maxRequestsPerSecond: 2 } });
    const list = () => send(plane, "GET", "/streams");
    expect([(await list()).status, (await list()).status]).toEqual([200, 200]);
    const message = "more requests than this server's limit, 2 per second";
    expectError(await list(), "ThrottlingException", message);
    plane.clock.advance(499);
    expectError(await send(plane, "GET", "/nope"), "ThrottlingException", message);
    plane.clock.advance(1);
    expect((await list()).status).toBe(200);
    expect((await list()).status).toBe(429);
  });
});

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
