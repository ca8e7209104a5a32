/** Whose turn it is when every connection takes all that it is given. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClientDirectory } from "../../broker/client-directory.ts";
import { ClientLink } from "../../broker/client-link.ts";
import { LocalTransport } from "../../broker/local-transport.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { enterClient, makeRun, TestPublisher } from "../support/broker.ts";

const DEVICES = ["greedy", "modest", "late"] as const;
/** 32 blocks of 4 KiB are two chunks. */
const ANSWER = { blockSizeBytes: 4096, blockIds: Uint32Array.from({ length: 32 }, (_, index) => index) };

/** A stream that keeps what it is given, and so cannot have copied it. */
class KeepingConnection extends Duplex {
  override _read(): void {}

  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

describe("devices that can all take more", () => {
  let server: Server;
  let sockets: Socket[];

  beforeEach(async () => {
    server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    sockets = [];
  });

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it("have one answer each in turn, whoever asked first and for the most", async () => {
    for (const _ of DEVICES) {
      const accepted = once(server, "connection") as Promise<[Socket]>;
      const client = connect((server.address() as AddressInfo).port, "127.0.0.1").resume();
      sockets.unshift(
        (await accepted)[0].on("error", () => {}),
        client.on("error", () => {}),
      );
    }
    const chunks = await serve(sockets.filter((_, index) => index % 2 === 0));
    expect(chunks.slice(0, 6)).toEqual(["greedy", "greedy", "modest", "modest", "late", "late"]);
    expect(chunks.slice(6)).toEqual(new Array<string>(14).fill("greedy"));
  });

  it("have one chunk each in turn while it is not known to be copied", async () => {
    const chunks = await serve(DEVICES.map(() => new KeepingConnection({ writableHighWaterMark: 65_536 })));
    expect(chunks.slice(0, 6)).toEqual([...DEVICES, ...DEVICES]);
    expect(chunks.slice(6)).toEqual(new Array<string>(14).fill("greedy"));
  });
});

/** Gives eight answers to the first device and one to each other; returns whose chunks were written, in order. */
async function serve(connections: readonly Duplex[]): Promise<string[]> {
  const chunks: string[] = [];
  const directory = new ClientDirectory();
  const transport = new LocalTransport(directory, silentLog, systemClock);
  const publisher = await TestPublisher.start(transport);
  for (const [index, connection] of connections.entries()) {
    const name = DEVICES[index] as string;
    const link = enterClient(directory, transport, new ClientLink(connection, () => {}), name);
    const write = link.write.bind(link);
    link.write = (...written) => {
      chunks.push(name);
      write(...written);
    };
  }
  for (const name of [...new Array<string>(8).fill("greedy"), "modest", "late"]) {
    publisher.send(name, makeRun(name, ANSWER));
    // What Node does between two sockets whose bytes came at the same time.
    await new Promise((resolve) => process.nextTick(resolve));
  }
  await publisher.until(() => DEVICES.every((name) => publisher.isSettled(name)));
  return chunks;
}
