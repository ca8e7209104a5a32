/** The whole server in one process: storage, registry, control plane, broker and publisher, started and stopped together. */
import { join, resolve } from "node:path";
import { startBroker } from "../broker/broker.ts";
import { systemFileSystem } from "../device/file-system.ts";
import { type ControlPlaneConfig, createControlPlane } from "../publisher/control/control-plane.ts";
import { FileCache } from "../publisher/file-cache.ts";
import { limitTransport } from "../publisher/limited-transport.ts";
import { createChainedObjectStore } from "../publisher/object-store/chained-object-store.ts";
import { startEmbeddedS3 } from "../publisher/object-store/embedded-s3.ts";
import type { ObjectStore } from "../publisher/object-store/object-store.ts";
import { createS3ObjectStore } from "../publisher/object-store/s3-object-store.ts";
import { Publisher } from "../publisher/publisher.ts";
import { openSqliteRegistry } from "../publisher/registry/sqlite-registry.ts";
import { StreamDirectory } from "../publisher/stream-directory.ts";
import { formatBrokerUrl } from "../shared/broker-url.ts";
import { systemClock } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import { createExternalPublisherTransport } from "../shared/mqtt-connection.ts";
import type { RequestProfile } from "../shared/protocol/decode.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import type { QuotaSet } from "../shared/protocol/quotas.ts";
import { QuotaLog } from "../shared/quota-log.ts";
import { systemRandom } from "../shared/random.ts";
import type { PublisherTransport } from "../shared/transport.ts";

/** What a server is started with. Port 0 picks a free one. */
export interface ServerOptions {
  readonly host: string;
  readonly mqttPort: number;
  readonly wsPort: number;
  readonly httpPort: number;
  readonly s3Port: number;
  readonly dataDir: string;
  /** Storage to read from instead of the embedded S3 server; looked through in order. */
  readonly s3Endpoints: readonly string[];
  /** A broker to be a client of, instead of the embedded one. */
  readonly brokerUrl?: string;
  readonly observers: readonly string[];
  readonly control: ControlPlaneConfig;
  readonly profile: RequestProfile;
  /** Payload bytes of blocks that one thing gets in a second; as fast as it takes them by default. */
  readonly paceBytesPerSecond?: number;
  /** Whose quotas connections and things have; default "none". */
  readonly quotas?: QuotaSet;
  /** Most bytes of files kept in memory. */
  readonly cacheBytes: number;
  /** How old the last check of an object may be when it is served, in milliseconds. */
  readonly checkIntervalMs: number;
  /** How long files are served without a check while the store cannot be asked, in milliseconds. */
  readonly serveStaleMs: number;
  readonly log: Log;
}

/** A running server. */
export interface Server {
  /** Where it accepts connections; `ws` is absent with a broker elsewhere. */
  readonly urls: { readonly mqtt: string; readonly ws?: string; readonly http: string; readonly s3: string };
  /** Stops everything; what was acknowledged is on disk. */
  close(): Promise<void>;
}

/** How long requests that are under way may take once the server stops, in milliseconds. */
const CLOSE_GRACE_MS = 3_000;

type Closer = () => Promise<void>;

/**
 * Starts a server; resolves once everything accepts connections. Rejects with OtaError, and then nothing is left
 * running.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const closers: Closer[] = [];
  try {
    const urls = await startParts(options, closers);
    return { urls, close: () => closeAll(closers) };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function startParts(options: ServerOptions, closers: Closer[]): Promise<Server["urls"]> {
  const { host, dataDir, control, log } = options;
  await createDataDir(dataDir);
  const registry = await startPart("", () => openSqliteRegistry(join(dataDir, "streams.sqlite")));
  closers.push(() => registry.close());
  const storage = await startStorage(options, closers);
  const clock = systemClock;
  const quotaLog = options.quotas === "aws" ? new QuotaLog(log, clock) : undefined;
  closers.push(async () => quotaLog?.close());
  const messaging = await startMessaging(options, quotaLog, closers);
  const { paceBytesPerSecond } = options;
  const transport = limitTransport(messaging.transport, { clock, quotaLog, paceBytesPerSecond });
  const directory = new StreamDirectory(registry);
  closers.push(async () => directory.close());
  const { cacheBytes: maxBytes, checkIntervalMs, serveStaleMs, profile } = options;
  const files = new FileCache({ store: storage.objectStore, clock, maxBytes, checkIntervalMs, serveStaleMs });
  const publisher = new Publisher({ transport, directory, files, clock, log, profile });
  await publisher.start();
  closers.push(() => publisher.stop());

  const controlPlane = createControlPlane({ registry, objectStore: storage.objectStore, clock, log, config: control });
  // A request that waits for storage must not hold up the end: closing the storage connections below ends it.
  closers.push(() => Promise.race([controlPlane.close(), waitUnref(CLOSE_GRACE_MS)]));
  const http = await startPart("--http-port", () => controlPlane.listen({ host, port: options.httpPort }));
  return { ...messaging.urls, http: reachable(`http://${formatHost(host)}:${http.port}`), s3: storage.url };
}

/** Starts a part; a failure that another flag would mend says which. */
async function startPart<Part>(portFlag: string, start: () => Part | Promise<Part>): Promise<Part> {
  try {
    return await start();
  } catch (error) {
    const advice = error instanceof OtaError ? adviceFor(error, portFlag) : undefined;
    if (advice === undefined) throw error;
    const { code, message } = error as OtaError;
    throw new OtaError(code, `${message}; ${advice}`, { cause: error });
  }
}

