/** Whose turn it is when every connection takes all that it is given. */
import { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { ClientDirectory } from "../../broker/client-directory.ts";
import { ClientLink } from "../../broker/client-link.ts";
import { LocalTransport } from "../../broker/local-transport.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { makeRun, TestPublisher } from "../support/broker.ts";

/** A connection whose kernel has room for everything. */
class FastConnection extends Duplex {
  readonly wrote: () => void;

  constructor(wrote: () => void) {
    super({ writableHighWaterMark: 65_536 });
    this.wrote = wrote;
  }

  override _read(): void {}

  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    this.wrote();
    done();
  }
}

describe("devices that can all take more", () => {
  it("have a chunk each in turn, whoever asked first and for the most", async () => {
    const turns: string[] = [];
    const clients = new ClientDirectory();
    const transport = new LocalTransport(clients, silentLog, systemClock);
    const publisher = await TestPublisher.start(transport);
    const devices = ["greedy", "modest", "late"];
    for (const name of devices) enter(clients, transport, name, turns);
    const answer = { blockSizeBytes: 4096, blockIds: Uint32Array.from({ length: 32 }, (_, index) => index) };
    for (const name of [...new Array<string>(8).fill("greedy"), "modest", "late"]) {
      publisher.send(name, makeRun(name, answer));
      // What Node does between two sockets whose bytes came at the same time.
      await new Promise((resolve) => process.nextTick(resolve));
    }
    await publisher.until(() => devices.every((name) => publisher.isSettled(name)));
    expect(turns.slice(0, 6)).toEqual([...devices, ...devices]);
    expect(turns.slice(6)).toEqual(new Array<string>(14).fill("greedy"));
  });
});

function enter(clients: ClientDirectory, transport: LocalTransport, name: string, turns: string[]): void {
  const connection = new FastConnection(() => turns.push(name));
  const link = new ClientLink(connection, () => {});
  link.clientId = name;
  link.role = { kind: "thing", thing: name };
  link.topicFilters = () => ["$aws/#"];
  link.isReady = true;
  connection.on("drain", () => transport.reportReady(link));
  clients.enter(link);
}
