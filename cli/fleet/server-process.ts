/** A server as a process of the fleet's own: serves until the process that started it says so, or is gone. */
import { systemClock } from "../../shared/clock.ts";
import { privateServer } from "../private-server.ts";
import { type Server, startServer } from "../server.ts";
import { openLog, tellFailure } from "../terminal.ts";

/** What the process is told once. */
export interface ServerProcessOptions {
  readonly dataDir: string;
  readonly firstStreamVersion: 0 | 1;
  readonly maxFileBytes: number;
}

/** How old the last look at an object may be: nobody changes it during a run. */
const CHECK_INTERVAL_MS = 60_000;
const GRACE_MS = 10_000;

let server: Server | undefined;

// Ctrl-C reaches the whole group; the command decides when the devices are done with the server.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.once("message", (options: ServerProcessOptions) => void serve(options));
process.once("disconnect", () => void end());

async function serve({ dataDir, firstStreamVersion, maxFileBytes }: ServerProcessOptions): Promise<void> {
  try {
    const options = privateServer(dataDir, openLog("error"));
    server = await startServer({
      ...options,
      control: { ...options.control, firstStreamVersion, maxFileBytes },
      checkIntervalMs: CHECK_INTERVAL_MS,
    });
    process.send?.(server.urls);
  } catch (error) {
    process.exitCode = tellFailure(error);
    process.disconnect();
  }
}

async function end(): Promise<void> {
  systemClock.setTimer(GRACE_MS, () => process.exit(1));
  await server?.close();
  process.exit();
}
