/** A real S3 server with versions: Ceph's gateway from Debian with one monitor and one store in memory. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { hasDebianPackages } from "./debian-package.ts";

/** A running gateway. */
export interface Radosgw {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Ends every process of it and removes its files. */
  close(): Promise<void>;
}

const CREDENTIALS = { accessKeyId: "AKTEST", secretAccessKey: "SKTEST" };
const run = promisify(execFile);

/** True when the gateway is installed; see {@link hasDebianPackages} for what happens otherwise. */
export function hasRadosgw(): boolean {
  const tools = ["radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "monmaptool", "ceph"];
  return hasDebianPackages(
    ["radosgw", "ceph-mon", "ceph-osd"],
    tools.map((tool) => `/usr/bin/${tool}`),
  );
}

/** Starts a gateway on free ports, with one user and no data; takes about 12 s. */
export async function startRadosgw(): Promise<Radosgw> {
  const dir = mkdtempSync(join(tmpdir(), "otastream-radosgw-"));
  const children: ChildProcess[] = [];
  const killAll = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  process.once("exit", killAll);
  const close = async () => {
    process.removeListener("exit", killAll);
    const exits = children.filter(isRunning).map((child) => once(child, "exit"));
    killAll();
    await Promise.all(exits);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const [monitorPort = 0, oldMonitorPort = 0, port = 0] = await freePorts(3);
    const monitors = `[v2:127.0.0.1:${monitorPort},v1:127.0.0.1:${oldMonitorPort}]`;
    await startCluster(dir, monitors, port, children);
    return { endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", credentials: CREDENTIALS, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startCluster(dir: string, monitors: string, port: number, children: ChildProcess[]): Promise<void> {
  const clusterId = randomUUID();
  const storeId = randomUUID();
  const monitorMap = join(dir, "monmap");
  const config = ["-c", join(dir, "ceph.conf")];
  writeFileSync(join(dir, "ceph.conf"), configuration(dir, clusterId, monitors, port));
  for (const name of ["mon", "osd", "rgw"]) mkdirSync(join(dir, name));
  const start = (tool: string, ...args: string[]): ChildProcess => {
    const child = spawn(`/usr/bin/${tool}`, [...config, ...args], { stdio: ["ignore", "pipe", "ignore"] });
    children.push(child);
    return child;
  };

  await run("/usr/bin/monmaptool", ["--create", "--fsid", clusterId, "--addv", "a", monitors, monitorMap]);
  await run("/usr/bin/ceph-mon", [...config, "--mkfs", "-i", "a", "--monmap", monitorMap]);
  start("ceph-mon", "-f", "-i", "a", "--public-addr", "127.0.0.1").stdout?.resume();
  await run("/usr/bin/ceph", [...config, "osd", "new", storeId]);
  await run("/usr/bin/ceph-osd", [...config, "-i", "0", "--mkfs", "--osd-uuid", storeId]);
  start("ceph-osd", "-f", "-i", "0").stdout?.resume();
  const { accessKeyId, secretAccessKey } = CREDENTIALS;
  const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
  await run("/usr/bin/radosgw-admin", [...config, "user", "create", "--uid=test", "--display-name=test", ...keys]);
  await untilListening(start("radosgw", "-d", "-n", "client.rgw.a"));
}

/** The gateway registers with the cluster right after its sockets listen, and says so in its log, which `-d` sends to stdout. */
async function untilListening(gateway: ChildProcess): Promise<void> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: gateway.stdout as NodeJS.ReadableStream })) {
    lines.push(line);
    if (line.includes("service_daemon_register")) {
      gateway.stdout?.resume();
      return;
    }
  }
  throw new Error(`radosgw ended before it listened:\n${lines.slice(-10).join("\n")}`);
}

function configuration(dir: string, clusterId: string, monitors: string, port: number): string {
  return `[global]
fsid = ${clusterId}
mon host = ${monitors}
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
mon allow pool size one = true
osd crush chooseleaf type = 0
osd objectstore = memstore
run dir = ${dir}
pid file = ${dir}/$name.pid
admin socket = ${dir}/$name.asok
log file = ${dir}/$name.log
mon data = ${dir}/mon
osd data = ${dir}/osd
rgw data = ${dir}/rgw
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
`;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
