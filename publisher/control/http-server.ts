/** The HTTP server of the control plane; the only importer of fastify. Contains no rule of the stream API. */
import type { Socket } from "node:net";
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Log } from "../../shared/log.ts";
import { ApiException, invalidRequest } from "../protocol/api-exception.ts";
import { quote } from "../protocol/quote.ts";
import type { ControlRoute } from "./control-context.ts";
import { formatAnswer, formatErrorAnswer, type HttpAnswer, toApiException } from "./error-response.ts";
import { notJsonType, parseRequestBody } from "./request-body.ts";

/** What the server is built from. */
export interface HttpServerOptions {
  readonly routes: readonly ControlRoute[];
  readonly log: Log;
  readonly createRequestId: () => string;
  /** Called before anything else of a request; throws ApiException to refuse it. */
  readonly admit: () => void;
}

/** Largest request body: 50 files and 50 tags at their longest fit many times. */
const MAX_BODY_BYTES = 1_048_576;
/** Longest time from the first byte of a request to its last; a client that never finishes must not hold a socket. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Above Node's limit for a whole request head, so that the stream id rule answers for every id that is too long. */
const MAX_PARAM_LENGTH = 65_536;

/**
 * Builds the server, not yet listening. Every answer has a request id; every error, the HTTP parser's own included, has
 * AWS's form. Credentials are not looked at: requests may be signed for any service with any key, or not at all.
 */
export function buildHttpServer(options: HttpServerOptions): FastifyInstance {
  const fail = (error: unknown, reply: FastifyReply) => {
    const requestId = reply.request.id;
    return send(reply, formatErrorAnswer(toApiException(error, requestId, options.log), requestId));
  };
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Node would refuse a request without a Host header by itself, and not in AWS's form.
    http: { requireHostHeader: false },
    exposeHeadRoutes: false,
    // A request that came before the close is still answered; its connection closes after it.
    return503OnClosing: false,
    genReqId: options.createRequestId,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => fail(frameworkException(error, request), reply),
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, options.createRequestId()),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.addHook("onRequest", async () => options.admit());
  app.addHook("onResponse", async (request, reply) => logRequest(request, reply, options.log));
  app.setErrorHandler<FastifyError>((error, request, reply) => fail(frameworkException(error, request), reply));
  app.setNotFoundHandler((request, reply) => fail(unknownOperation(request, options.routes), reply));
  for (const route of options.routes) addRoute(app, route);
  return app;
}

function addRoute(app: FastifyInstance, route: ControlRoute): void {
  app.route({
    method: route.method,
    url: route.path,
    handler: async (request, reply) => {
      const hasBody = route.method === "POST" || route.method === "PUT";
      const bytes = request.body as Uint8Array | undefined;
      const result = await route.handle({
        params: request.params as Record<string, string>,
        query: request.query as Record<string, unknown>,
        body: hasBody ? parseRequestBody(bytes, request.headers["content-type"]) : undefined,
      });
      return send(reply, formatAnswer(result, request.id));
    },
  });
}

function send(reply: FastifyReply, answer: HttpAnswer): FastifyReply {
  // As bytes: fastify adds a charset to the content type of text, which AWS does not send.
  return reply.code(answer.status).headers(answer.headers).send(Buffer.from(answer.body));
}

/** Translates the errors of the framework itself; everything else passes. */
function frameworkException(error: Error, request: FastifyRequest): unknown {
  const code = (error as Partial<FastifyError>).code;
  switch (code) {
    case "FST_ERR_BAD_URL":
      return invalidRequest(`the request path is not a valid URL: ${quote(request.raw.url ?? "")}`);
    case "FST_ERR_CTP_BODY_TOO_LARGE": {
      const length = request.headers["content-length"];
      const value = length === undefined ? "it has more" : `it has ${length}`;
      return invalidRequest(`the request body must have at most ${MAX_BODY_BYTES} bytes; ${value}`);
    }
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return notJsonType(request.headers["content-type"] ?? "");
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
    case "ECONNRESET":
      return invalidRequest(`the request could not be read: ${error.message}`);
    default:
      return error;
  }
}

function unknownOperation(request: FastifyRequest, routes: readonly ControlRoute[]): ApiException {
  const path = (request.raw.url ?? "").split("?", 1)[0] ?? "";
  const methods = routes.filter((route) => pathFits(route.path, path)).map((route) => route.method);
  if (methods.length === 0) {
    return new ApiException("ResourceNotFoundException", `there is no operation at the path ${quote(path)}`);
  }
  const method = request.method;
  return invalidRequest(`there is no operation ${method} at the path ${quote(path)}, only ${methods.join(", ")}`);
}

function pathFits(pattern: string, path: string): boolean {
  const prefix = pattern.replace(":streamId", "");
  if (prefix === pattern) return path === pattern;
  return path.startsWith(prefix) && !path.slice(prefix.length).includes("/");
}

/** Answers what Node's HTTP parser gave up on: there is no request and no response object, only a socket. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket, requestId: string): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const tooLong = error.code === "HPE_HEADER_OVERFLOW";
  const message = tooLong
    ? "the URL and headers must have at most 16384 bytes"
    : `the request is not HTTP: ${error.message}`;
  const answer = formatErrorAnswer(invalidRequest(message), requestId);
  const headers = { ...answer.headers, "content-length": String(Buffer.byteLength(answer.body)), connection: "close" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${answer.status} Bad Request\r\n${lines.join("")}\r\n${answer.body}`);
}

function logRequest(request: FastifyRequest, reply: FastifyReply, log: Log): void {
  log.debug("answered an API request", {
    requestId: request.id,
    method: request.method,
    path: request.raw.url,
    status: reply.statusCode,
    milliseconds: reply.elapsedTime,
  });
}
