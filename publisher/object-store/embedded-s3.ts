/** An S3 server in this process, with its data on disk: what `serve` uses when no other storage is named. */
import type { AddressInfo } from "node:net";
import { type BuildAppOptions, buildApp } from "fauxqs";
import { OtaError } from "../../shared/protocol/errors.ts";

/** Where the server keeps its data and listens. */
export interface EmbeddedS3Options {
  /** Created when missing; one server at a time. */
  readonly dataDir: string;
  /** The only address it listens on, such as `127.0.0.1`. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** A running server. */
export interface EmbeddedS3 {
  /** A URL for S3 clients on this machine. */
  readonly endpoint: string;
  readonly host: string;
  readonly port: number;
  /** Stops listening, drops every connection, idle or not, and closes the data. May be called twice. */
  close(): Promise<void>;
}

type App = ReturnType<typeof buildApp>;
type Stores = NonNullable<BuildAppOptions["stores"]>;

/** The two classes that the package does not export, as far as they are used here. */
interface Parts {
  readonly PersistenceManager: new (dataDir: string) => Persistence;
  readonly S3Store: new () => S3Store;
}
interface Persistence {
  readonly db: { exec(sql: string): void };
  loadS3(store: S3Store): void;
  close(): void;
}
interface S3Store {
  persistence?: Persistence;
}

/** Routes of the package that belong to its other services, with their methods; `*` is all of them. */
const FOREIGN_ROUTES: ReadonlySet<string> = new Set([
  "POST /",
  "* /_fauxqs/queues",
  "* /_fauxqs/queues/:queueName",
  "* /health",
]);

/**
 * Starts the server. An acknowledged write survives SIGKILL. It checks no secrets, keeps no versions and ignores a
 * `versionId`; a single PUT above 11 MiB is 413 (clients upload larger objects in parts); bucket names take 3-63
 * characters. A `Host` header that is a name with dots is read as a virtual-hosted bucket: use addresses or `localhost`.
 * Rejects with OtaError `DataDirNotUsable`, `AddressInUse` or `AddressNotAvailable`.
 */
export async function startEmbeddedS3({ dataDir, host, port }: EmbeddedS3Options): Promise<EmbeddedS3> {
  const parts = await importParts();
  const store = new parts.S3Store();
  const persistence = openData(parts, dataDir, store);
  // The package makes the stores of its other services itself where none is given.
  const app = buildApp({ logger: false, stores: { s3Store: store } as unknown as Stores });
  app.addHook("onClose", async () => persistence.close());
  serveOnlyS3(app);
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(error, host, port);
  }
  const { port: boundPort } = app.server.address() as AddressInfo;
  return { endpoint: endpointUrl(host, boundPort), host, port: boundPort, close: () => app.close() };
}

/** The package's parts are reached by URL: what its entry point starts listens on every interface. */
async function importParts(): Promise<Parts> {
  const entry = import.meta.resolve("fauxqs");
  const [{ PersistenceManager }, { S3Store }] = (await Promise.all([
    import(new URL("./persistence.js", entry).href),
    import(new URL("./s3/s3Store.js", entry).href),
  ])) as [Parts, Parts];
  return { PersistenceManager, S3Store };
}

function openData(parts: Parts, dataDir: string, store: S3Store): Persistence {
  let persistence: Persistence | undefined;
  try {
    persistence = new parts.PersistenceManager(dataDir);
    // The store keeps an index in memory, so that a second process would not see what this one writes: lock it out.
    persistence.db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT");
    // Only then is the store told of it: loading must not write.
    persistence.loadS3(store);
    store.persistence = persistence;
    return persistence;
  } catch (error) {
    persistence?.close();
    const message = error instanceof Error ? error.message : String(error);
    const reason = message === "database is locked" ? "another process is using it" : message;
    throw new OtaError("DataDirNotUsable", `S3 data directory ${dataDir} cannot be used: ${reason}`, { cause: error });
  }
}

/** Answers for queues and topics as S3 would: not here. Every error comes out in S3's form. */
function serveOnlyS3(app: App): void {
  // With these gone a body of any content type reaches S3 as the bytes it is.
  app.removeContentTypeParser(["application/x-amz-json-1.0", "application/x-www-form-urlencoded"]);
  app.addHook("onRequest", async (request, reply) => {
    const { url } = request.routeOptions;
    if (!FOREIGN_ROUTES.has(`${request.method} ${url}`) && !FOREIGN_ROUTES.has(`* ${url}`)) return;
    const message = `${request.method} ${url} is not an S3 request`;
    return reply.code(405).type("application/xml").send(errorXml("MethodNotAllowed", message));
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(405)
      .type("application/xml")
      .send(errorXml("MethodNotAllowed", `${request.method} is not supported here`)),
  );
  app.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    const code = status === 413 ? "EntityTooLarge" : status >= 500 ? "InternalError" : "InvalidRequest";
    return reply.code(status).type("application/xml").send(errorXml(code, error.message));
  });
}

function errorXml(code: string, message: string): string {
  const text = message.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${text}</Message></Error>`;
}

function listenError(error: unknown, host: string, port: number): OtaError {
  const { code, message } = error as NodeJS.ErrnoException;
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  if (code === "EADDRINUSE") {
    return new OtaError("AddressInUse", `S3 address ${address} is already in use`, { cause: error });
  }
  return new OtaError("AddressNotAvailable", `S3 cannot listen on ${address}: ${code ?? message}`, { cause: error });
}

/** An address that means every interface is reached through loopback. */
function endpointUrl(host: string, port: number): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
