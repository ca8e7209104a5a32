/** A mosquitto of the test's own on a free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { hasDebianPackages } from "./debian-package.ts";

/** A running mosquitto. */
export interface Mosquitto {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

const BINARY = "/usr/sbin/mosquitto";

/** True when mosquitto and its clients are installed; throws in CI when they are not. */
export function hasMosquitto(): boolean {
  return hasDebianPackages(["mosquitto", "mosquitto-clients"], [BINARY, "/usr/bin/mosquitto_sub"]);
}

/** Starts mosquitto on loopback, without passwords; resolves once it listens. */
export async function startMosquitto(port?: number): Promise<Mosquitto> {
  const listenPort = port ?? (await freePort());
  const directory = await mkdtemp(join(tmpdir(), "otastream-mosquitto-"));
  const config = join(directory, "mosquitto.conf");
  await writeFile(
    config,
    `listener ${listenPort} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_dest stderr\n`,
  );
  const child = spawn(BINARY, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  await running(child);
  return {
    url: `mqtt://127.0.0.1:${listenPort}`,
    port: listenPort,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function running(child: ChildProcess): Promise<void> {
  if (child.stderr === null) throw new Error("stderr is not piped");
  const lines: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    lines.push(line);
    if (line.includes("running")) {
      child.stderr.resume();
      return;
    }
  }
  throw new Error(`mosquitto ended: ${lines.join("\n")}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