function adviceFor({ code, message }: OtaError, portFlag: string): string | undefined {
  if (message.includes(" --")) return undefined;
  if (code === "AddressInUse") return `choose another port with ${portFlag}`;
  if (code === "AddressNotAvailable") return `choose another address with --host or another port with ${portFlag}`;
  return code === "DataDirNotUsable" ? "choose another directory with --data-dir" : undefined;
}

async function startStorage(
  options: ServerOptions,
  closers: Closer[],
): Promise<{ objectStore: ObjectStore; url: string }> {
  const { region } = options.control;
  const [firstEndpoint] = options.s3Endpoints;
  if (firstEndpoint !== undefined) {
    const stores = options.s3Endpoints.map((endpoint) => createS3ObjectStore({ endpoint, region }));
    const objectStore = createChainedObjectStore(stores);
    closers.push(() => objectStore.close());
    return { objectStore, url: firstEndpoint };
  }
  const { host, s3Port: port } = options;
  const embedded = await startPart("--s3-port", () =>
    startEmbeddedS3({ dataDir: join(options.dataDir, "s3"), host, port }),
  );
  closers.push(() => embedded.close());
  // The embedded server checks no secrets, so the caller's own stay out of it.
  const credentials = { accessKeyId: "otastream", secretAccessKey: "otastream" };
  const objectStore = createS3ObjectStore({ endpoint: embedded.endpoint, region, credentials });
  closers.push(() => objectStore.close());
  return { objectStore, url: embedded.endpoint };
}

async function startMessaging(
  options: ServerOptions,
  quotaLog: QuotaLog | undefined,
  closers: Closer[],
): Promise<{ transport: PublisherTransport; urls: { mqtt: string; ws?: string } }> {
  const { brokerUrl, host, mqttPort, wsPort, observers, log } = options;
  if (brokerUrl !== undefined) {
    const transport = createExternalPublisherTransport({ url: brokerUrl, log, random: systemRandom });
    const { username, password } = new URL(brokerUrl);
    const isSecret = username !== "" || password !== "";
    return { transport, urls: { mqtt: isSecret ? formatBrokerUrl(new URL(brokerUrl)) : brokerUrl } };
  }
  const broker = await startBroker({ host, mqttPort, wsPort, observers, log, quotaLog });
  closers.push(() => broker.close());
  return { transport: broker.transport, urls: { mqtt: reachable(broker.mqttUrl), ws: reachable(broker.wsUrl) } };
}

async function createDataDir(dataDir: string): Promise<void> {
  try {
    await systemFileSystem.createDirectory(resolve(dataDir));
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    const reason = DIRECTORY_FAULTS[code] ?? message;
    throw new OtaError("DataDirNotUsable", `--data-dir ${dataDir} cannot be created: ${reason}`, { cause });
  }
}

const DIRECTORY_FAULTS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EEXIST: "it is a file, not a directory",
  ENOENT: "nothing can be created there",
  ENOSPC: "the disk is full",
  ENOTDIR: "part of the path is a file, not a directory",
  EROFS: "the file system is read-only",
};

/** Closes in the reverse order of starting: first what takes requests, last what keeps their results. */
async function closeAll(closers: Closer[]): Promise<void> {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
}

function formatHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** A server that listens on every interface is reached through loopback. */
function reachable(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

function waitUnref(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
