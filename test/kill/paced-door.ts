/** A door in front of a broker that lets bytes through to devices at a rate, and reads along: blocks asked for and blocks delivered. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { parser } from "mqtt-packet";
import { systemClock, type Timer } from "../../shared/clock.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";
import { decodeData } from "../../shared/protocol/decode-response.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";
import { blocksOf } from "../support/session-driver.ts";

/** How the door behaves. */
export interface PacedDoorOptions {
  /** Where the broker is. */
  readonly url: string;
  /** Towards devices, in bytes per millisecond. */
  readonly bytesPerMs: number;
  /** Called with each block that is asked for. */
  readonly asked: (blockId: number) => void;
  /** Called with each block once its last byte was handed to the device's socket. */
  readonly delivered: (blockId: number) => void;
}

const CHUNK_BYTES = 2048;
/** Bytes that wait at the door before the broker is made to wait. */
const MOST_WAITING_BYTES = 16_384;

/** An open door. */
export class PacedDoor {
  private readonly options: PacedDoorOptions;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(options: PacedDoorOptions) {
    this.options = options;
    this.server = createServer((device) => this.join(device));
  }

  /** Opens a door on a free port. */
  static async open(options: PacedDoorOptions): Promise<PacedDoor> {
    const door = new PacedDoor(options);
    door.server.listen(0, "127.0.0.1");
    await once(door.server, "listening");
    return door;
  }

  /** Where devices connect. */
  get url(): string {
    return `mqtt://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }

  private join(device: Socket): void {
    const { hostname, port } = new URL(this.options.url);
    const broker = connect(Number(port), hostname);
    this.readRequests(device);
    device.pipe(broker);
    const pace = this.pace(broker, device);
    for (const [socket, other] of [
      [device, broker],
      [broker, device],
    ] as const) {
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.sockets.delete(socket);
        pace.stop();
        other.destroy();
      });
    }
  }

  /** Hands the broker's bytes to the device, a chunk at a time, each after the time it takes at the door's rate. */
  private pace(broker: Socket, device: Socket): { stop(): void } {
    const readDelivered = this.deliveredReader();
    let waiting = Buffer.alloc(0);
    let timer: Timer | undefined;
    const next = (): void => {
      timer = undefined;
      const chunk = waiting.subarray(0, CHUNK_BYTES);
      waiting = waiting.subarray(chunk.length);
      if (waiting.length < MOST_WAITING_BYTES) broker.resume();
      if (chunk.length === 0) return;
      device.write(chunk);
      readDelivered(chunk);
      timer = systemClock.setTimer(chunk.length / this.options.bytesPerMs, next);
    };
    broker.on("data", (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      if (waiting.length >= MOST_WAITING_BYTES) broker.pause();
      if (timer === undefined) next();
    });
    return { stop: () => timer?.cancel() };
  }

  private readRequests(device: Socket): void {
    const packets = parser({ protocolVersion: 4 });
    packets.on("packet", (packet) => {
      if (packet.cmd !== "publish") return;
      const topic = parseTopic(packet.topic);
      if (topic?.kind !== "stream" || topic.operation !== "get") return;
      const decoded = decodeGet(topic.format, packet.payload as Buffer, "strict");
      if (decoded.ok) blocksOf(decoded.value.request).forEach(this.options.asked);
    });
    device.on("data", (bytes) => packets.parse(bytes as Buffer));
  }

  private deliveredReader(): (bytes: Buffer) => void {
    const packets = parser({ protocolVersion: 4 });
    packets.on("packet", (packet) => {
      if (packet.cmd !== "publish") return;
      const topic = parseTopic(packet.topic);
      if (topic?.kind !== "stream" || topic.operation !== "data") return;
      const data = decodeData(topic.format, packet.payload as Buffer);
      if (data !== undefined) this.options.delivered(data.blockId);
    });
    return (bytes) => packets.parse(bytes);
  }
}
