/** A lean connection under a test's hand, and brokers for it that do what a test tells them. */
import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";
import type { FleetConnectionOptions, FleetEvents } from "../../device/fleet/fleet-connection.ts";
import { LeanConnection } from "../../device/fleet/lean-connection.ts";
import type { LeanNetwork } from "../../device/fleet/lean-network.ts";
import { blocksIn, type ReceivedRun } from "../../device/fleet/received-run.ts";
import type { OtaError } from "../../shared/protocol/errors.ts";

/** What a connection told its device, as lines. */
export class LeanTestDevice implements FleetEvents {
  readonly lines: string[] = [];
  readonly blocks: { readonly blockId: number; readonly payload: Buffer }[] = [];
  error: OtaError | undefined;
  connection: LeanConnection;
  /** Called for each block. */
  afterBlock: (blockId: number) => void = () => {};
  private payload: Buffer[] = [];
  private readonly events = new EventEmitter();

  constructor(network: LeanNetwork, options: FleetConnectionOptions) {
    this.connection = new LeanConnection(network, options, this);
  }

  connected(): void {
    this.note("connected");
  }

  lost(error: OtaError): void {
    this.error = error;
    this.note(`lost ${error.code}`);
  }

  subscribed(isGranted: boolean): void {
    this.note(`subscribed ${isGranted}`);
  }

  messageArrived(topic: string, payload: Uint8Array): void {
    this.note(`${topic} ${Buffer.from(payload).toString()}`);
  }

  runArrived(run: ReceivedRun): void {
    for (const { blockId, sizeBytes, bytes, start } of blocksIn(run)) {
      this.payloadArrived(bytes, start, start + sizeBytes);
      this.blockArrived(0, blockId);
    }
  }

  payloadArrived(bytes: Uint8Array, start: number, end: number): void {
    this.payload.push(Buffer.from(bytes.slice(start, end)));
  }

  blockArrived(_fileId: number, blockId: number): void {
    this.blocks.push({ blockId, payload: Buffer.concat(this.payload) });
    this.payload = [];
    this.afterBlock(blockId);
    this.events.emit("change");
  }

  takeBlock(): void {}

  blockSpoiled(): void {
    this.payload = [];
    this.note("spoiled");
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.events, "change");
  }

  async heard(line: string): Promise<void> {
    await this.until(() => this.lines.includes(line));
  }

  private note(line: string): void {
    this.lines.push(line);
    this.events.emit("change");
  }
}

/** A broker that does what it is told: `answer` gets every packet and the socket it came on. */
export async function startScriptedBroker(
  answer: (packet: Packet, socket: Socket) => void,
): Promise<{ readonly url: string; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    const packets = parser({ protocolVersion: 4 });
    packets.on("packet", (packet) => answer(packet, socket));
    socket.on("data", (bytes) => packets.parse(bytes as Buffer)).on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** CONNACK with return code 0. */
export const CONNACK = generate({ cmd: "connack", returnCode: 0, sessionPresent: false });
/** SUBACK for a greeting's two filters. */
export const SUBACK = generate({ cmd: "suback", messageId: 1, granted: [0, 0] });

/** Greets like a broker; says whether the packet was a greeting. */
export function greet(packet: Packet, socket: Socket): boolean {
  if (packet.cmd === "connect") socket.write(CONNACK);
  if (packet.cmd === "subscribe") socket.write(SUBACK);
  return packet.cmd === "connect" || packet.cmd === "subscribe";
}
