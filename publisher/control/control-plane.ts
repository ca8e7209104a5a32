/** The control plane: the stream API over HTTP, put together from its parts. */
import type { AddressInfo } from "node:net";
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { DEFAULT_MAX_FILE_BYTES, HIGHEST_MAX_FILE_BYTES, MAX_FILES_PER_STREAM } from "../../shared/protocol/limits.ts";
import { type Random, systemRandom } from "../../shared/random.ts";
import type { ObjectStore } from "../object-store/object-store.ts";
import { ApiException } from "../protocol/api-exception.ts";
import type { StreamRules } from "../protocol/stream-rules.ts";
import type { StreamRegistry } from "../registry/stream-registry.ts";
import { DigestMemory } from "./digest-memory.ts";
import { buildHttpServer } from "./http-server.ts";
import { createRequestId } from "./request-id.ts";
import { streamRoutes } from "./stream-routes.ts";
import { tagRoutes } from "./tag-routes.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What a person can set about the control plane. */
export interface ControlPlaneConfig {
  /** Default "aws". */
  readonly partition?: string;
  readonly region: string;
  readonly accountId: string;
  /** Default 0. */
  readonly firstStreamVersion?: 0 | 1;
  /** Largest file, in bytes, 1-25165824; default 2097152. */
  readonly maxFileBytes?: number;
  /** Most files in a stream, 1-50; default 50. */
  readonly maxFilesPerStream?: number;
  /** Most live streams; none by default. */
  readonly maxStreams?: number;
  /** Requests per second let through, with bursts of one second's worth; 0, the default, is no limit. */
  readonly maxRequestsPerSecond?: number;
}

/** The parts the control plane stands on. It closes none of them. */
export interface ControlPlaneOptions {
  readonly registry: StreamRegistry;
  readonly objectStore: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: the operating system's. Draws request ids. */
  readonly random?: Random;
  readonly config: ControlPlaneConfig;
  /** Says whether a stream must not be deleted now (DeleteConflictException); by default none is in use. */
  readonly isInUse?: (streamId: string) => boolean;
}

/** A running or startable control plane. */
export interface ControlPlane {
  /**
   * Starts to listen; port 0 picks a free one, and the answer names it. Rejects with OtaError `AddressInUse` or
   * `AddressNotAvailable`.
   */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ host: string; port: number }>;
  /** Takes no new connections, answers what is under way, and ends what has not ended after two seconds. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 2000;

/** Builds the control plane (docs/PROTOCOL.md section 1). Throws OtaError `InvalidArgument` for a bad configuration. */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { clock, config, log, objectStore, registry, random = systemRandom, isInUse = () => false } = options;
  const context = { registry, objectStore, digests: new DigestMemory(), clock, rules: readRules(config), isInUse };
  const app = buildHttpServer({
    routes: [...streamRoutes(context), ...tagRoutes(context)],
    log,
    createRequestId: () => createRequestId(random),
    admit: createAdmission(config.maxRequestsPerSecond ?? 0, clock),
  });
  return {
    async listen({ host, port }) {
      try {
        await app.listen({ host, port });
      } catch (error) {
        throw listenError(error, host, port);
      }
      const bound = app.server.address() as AddressInfo;
      return { host: bound.address, port: bound.port };
    },
    async close() {
      const grace = clock.setTimer(CLOSE_GRACE_MS, () => app.server.closeAllConnections());
      await app.close();
      grace.cancel();
    },
  };
}

function createAdmission(maxRequestsPerSecond: number, clock: Clock): () => void {
  if (maxRequestsPerSecond === 0) return () => {};
  const bucket = new TokenBucket(maxRequestsPerSecond, clock.monotonicMs());
  return () => {
    if (bucket.take(clock.monotonicMs())) return;
    const message = `more requests than this server's limit, ${maxRequestsPerSecond} per second`;
    throw new ApiException("ThrottlingException", message);
  };
}

function readRules(config: ControlPlaneConfig): StreamRules {
  const { maxFileBytes = DEFAULT_MAX_FILE_BYTES, maxFilesPerStream = MAX_FILES_PER_STREAM, maxStreams } = config;
  requireInteger("maxFileBytes", maxFileBytes, 1, HIGHEST_MAX_FILE_BYTES);
  requireInteger("maxFilesPerStream", maxFilesPerStream, 1, MAX_FILES_PER_STREAM);
  if (maxStreams !== undefined) requireInteger("maxStreams", maxStreams, 0, Number.MAX_SAFE_INTEGER);
  const rate = config.maxRequestsPerSecond ?? 0;
  if (!Number.isFinite(rate) || rate < 0) {
    throw new OtaError("InvalidArgument", `maxRequestsPerSecond must be 0 or more; it is ${rate}`);
  }
  return {
    scope: { partition: config.partition ?? "aws", region: config.region, accountId: config.accountId },
    firstStreamVersion: config.firstStreamVersion ?? 0,
    maxFileBytes,
    maxFilesPerStream,
    ...(maxStreams === undefined ? {} : { maxStreams }),
  };
}

function requireInteger(field: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new OtaError("InvalidArgument", `${field} must be an integer, ${min} to ${max}; it is ${value}`);
}

function listenError(error: unknown, host: string, port: number): OtaError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    return new OtaError("AddressInUse", `the HTTP port ${port} on ${host} is taken by another program`, {
      cause: error,
    });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new OtaError("AddressNotAvailable", `cannot listen for HTTP on ${host} port ${port}: ${reason}`, {
    cause: error,
  });
}
