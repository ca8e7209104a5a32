/** This project's publisher over a plain Aedes, which sends every block as a publish of its own: the lanes that the fast lane replaces. */
import { type AddressInfo, createServer } from "node:net";
import { Aedes, type AedesPublishPacket, type Client } from "aedes";
import { FileCache } from "../../publisher/file-cache.ts";
import { createS3ObjectStore } from "../../publisher/object-store/s3-object-store.ts";
import { Publisher } from "../../publisher/publisher.ts";
import { openSqliteRegistry } from "../../publisher/registry/sqlite-registry.ts";
import { StreamDirectory } from "../../publisher/stream-directory.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import type { PublisherTransport } from "../../shared/transport.ts";
import { endWithParent } from "../harness/channel.ts";

type Lane = "broker" | "client";
type Send = (thing: string, topic: string, payload: Uint8Array) => void;

const [lane, registryPath, s3Endpoint] = process.argv.slice(2) as [Lane, string, string];
const CACHE_BYTES = 256 * 1024 * 1024;
/** As the product's own listener has it. */
const BACKLOG = 4096;

const aedes = new Aedes();
await aedes.listen();
const send = lane === "broker" ? sendThroughBroker : sendToClient;
const credentials = { accessKeyId: "otastream", secretAccessKey: "otastream" };
const store = createS3ObjectStore({ endpoint: s3Endpoint, region: "us-east-1", credentials });
const directory = new StreamDirectory(openSqliteRegistry(registryPath));
const files = new FileCache({
  store,
  clock: systemClock,
  maxBytes: CACHE_BYTES,
  checkIntervalMs: 1000,
  serveStaleMs: 0,
});
const transport = transportOver(send);
await new Publisher({ transport, directory, files, clock: systemClock, log: silentLog, profile: "lenient" }).start();

const server = createServer({ noDelay: true }, aedes.handle);
server.listen({ port: 0, host: "127.0.0.1", backlog: BACKLOG }, () => {
  process.send?.({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
endWithParent();

function transportOver(sendOne: Send): PublisherTransport {
  return {
    start: async ({ requestArrived }) => {
      for (const operation of ["get", "describe"]) {
        const take = ({ topic, payload }: AedesPublishPacket, done: () => void): void => {
          requestArrived({ topic, payload: payload as Buffer });
          // Aedes goes on to the next message within this call: a burst of requests would overflow the stack.
          setImmediate(done);
        };
        await new Promise<void>((resolve) => aedes.subscribe(`$aws/things/+/streams/+/${operation}/+`, take, resolve));
      }
    },
    sendBlocks: (thing, run, from) => {
      const frame = new DataFrame(run);
      for (const blockId of run.blockIds.slice(from)) {
        const start = blockId * run.blockSizeBytes;
        const end = start + blockLength(blockId, run.fileBytes.length, run.blockSizeBytes);
        sendOne(thing, run.topic, frame.encode(blockId, run.fileBytes.subarray(start, end)));
      }
      return run.blockIds.length - from;
    },
    sendMessage: sendOne,
    stop: async () => {},
  };
}

function sendThroughBroker(_thing: string, topic: string, payload: Uint8Array): void {
  aedes.publish(packetOf(topic, payload), () => {});
}

function sendToClient(thing: string, topic: string, payload: Uint8Array): void {
  const { clients } = aedes as unknown as { clients: Record<string, Client | undefined> };
  clients[thing]?.publish(packetOf(topic, payload), () => {});
}

function packetOf(topic: string, payload: Uint8Array) {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return { cmd: "publish", topic, payload: bytes, qos: 0, retain: false, dup: false } as const;
}
