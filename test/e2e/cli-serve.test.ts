/** `serve` as its user meets it: the ready line, the addresses it is bound to, and how it ends. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../support/otastream-delivery.ts";
import {
  descendantsOf,
  FREE_PORTS,
  isRunning,
  killLeftovers,
  listeningOn,
  OtastreamProcess,
  runOtastream,
  startServe,
} from "../support/otastream-process.ts";

let directory: TemporaryDirectory;
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  await killLeftovers();
  await directory.remove();
});

function portsOf(urls: object): number[] {
  return Object.values(urls).flatMap((url) => (typeof url === "string" ? [Number(new URL(url).port)] : []));
}

async function openConnection(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket.on("error", () => {});
}

describe("the ready line", () => {
  it("is the only line on stdout, with the four addresses in this order; logs go to stderr", async () => {
    const { urls, process } = await startServe(directory.in("data"));
    expect(process.stdout.join("\n")).toMatch(
      /^\{"ready":true,"mqtt":"mqtt:\/\/127\.0\.0\.1:\d+","ws":"ws:\/\/127\.0\.0\.1:\d+","http":"http:\/\/127\.0\.0\.1:\d+","s3":"http:\/\/127\.0\.0\.1:\d+"\}$/,
    );
    const refused = await runOtastream(["download", "none", "--broker", urls.mqtt, "--out", directory.in("out")]);
    expect(refused.status).toBe(1);
    const { status, stdout, stderr } = await process.stop();
    expect(status).toBe(0);
    expect(stdout).toBe(`${JSON.stringify(urls)}\n`);
    const logged = stderr.trim().split("\n");
    expect(logged.map((line) => JSON.parse(line).msg)).toEqual(["request rejected", "stopping"]);
  });

  it("names the storage elsewhere when one is given, and no door for it is opened", async () => {
    const storage = await startServe(directory.in("storage"));
    const flags = ["--s3-endpoint", storage.urls.s3, "--log-level", "silent"];
    const { urls, process } = await startServe(directory.in("data"), flags);
    expect(urls.s3).toBe(storage.urls.s3);
    expect(listeningOn(process.pid)).toHaveLength(3);
  });

  it("is for programs: without --json a person gets commands to try", async () => {
    const process = new OtastreamProcess(["serve", ...FREE_PORTS, "--data-dir", directory.in("data")]);
    await process.stdoutLine(/Ctrl-C stops it/);
    expect(process.stdout[0]).toBe("otastream is ready");
    expect(process.stdout.join("\n")).toMatch(/aws --endpoint-url http:\/\/127\.0\.0\.1:\d+ iot list-streams/);
    expect(await process.stop()).toMatchObject({ status: 0 });
  });

  it("may be all that is read: nobody reading on does not end the server", async () => {
    const { urls, process } = await startServe(directory.in("data"));
    process.child.stdout.destroy();
    process.child.stderr.destroy();
    const args = ["download", "none", "--broker", urls.mqtt, "--out", directory.in("out")];
    for (const _ of ["first", "second"]) expect((await runOtastream(args)).stderr).toContain("StreamNotFound");
    expect(await process.stop()).toMatchObject({ status: 0 });
  });
});

describe("the bound addresses", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1", "0100007F"],
    ["127.0.0.2", "127.0.0.2", "0200007F"],
    ["localhost", "(localhost|127\\.0\\.0\\.1|\\[::1\\])", "(0100007F|0{24}01000000)"],
  ])("are those of --host %s and no other", async (host, shown, bound) => {
    const { urls, process } = await startServe(directory.in("data"), ["--host", host]);
    for (const url of [urls.mqtt, urls.ws, urls.http, urls.s3]) {
      expect(url).toMatch(new RegExp(`^(mqtt|ws|http)://${shown}:\\d+$`));
    }
    const addresses = listeningOn(process.pid);
    for (const address of addresses) expect(address).toMatch(new RegExp(`^${bound}:`));
    const ports = addresses.map((address) => Number.parseInt(address.split(":")[1] ?? "", 16));
    expect(ports.sort()).toEqual(portsOf(urls).sort());
  });

  it("are reached through loopback when they are all of them", async () => {
    const { urls, process } = await startServe(directory.in("data"), ["--host", "0.0.0.0"]);
    for (const url of [urls.mqtt, urls.ws, urls.http, urls.s3]) expect(new URL(url).hostname).toBe("127.0.0.1");
    for (const address of listeningOn(process.pid)) expect(address).toMatch(/^00000000:/);
  });
});

describe("the end", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "comes with %s and status 0, with devices and clients connected",
    async (signal) => {
      const { urls, process } = await startServe(directory.in("data"));
      const waiting = await Promise.all(portsOf(urls).map((port) => openConnection(port)));
      expect(await process.stop(signal)).toMatchObject({ status: 0 });
      for (const connection of waiting) connection.destroy();
      expect(isRunning(process.pid)).toBe(false);
    },
  );

  it("comes through npm, too, and leaves no process behind", async () => {
    const { urls, process } = await startServe(directory.in("data"), [], { throughNpm: true });
    const pids = [process.pid, ...descendantsOf(process.pid)];
    expect(pids.length).toBeGreaterThan(1);
    expect(process.stdout).toEqual([JSON.stringify(urls)]);
    expect(await process.stop("SIGTERM")).toMatchObject({ status: 0 });
    expect(pids.filter(isRunning)).toEqual([]);
  });

  it("leaves a directory that the next run goes on with", async () => {
    const first = await startServe(directory.in("data"));
    const { http } = first.urls;
    const { port } = new URL(http);
    await first.process.stop();
    const second = await startServe(directory.in("data"), ["--http-port", port]);
    expect(second.urls.http).toBe(http);
    expect(await runOtastream(["streams", "list", "--endpoint", http])).toEqual({
      status: 0,
      stdout: "there are no streams\n",
      stderr: "",
    });
  });
});
