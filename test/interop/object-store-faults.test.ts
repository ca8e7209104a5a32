/** What the S3 object store and the uploader say when a server misbehaves: a real one, made to. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { ObjectStore } from "../../publisher/object-store/object-store.ts";
import { createS3ObjectStore } from "../../publisher/object-store/s3-object-store.ts";
import { uploadFiles } from "../../publisher/object-store/uploader.ts";
import { expectFailure, failureOf, someBytes } from "../contract/object-store.ts";

const LOCATION = { bucket: "images", key: "firmware.bin" };
const VERSIONED = { ...LOCATION, version: "v1" };
const credentials = { accessKeyId: "AKTEST", secretAccessKey: "the-secret-itself" };

const running: Server[] = [];
const stores: ObjectStore[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const server of running.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  running.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function storeOf(listener: RequestListener, timeouts: object = {}): Promise<ObjectStore> {
  const endpoint = await serve(listener);
  const store = createS3ObjectStore({ endpoint, region: "us-east-1", credentials, ...timeouts });
  stores.push(store);
  return store;
}

function answer(response: ServerResponse, status: number, code?: string): void {
  response.statusCode = status;
  response.end(code === undefined ? undefined : `<Error><Code>${code}</Code><Message>because</Message></Error>`);
}

/** Resolves when the socket is closed, cleanly or not. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.on("error", () => {}).once("close", resolve));
}

async function unusedEndpoint(): Promise<string> {
  const endpoint = await serve(() => {});
  const server = running.pop() as Server;
  await new Promise((resolve) => server.close(resolve));
  return endpoint;
}

describe("no answer", () => {
  it("is Unavailable when the connection is refused", async () => {
    const store = createS3ObjectStore({ endpoint: await unusedEndpoint(), region: "us-east-1", credentials });
    stores.push(store);
    await expectFailure(store, LOCATION, "Unavailable");
    await expect(store.head(LOCATION)).rejects.toThrow(
      /s3:\/\/images\/firmware.bin could not be read from http:\/\/127.0.0.1:\d+: the connection was refused/,
    );
  });

  it("is Unavailable when the host is not known", async () => {
    const store = createS3ObjectStore({ endpoint: "http://nowhere.invalid:9000", region: "us-east-1", credentials });
    stores.push(store);
    await expectFailure(store, LOCATION, "Unavailable");
  });

  it("is Unavailable when each attempt takes too long", async () => {
    const store = await storeOf(() => {}, { requestTimeoutMs: 50 });
    await expectFailure(store, LOCATION, "Unavailable");
    await expect(store.head(LOCATION)).rejects.toThrow("there was no complete answer in time");
  });

  it("is Unavailable when the whole call takes too long", async () => {
    const store = await storeOf(() => {}, { totalTimeoutMs: 100 });
    await expectFailure(store, LOCATION, "Unavailable");
  });

  it("is Unavailable when the connection is closed at once", async () => {
    const store = await storeOf((request) => request.socket.destroy());
    await expectFailure(store, LOCATION, "Unavailable");
  });
});

describe("a body", () => {
  it("that stops half way is Unavailable", async () => {
    const store = await storeOf((_request, response) => {
      response.writeHead(200, { "content-length": 100, etag: '"e"' });
      response.write(someBytes(50), () => response.destroy());
    });
    expect(await failureOf(store.read(LOCATION, { maxBytes: 1000 }))).toBe("Unavailable");
  });

  it("that never ends is Unavailable, and its connection is dropped", async () => {
    let dropped: Promise<unknown> | undefined;
    const listener: RequestListener = (request, response) => {
      dropped = closed(request.socket);
      response.writeHead(200, { "content-length": 100, etag: '"e"' });
      response.write(someBytes(50));
    };
    const store = await storeOf(listener, { totalTimeoutMs: 500 });
    expect(await failureOf(store.read(LOCATION, { maxBytes: 1000 }))).toBe("Unavailable");
    await dropped;
  });

  it("that is too large is not read, and its connection is dropped", async () => {
    let dropped: Promise<unknown> | undefined;
    const store = await storeOf((request, response) => {
      dropped = closed(request.socket);
      response.writeHead(200, { "content-length": 10_000_000_000, etag: '"e"' });
      const pour = () => {
        while (response.write(someBytes(65_536)));
      };
      response.on("drain", pour);
      pour();
    });
    expect(await failureOf(store.read(LOCATION, { maxBytes: 1000 }))).toBe("TooLarge");
    await dropped;
  });

  it("whose checksum is another one is Unavailable", async () => {
    const store = await storeOf((_request, response) => {
      response.writeHead(200, { "content-length": 5, etag: '"e"', "x-amz-checksum-crc32": "AAAAAA==" });
      response.end("hello");
    });
    expect(await failureOf(store.read(LOCATION, { maxBytes: 1000 }))).toBe("Unavailable");
  });

  it("without a length, or an answer without an ETag, is Unavailable", async () => {
    const chunked = await storeOf((_request, response) => response.writeHead(200, { etag: '"e"' }).end("hello"));
    expect(await failureOf(chunked.read(LOCATION, { maxBytes: 1000 }))).toBe("Unavailable");
    const nameless = await storeOf((_request, response) =>
      response.writeHead(200, { "content-length": 5 }).end("hello"),
    );
    await expectFailure(nameless, LOCATION, "Unavailable");
    await expect(nameless.head(LOCATION)).rejects.toThrow("s3://images/firmware.bin was answered without ETag");
  });
});

describe("an answer", () => {
  it.each([
    [301, "PermanentRedirect", "NotFound"],
    [400, "ExpiredToken", "AccessDenied"],
    [400, "AuthorizationHeaderMalformed", "AccessDenied"],
    [401, "Unauthorized", "AccessDenied"],
    [403, "AccessDenied", "AccessDenied"],
    [403, "InvalidAccessKeyId", "AccessDenied"],
    [404, "NoSuchKey", "NotFound"],
    [404, "NoSuchBucket", "NotFound"],
    [405, "MethodNotAllowed", "NotFound"],
    [412, "PreconditionFailed", "Changed"],
    [429, "TooManyRequests", "Unavailable"],
    [500, "InternalError", "Unavailable"],
    [503, "SlowDown", "Unavailable"],
  ])("of %i %s is %s, with a body and without", async (status, code, failure) => {
    const store = await storeOf((request, response) =>
      answer(response, status, request.method === "GET" ? code : undefined),
    );
    await expectFailure(store, LOCATION, failure);
    await expect(store.read(LOCATION, { maxBytes: 10 })).rejects.toThrow(`it answered ${status} ${code}`);
    await expect(store.head(LOCATION)).rejects.toThrow(`it answered ${status}`);
  });

  it("of 400 to a version is NotFound", async () => {
    const store = await storeOf((request, response) =>
      answer(response, 400, request.method === "GET" ? "InvalidArgument" : undefined),
    );
    await expectFailure(store, VERSIONED, "NotFound");
    expect(await failureOf(store.read(LOCATION, { maxBytes: 10 }))).toBe("Unavailable");
  });

  it("of a proxy in HTML is judged by its status", async () => {
    const store = await storeOf((_request, response) => {
      response.writeHead(502, { "content-type": "text/html" }).end("<html><body>Bad gateway<br></body></html>");
    });
    await expectFailure(store, LOCATION, "Unavailable");
  });

  it("with another version is VersionNotKept", async () => {
    const store = await storeOf((_request, response) => {
      response.writeHead(200, { "content-length": 0, etag: '"e"', "x-amz-version-id": "v2" }).end();
    });
    await expectFailure(store, VERSIONED, "VersionNotKept");
    await expect(store.head(VERSIONED)).rejects.toThrow("the store's answer carries version v2");
  });

  it.each([1, 3])("of 500 is asked for %i times where that is the limit", async (maxAttempts) => {
    let requests = 0;
    const listener: RequestListener = (_request, response) => {
      requests += 1;
      answer(response, 500, "InternalError");
    };
    const store = await storeOf(listener, { maxAttempts });
    expect(await failureOf(store.read(LOCATION, { maxBytes: 10 }))).toBe("Unavailable");
    expect(requests).toBe(maxAttempts);
  });

  it("of 500 is asked for again, and the second may be good", async () => {
    let requests = 0;
    const store = await storeOf((_request, response) => {
      requests += 1;
      if (requests === 1) answer(response, 500, "InternalError");
      else response.writeHead(200, { "content-length": 5, etag: '"e"' }).end("hello");
    });
    expect(await store.read(LOCATION, { maxBytes: 10 })).toMatchObject({ sizeBytes: 5, etag: '"e"' });
  });

  it("never puts the secret into the error", async () => {
    const store = await storeOf((_request, response) => answer(response, 403, "SignatureDoesNotMatch"));
    const error = await store.head(LOCATION).catch((reason: Error) => reason);
    expect(`${(error as Error).message} ${(error as Error).stack}`).not.toContain(credentials.secretAccessKey);
  });
});

describe("an endpoint", () => {
  it.each(["127.0.0.1:9000", "ftp://127.0.0.1", "not a url", ""])("of %j is refused", (endpoint) => {
    expect(() => createS3ObjectStore({ endpoint, region: "us-east-1" })).toThrow(
      /is not an http:\/\/ or https:\/\/ URL/,
    );
  });

  it("with a password is refused without repeating it", () => {
    const open = () => createS3ObjectStore({ endpoint: "http://me:hunter2@127.0.0.1:9000", region: "us-east-1" });
    expect(open).toThrow("S3 endpoint 127.0.0.1:9000 must not carry a user name or password");
  });
});

describe("an upload", () => {
  const files = [{ key: "a", bytes: someBytes(10) }];
  const common = { region: "us-east-1", credentials, bucket: "images", files, maxAttempts: 1 };

  it("to nobody is StoreUnreachable", async () => {
    const upload = uploadFiles({ ...common, endpoint: await unusedEndpoint() });
    await expect(upload).rejects.toMatchObject({ name: "OtaError", code: "StoreUnreachable", retryable: true });
    await expect(upload).rejects.toThrow(
      /^bucket images could not be looked up at http:\S+: the connection was refused$/,
    );
  });

  it.each([
    [403, "AccessDenied", "StoreAccessDenied"],
    [413, "EntityTooLarge", "FileTooLarge"],
    [400, "InvalidRequest", "InvalidArgument"],
    [500, "InternalError", "StoreUnreachable"],
  ])("refused with %i %s is %s", async (status, name, code) => {
    const endpoint = await serve((request, response) =>
      request.method === "PUT" ? answer(response, status, name) : answer(response, 200),
    );
    const upload = uploadFiles({ ...common, endpoint });
    await expect(upload).rejects.toMatchObject({ code });
    await expect(upload).rejects.toThrow(
      `s3://images/a could not be uploaded at ${endpoint}: it answered ${status} ${name}`,
    );
  });

  it("into a bucket that may not be looked at is tried all the same", async () => {
    const endpoint = await serve((request, response) =>
      request.method === "HEAD" ? answer(response, 403) : response.writeHead(200, { etag: '"e"' }).end(),
    );
    expect(await uploadFiles({ ...common, endpoint })).toEqual([
      { bucket: "images", key: "a", sizeBytes: 10, etag: '"e"' },
    ]);
  });

  it("into a bucket of somebody else is StoreAccessDenied", async () => {
    const endpoint = await serve((request, response) =>
      request.method === "HEAD" ? answer(response, 404) : answer(response, 409, "BucketAlreadyExists"),
    );
    await expect(uploadFiles({ ...common, endpoint })).rejects.toMatchObject({ code: "StoreAccessDenied" });
  });

  it("in parts that fails leaves no parts behind", async () => {
    const requests: string[] = [];
    const endpoint = await serve((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      request.resume();
      request.on("end", () => {
        if (request.method === "POST") {
          response.end("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
        } else
          answer(response, request.method === "PUT" ? 403 : 200, request.method === "PUT" ? "AccessDenied" : undefined);
      });
    });
    const upload = uploadFiles({ ...common, endpoint, files: [{ key: "big", bytes: new Uint8Array(9_000_000) }] });
    await expect(upload).rejects.toMatchObject({ code: "StoreAccessDenied" });
    expect(requests.at(-1)).toMatch(/^DELETE \/images\/big\?.*uploadId=u1/);
  });
});
