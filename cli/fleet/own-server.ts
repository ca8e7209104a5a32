/** A server of the fleet's own, as a process of its own, with one stream on it. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { OtaError } from "../../shared/protocol/errors.ts";
import { PRIVATE_REGION } from "../private-server.ts";
import { publishFiles } from "../publish-command.ts";
import type { Server } from "../server.ts";
import { describeEnd, forkOwn } from "./child-process.ts";
import type { ServerProcessOptions } from "./server-process.ts";

/** What the server is started with. */
export interface OwnServerOptions {
  /** For its data; the caller's to remove. */
  readonly directory: string;
  readonly streamId: string;
  /** The file that the stream has. */
  readonly path: string;
  readonly firstStreamVersion: 0 | 1;
  /** Largest file the server takes. */
  readonly maxFileBytes: number;
  /** Called with how it ended, in words, when nobody closed it. */
  readonly onLost: (how: string) => void;
}

/** A running server. */
export interface OwnServer {
  readonly brokerUrl: string;
  /** Processor time and memory so far; undefined where the system does not tell. */
  figures(): Promise<ServerFigures | undefined>;
  close(): Promise<void>;
}

/** What the process has used. */
export interface ServerFigures {
  readonly cpuMs: number;
  readonly residentBytes: number;
  /** The most that was ever resident. */
  readonly peakBytes: number;
}

/** The same file as this one's neighbour, before the build and after it. */
const SERVER = fileURLToPath(new URL(`./server-process${extname(import.meta.url)}`, import.meta.url));
/** The scheduler's clock tick in /proc on Linux (USER_HZ). */
const TICK_MS = 10;

/** Starts a server and publishes the file; leaves nothing running when that fails. */
export async function startOwnServer(options: OwnServerOptions): Promise<OwnServer> {
  const { directory, streamId, path, firstStreamVersion, maxFileBytes, onLost } = options;
  const child = forkOwn(SERVER);
  try {
    const settings: ServerProcessOptions = { dataDir: join(directory, "server"), firstStreamVersion, maxFileBytes };
    child.send(settings);
    const { mqtt, http, s3 } = await readyUrls(child);
    const where = { bucket: "fleet", endpoint: http, s3Endpoint: s3, region: PRIVATE_REGION };
    await publishFiles({ streamId, files: [path], ...where, json: true }, () => {});
    child.once("exit", () => {
      // A disconnect from this side is a request to end.
      if (child.exitCode !== 0) onLost(describeEnd(child));
    });
    return { brokerUrl: mqtt, figures: () => readFigures(child.pid), close: () => endProcess(child) };
  } catch (error) {
    await endProcess(child);
    throw error;
  }
}

async function readyUrls(child: ChildProcess): Promise<Server["urls"]> {
  const ready = await Promise.race([once(child, "message"), once(child, "exit").then(() => undefined)]);
  if (ready !== undefined) return ready[0];
  throw new OtaError("ApiUnreachable", `the fleet's own server did not start: it ended ${describeEnd(child)}`);
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  if (child.connected) child.disconnect();
  await ended;
}

async function readFigures(pid: number | undefined): Promise<ServerFigures | undefined> {
  try {
    const [stat = "", status = ""] = await Promise.all(
      ["stat", "status"].map((name) => readFile(`/proc/${pid}/${name}`, "latin1")),
    );
    // What follows the name in brackets, which may have spaces: fields 3 and on.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const kibibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      residentBytes: kibibytes("VmRSS") * 1024,
      peakBytes: kibibytes("VmHWM") * 1024,
    };
  } catch {
    return undefined;
  }
}
