/** A control plane on a free port of the loopback, on a real registry file, with an object store a test can break. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ControlPlaneConfig, createControlPlane } from "../../publisher/control/control-plane.ts";
import type { ObjectStore } from "../../publisher/object-store/object-store.ts";
import { openSqliteRegistry } from "../../publisher/registry/sqlite-registry.ts";
import type { StreamRegistry } from "../../publisher/registry/stream-registry.ts";
import type { Log, LogFields } from "../../shared/log.ts";
import { seededRandom } from "../../shared/random.ts";
import { type ControlClock, createControlClock } from "./control-clock.ts";
import { ControlObjectStore } from "./control-object-store.ts";

/** What a test can set; the rest has working defaults. */
export interface StartOptions {
  readonly config?: Partial<ControlPlaneConfig>;
  readonly objectStore?: ObjectStore;
  readonly isInUse?: (streamId: string) => boolean;
  /** Wraps the registry, to break it. */
  readonly wrapRegistry?: (registry: StreamRegistry) => StreamRegistry;
}

/** One line that the control plane logged. */
export interface LoggedLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: LogFields;
}

/** A running control plane and the parts a test looks at. */
export interface StartedControlPlane {
  /** "http://127.0.0.1:PORT". */
  readonly endpoint: string;
  readonly port: number;
  readonly registry: StreamRegistry;
  /** The default store, with "firmware/a.bin" (1000 bytes) and "firmware/b.bin" (1 byte) in it. */
  readonly store: ControlObjectStore;
  readonly clock: ControlClock;
  readonly logged: readonly LoggedLine[];
  /** Stops the server only. */
  stop(): Promise<void>;
  /** Stops it and removes its files. */
  close(): Promise<void>;
}

/** When the test clock starts: a time with a fraction of a second. */
export const CONTROL_START_MS = 1_763_772_295_250;
/** A role ARN of valid length. */
export const ROLE_ARN = "arn:aws:iam::123456789012:role/otastream";

/** Starts a control plane for a test, which closes it. */
export async function startControlPlane(options: StartOptions = {}): Promise<StartedControlPlane> {
  const directory = await mkdtemp(join(tmpdir(), "otastream-control-"));
  const file = openSqliteRegistry(join(directory, "streams.db"));
  const registry = options.wrapRegistry?.(file) ?? file;
  const store = new ControlObjectStore();
  store.put(
    "firmware",
    "a.bin",
    Uint8Array.from({ length: 1000 }, (_, index) => index),
  );
  store.put("firmware", "b.bin", Uint8Array.of(7));
  const clock = createControlClock(CONTROL_START_MS);
  const logged: LoggedLine[] = [];
  const plane = createControlPlane({
    registry,
    objectStore: options.objectStore ?? store,
    clock,
    log: createRecordingLog(logged),
    random: seededRandom(1),
    config: { region: "us-east-1", accountId: "123456789012", ...options.config },
    ...(options.isInUse === undefined ? {} : { isInUse: options.isInUse }),
  });
  const { host, port } = await plane.listen({ host: "127.0.0.1", port: 0 });
  return {
    endpoint: `http://${host}:${port}`,
    port,
    registry,
    store,
    clock,
    logged,
    stop: () => plane.close(),
    async close() {
      await plane.close();
      await file.close();
      await rm(directory, { recursive: true });
    },
  };
}

function createRecordingLog(lines: LoggedLine[]): Log {
  const record =
    (level: keyof Log) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
    };
  return { debug: record("debug"), info: record("info"), warn: record("warn"), error: record("error") };
}
