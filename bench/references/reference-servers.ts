/** Starts what the product is compared with, each in processes of its own. */
import type { ChildProcess } from "node:child_process";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Measurement } from "../harness/measurement.ts";
import type { OwnServer, Source } from "../harness/own-server.ts";
import { outputOf, type ProcessGroup, readyLine } from "../harness/process-group.ts";

/** A running reference that devices connect to. */
export interface ReferenceServer {
  readonly url: string;
  readonly pids: readonly number[];
}

const MOSQUITTO = "/usr/sbin/mosquitto";
const NGINX = "/usr/sbin/nginx";
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Starts the server that pushes a file without being asked. */
export function startPushServer(group: ProcessGroup, { path }: Source): Promise<ReferenceServer> {
  return startOwnProgram(group, "./push-server.ts", [path]);
}

/** Starts the publisher over a plain Aedes; it reads the streams and objects of `own`. */
export function startAedesServer(
  group: ProcessGroup,
  lane: "broker" | "client",
  own: OwnServer,
): Promise<ReferenceServer> {
  return startOwnProgram(group, "./aedes-server.ts", [lane, own.registryPath, own.s3Url]);
}

async function startOwnProgram(group: ProcessGroup, file: string, args: readonly string[]): Promise<ReferenceServer> {
  const child = group.startNode("server", here(file), args);
  const ready = once(child, "message") as Promise<[{ url: string }]>;
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`${file} ended with status ${code}`)));
  const [{ url }] = await Promise.race([ready, ended]);
  ended.catch(() => {});
  return { url, pids: [child.pid ?? 0] };
}

/** What is missing for mosquitto and its C client, as advice; undefined when nothing is. */
export function mosquittoMissing(): string | undefined {
  if (!hasCompiler()) return "apt-get install gcc libc6-dev";
  if (!existsSync(MOSQUITTO)) return "apt-get install mosquitto";
  return existsSync("/usr/include/mosquitto.h") ? undefined : "apt-get install libmosquitto-dev";
}

/** What is missing for nginx and its C client, as advice; undefined when nothing is. */
export function nginxMissing(): string | undefined {
  if (!hasCompiler()) return "apt-get install gcc libc6-dev";
  return existsSync(NGINX) ? undefined : "apt-get install nginx-light";
}

function hasCompiler(): boolean {
  return spawnSync("gcc", ["--version"]).status === 0;
}

/** Compiles a C file of this folder into `directory`; returns the path of the program. */
function compile(directory: string, name: string, libraries: readonly string[]): string {
  const program = join(directory, name);
  const flags = ["-O2", "-Wall", "-Wextra"];
  const { status, stderr } = spawnSync("gcc", [...flags, "-o", program, here(`./${name}.c`), ...libraries]);
  if (status !== 0) throw new Error(`gcc failed: ${stderr}`);
  return program;
}

/** One device that downloads through mosquitto, from a publisher beside it on the server's processor. */
export async function startMosquitto(
  group: ProcessGroup,
  directory: string,
  source: Source,
): Promise<(blockSizeBytes: number, requestBlocks: number, measureMs: number) => Promise<Measurement>> {
  const program = compile(directory, "mosquitto-peer", ["-lmosquitto"]);
  const port = await freePort();
  const config = join(directory, "mosquitto.conf");
  await writeFile(config, `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_type error\n`);
  const broker = group.start({ side: "server", command: MOSQUITTO, args: ["-c", config] });
  await accepts(port, broker);
  return async (blockSizeBytes, requestBlocks, measureMs) => {
    const where = [String(port), source.path, String(blockSizeBytes)];
    const publisher = group.start({ side: "server", command: program, args: ["publish", ...where] });
    await readyLine(publisher, (line) => line === "ready");
    const pids = [broker.pid ?? 0, publisher.pid ?? 0];
    const args = ["receive", ...where, ...[requestBlocks, 2, measureMs, ...pids].map(String)];
    const measurement = JSON.parse(await outputOf(group.start({ side: "receiver", command: program, args })));
    await group.end([publisher.pid ?? 0]);
    return measurement;
  };
}

/** Range requests to nginx for the blocks of a file. */
export async function startNginx(
  group: ProcessGroup,
  directory: string,
  source: Source,
): Promise<(blockSizeBytes: number, connections: number, measureMs: number) => Promise<Measurement>> {
  const program = compile(directory, "nginx-client", []);
  const port = await freePort();
  const prefix = join(directory, "nginx");
  await mkdir(prefix);
  const config = join(prefix, "nginx.conf");
  await writeFile(config, nginxConfig(prefix, port, dirname(source.path)));
  const args = ["-p", prefix, "-c", config, "-e", join(prefix, "error.log")];
  const server = group.start({ side: "server", command: NGINX, args });
  await accepts(port, server);
  return async (blockSizeBytes, connections, measureMs) => {
    const numbers = [blockSizeBytes, connections, measureMs, server.pid ?? 0].map(String);
    const client = group.start({ side: "receiver", command: program, args: [String(port), source.path, ...numbers] });
    return JSON.parse(await outputOf(client));
  };
}

/** One process, no log, the file kept open, head and body in one segment. */
function nginxConfig(prefix: string, port: number, root: string): string {
  const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off; master_process off; worker_processes 1;
pid ${prefix}/nginx.pid; error_log ${prefix}/error.log error;
events { worker_connections 1024; }
http {
  ${bodies.map((name) => `${name}_temp_path ${prefix}/${name};`).join(" ")}
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_requests 1000000000; keepalive_timeout 600; open_file_cache max=100;
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves once somebody accepts connections on the port; rejects when the process ends before. */
async function accepts(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      socket.destroy();
      return;
    } catch {
      // Refused: not yet.
    }
  }
  throw new Error(`${child.spawnargs.join(" ")} ended with status ${child.exitCode}`);
}
