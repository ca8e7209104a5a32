/** What a server is started with that a command runs for itself: on loopback, on free ports, in a directory of its own. */
import type { Log } from "../shared/log.ts";
import type { ServerOptions } from "./server.ts";

const CACHE_BYTES = 64 * 1024 * 1024;
const CHECK_INTERVAL_MS = 1000;

/** The region of such a server. */
export const PRIVATE_REGION = "us-east-1";

/** The options of a server that keeps its data in `dataDir`; what differs is the caller's to replace. */
export function privateServer(dataDir: string, log: Log): ServerOptions {
  return {
    host: "127.0.0.1",
    mqttPort: 0,
    wsPort: 0,
    httpPort: 0,
    s3Port: 0,
    dataDir,
    s3Endpoints: [],
    observers: [],
    control: { region: PRIVATE_REGION, accountId: "123456789012" },
    profile: "lenient",
    cacheBytes: CACHE_BYTES,
    checkIntervalMs: CHECK_INTERVAL_MS,
    serveStaleMs: 0,
    log,
  };
}
