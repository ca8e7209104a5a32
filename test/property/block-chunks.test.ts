/** The memory of chunks is used again and again; no byte of it may change while a connection has still to send it. */
import { Duplex } from "node:stream";
import fc from "fast-check";
import { generate, parser } from "mqtt-packet";
import { describe, expect, it } from "vitest";
import { ClientDirectory } from "../../broker/client-directory.ts";
import { ClientLink } from "../../broker/client-link.ts";
import { LocalTransport } from "../../broker/local-transport.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { enterClient, makeFile, makeRun, payloadsOf, TestPublisher } from "../support/broker.ts";

/** A connection that keeps the buffers it was given, not copies, and sends them when it is told to. */
class SlowConnection extends Duplex {
  readonly sent: Buffer[] = [];
  private held: { readonly bytes: Buffer; readonly done: () => void } | undefined;

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.held = { bytes, done };
  }

  /** Sends what it holds; the stream gives it the next buffer then. */
  send(): void {
    const { held } = this;
    if (held === undefined) return;
    this.held = undefined;
    this.sent.push(Buffer.from(held.bytes));
    held.done();
  }
}

/** Of a connection that takes blocks where they lie in the file. */
class LinkInPieces extends ClientLink {
  override get takesPieces(): boolean {
    return true;
  }
}

const NAMES = ["a", "b", "watcher"] as const;
const fileBytes = makeFile(900_001);
const sizes = fc.constantFrom(256, 4096, 16_384, 131_072);
const runs = fc
  .tuple(fc.nat({ max: 1 }), sizes, fc.constantFrom("cbor", "json"), fc.nat(), fc.nat({ max: 40 }), fc.boolean())
  .map(([thing, blockSizeBytes, format, first, more, hasToken]) => {
    const blockCount = Math.ceil(fileBytes.length / blockSizeBytes);
    const from = first % blockCount;
    const blockIds = Uint32Array.from({ length: Math.min(more + 1, blockCount - from) }, (_, index) => from + index);
    const token = hasToken ? { clientToken: "rdy" } : {};
    return makeRun(NAMES[thing] as string, { blockSizeBytes, format, fileBytes, blockIds, ...token });
  });
const steps = fc.array(fc.oneof(runs, fc.constantFrom(...NAMES)), { maxLength: 40 });

describe("chunks of blocks", () => {
  it("reach slow connections and their observer byte for byte, whatever is framed meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (all, isWatched) => {
        const clients = new ClientDirectory();
        const transport = new LocalTransport(clients, silentLog, systemClock);
        const publisher = await TestPublisher.start(transport);
        const connections = new Map(NAMES.map((name) => [name as string, enter(clients, transport, name)]));
        if (!isWatched) clients.leave(clients.find("watcher") as ClientLink);
        const expected = new Map<string, Buffer[]>([
          ["a", []],
          ["b", []],
        ]);
        for (const step of all) {
          if (typeof step === "string") connections.get(step)?.send();
          else {
            const thing = step.topic.split("/")[2] as string;
            expected.get(thing)?.push(...payloadsOf(step).map((payload) => packetOf(step.topic, payload)));
            publisher.send(thing, step);
          }
        }
        for (const thing of ["a", "b"]) {
          const connection = connections.get(thing) as SlowConnection;
          while (!publisher.isSettled(thing) || connection.writableLength > 0) {
            connections.get("watcher")?.send();
            connection.send();
            await new Promise((resolve) => setImmediate(resolve));
          }
          expect(Buffer.concat(connection.sent).equals(Buffer.concat(expected.get(thing) as Buffer[]))).toBe(true);
        }
        const watcher = connections.get("watcher") as SlowConnection;
        while (watcher.writableLength > 0) {
          watcher.send();
          await new Promise((resolve) => setImmediate(resolve));
        }
        // It may have lost packets, because it did not keep up, but those it has are whole.
        const known = new Set([...expected.values()].flat().map((packet) => packet.toString("latin1")));
        expect(packetsIn(watcher.sent).every((packet) => known.has(packet.toString("latin1")))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

function packetOf(topic: string, payload: Buffer): Buffer {
  return generate({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false });
}

function packetsIn(sent: readonly Buffer[]): Buffer[] {
  const packets: Buffer[] = [];
  const reader = parser({ protocolVersion: 4 });
  reader.on("packet", (packet) => packets.push(generate(packet)));
  reader.on("error", (error) => expect.unreachable(error.message));
  for (const bytes of sent) reader.parse(bytes);
  return packets;
}

function enter(clients: ClientDirectory, transport: LocalTransport, name: string): SlowConnection {
  const connection = new SlowConnection({ writableHighWaterMark: 65_536 });
  const link = new (name === "a" ? LinkInPieces : ClientLink)(connection, () => {});
  enterClient(clients, transport, link, name, name === "watcher" ? { kind: "observer" } : undefined);
  return connection;
}
