/** One device at a time: the product's lanes beside the ceiling and beside everything that could be used instead. */
import { type BenchContext, interleave, type Lanes, measure, type Results } from "../harness/bench-context.ts";
import type { OwnServer } from "../harness/own-server.ts";
import type { Receiver } from "../harness/receiver.ts";
import type { WindowTask } from "../receivers/tasks.ts";
import {
  mosquittoMissing,
  nginxMissing,
  type ReferenceServer,
  startMosquitto,
  startNginx,
} from "../references/reference-servers.ts";

/** The servers that the groups measure. */
export interface Servers {
  readonly own: OwnServer;
  readonly push: ReferenceServer;
  readonly broker: ReferenceServer;
  readonly client: ReferenceServer;
}

/** The stream of one file that most lanes download. */
export const ONE_FILE = "one";
/** A stream of the same file {@link MANY_FILES} times, for sessions, which end with their stream. */
export const MANY = "many";
export const MANY_FILES = 32;

const BLOCK_BYTES = 4096;
const IN_FLIGHT = { requestBlocks: 32, requests: 2 };
/** 256-byte blocks: two requests of 131,072 bytes, the most that one may ask for. */
const SMALL = { blockSizeBytes: 256, requestBlocks: 512, requests: 2 };
const FLEET_LIMIT_MS = 30_000;

/** The task of one device on one server; `part` says what differs from two requests of 32 blocks of 4 KiB. */
export function windowTask(
  { pace, source }: BenchContext,
  server: ReferenceServer,
  part: Partial<WindowTask> = {},
): WindowTask {
  return {
    kind: "window",
    client: "lean",
    url: server.url,
    serverPids: server.pids,
    streamId: ONE_FILE,
    file: { sizeBytes: source.sizeBytes, crc32: source.crc32 },
    blockSizeBytes: BLOCK_BYTES,
    format: "cbor",
    ...IN_FLIGHT,
    measureMs: pace.measureMs,
    ...part,
  };
}

/** Measures one device on every lane. */
export async function measureOneDevice(context: BenchContext, servers: Servers, receiver: Receiver): Promise<Results> {
  const { own, push, broker, client } = servers;
  const window =
    (server: ReferenceServer, part: Partial<WindowTask> = {}) =>
    () =>
      measure(receiver, windowTask(context, server, part));
  const lanes: Lanes = {
    own: window(own),
    push: window(push),
    "own, MQTT.js": window(own, { client: "mqttjs" }),
    "push, MQTT.js": window(push, { client: "mqttjs" }),
    "own, session": () => measure(receiver, sessionTask(own)),
    "own, agent to disk": () => measure(receiver, agentTask(context, own)),
    "broker.publish": window(broker),
    "client.publish": window(client),
    "stop-and-wait": window(broker, { requestBlocks: 1, requests: 1 }),
    "own, stop-and-wait": window(own, { requestBlocks: 1, requests: 1 }),
    "own, 256 B": window(own, SMALL),
    "broker.publish, 256 B": window(broker, SMALL),
    ...(await peerLanes(context)),
  };
  return interleave(context, lanes, { warmUp: true });
}

/** The lanes of servers that nobody here wrote; one that is not installed is left out, with a line that says so. */
async function peerLanes({ group, directory, source, pace, report, fail }: BenchContext): Promise<Lanes> {
  const { measureMs } = pace;
  const missing = [
    { rows: "mosquitto", advice: mosquittoMissing() },
    { rows: "nginx", advice: nginxMissing() },
  ];
  for (const { rows, advice } of missing) if (advice !== undefined) report(`without ${rows}: ${advice}`);
  const [mosquitto, nginx] = missing.map(({ advice }) => advice === undefined);
  const orFail = <Ask>(name: string, starting: Promise<Ask>): Promise<Ask | undefined> =>
    starting.catch((error: unknown) => {
      fail(name, error);
      return undefined;
    });
  const askMosquitto = mosquitto ? await orFail("mosquitto", startMosquitto(group, directory, source)) : undefined;
  const askNginx = nginx ? await orFail("nginx", startNginx(group, directory, source)) : undefined;
  return {
    ...(askMosquitto && {
      mosquitto: () => askMosquitto(BLOCK_BYTES, IN_FLIGHT.requestBlocks, measureMs),
      "mosquitto, 256 B": () => askMosquitto(SMALL.blockSizeBytes, SMALL.requestBlocks, measureMs),
    }),
    ...(askNginx && {
      "nginx, 8 connections": () => askNginx(BLOCK_BYTES, 8, measureMs),
      "nginx, 2 MiB": () => askNginx(source.sizeBytes, 1, measureMs),
    }),
  };
}

function sessionTask({ url, pids }: OwnServer) {
  const asked = { url, serverPids: pids, streamId: MANY, blockSizeBytes: BLOCK_BYTES, format: "cbor" } as const;
  return { kind: "fleet", ...asked, devices: 1, limitMs: FLEET_LIMIT_MS } as const;
}

function agentTask({ directory }: BenchContext, { url, pids }: OwnServer) {
  const asked = { url, serverPids: pids, streamId: MANY, blockSizeBytes: BLOCK_BYTES, format: "cbor" } as const;
  return { kind: "agent", ...asked, directory } as const;
}
