/** A broker on free ports with a log that can be read, and a raw MQTT client that can misbehave. */
import { EventEmitter, once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { generate, type IConnectPacket, type Packet, parser } from "mqtt-packet";
import { createWebSocketStream, WebSocket } from "ws";
import { type Broker, type BrokerOptions, startBroker } from "../../broker/broker.ts";
import type { ClientDirectory } from "../../broker/client-directory.ts";
import type { ClientLink } from "../../broker/client-link.ts";
import type { LocalTransport } from "../../broker/local-transport.ts";
import type { Log, LogFields } from "../../shared/log.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import type { BlockRun, IncomingRequest, PublisherHandlers, PublisherTransport } from "../../shared/transport.ts";

/** One line of a log. */
export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that remembers its lines. */
export interface RecordedLog extends Log {
  readonly lines: readonly LogLine[];
  /** Resolves with the first line, past or future, that contains `text` in its message. */
  waitFor(text: string): Promise<LogLine>;
}

/** Makes a log that remembers. */
export function recordLog(): RecordedLog {
  const lines: LogLine[] = [];
  const events = new EventEmitter().setMaxListeners(0);
  const at =
    (level: keyof Log) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, message, fields });
      events.emit("line");
    };
  return {
    lines,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    async waitFor(text) {
      for (;;) {
        const found = lines.find(({ message }) => message.includes(text));
        if (found !== undefined) return found;
        await once(events, "line");
      }
    },
  };
}

/** A running broker and its log. */
export interface TestBroker extends Broker {
  readonly log: RecordedLog;
  readonly mqttPort: number;
}

/** Starts a broker on loopback and free ports. */
export async function startTestBroker(options: Partial<BrokerOptions> = {}): Promise<TestBroker> {
  const log = recordLog();
  const broker = await startBroker({ host: "127.0.0.1", mqttPort: 0, wsPort: 0, observers: [], log, ...options });
  return { ...broker, log, mqttPort: Number(new URL(broker.mqttUrl).port) };
}

/** An MQTT client that is a socket, a parser and nothing else. */
export class RawClient<Connection extends Duplex = Socket> {
  readonly socket: Connection;
  readonly packets: Packet[] = [];
  isClosed = false;
  private readonly events = new EventEmitter().setMaxListeners(0);

  private constructor(socket: Connection) {
    this.socket = socket;
    const packets = parser({ protocolVersion: 4 });
    packets.on("packet", (packet) => {
      this.packets.push(packet);
      this.events.emit("change");
    });
    socket.on("data", (bytes) => packets.parse(bytes as Buffer));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isClosed = true;
      this.events.emit("change");
    });
  }

  /** Opens a socket and says nothing. */
  static async open(port: number): Promise<RawClient> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const client = new RawClient(socket);
    await once(socket, "connect");
    return client;
  }

  /** Opens a socket, connects and waits for CONNACK. */
  static async connect(port: number, clientId: string, options: Partial<IConnectPacket> = {}): Promise<RawClient> {
    const client = await RawClient.open(port);
    await client.introduce(clientId, options);
    return client;
  }

  /** The same over WebSocket. */
  static async connectWebSocket(url: string, clientId: string): Promise<RawClient<Duplex>> {
    const client = new RawClient<Duplex>(createWebSocketStream(new WebSocket(url, "mqtt")));
    await client.introduce(clientId);
    return client;
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet, { protocolVersion: 4 }));
  }

  publish(topic: string, payload: string | Buffer = "", qos: 0 | 1 | 2 = 0, messageId = 77): void {
    this.send({ cmd: "publish", topic, payload, qos, dup: false, retain: false, ...(qos > 0 && { messageId }) });
  }

  /** Subscribes and returns the granted codes. */
  subscribe(...topicFilters: string[]): Promise<readonly unknown[]> {
    return this.subscribeAt(0, ...topicFilters);
  }

  /** Subscribes with a QoS and returns the granted codes. */
  async subscribeAt(qos: 0 | 1, ...topicFilters: string[]): Promise<readonly unknown[]> {
    const subscriptions = topicFilters.map((topic) => ({ topic, qos }));
    this.send({ cmd: "subscribe", messageId: 5, subscriptions });
    return (await this.next("suback")).granted;
  }

  /** Asks for a sign of life; resolves once everything sent before was handled and answered. */
  async ping(): Promise<void> {
    this.send({ cmd: "pingreq" });
    await this.next("pingresp");
  }

  /** Takes the next packet of a kind out of those that arrived. Rejects when the connection closes first. */
  async next<C extends Packet["cmd"]>(cmd: C): Promise<Extract<Packet, { cmd: C }>> {
    for (;;) {
      const index = this.packets.findIndex((packet) => packet.cmd === cmd);
      if (index >= 0) return this.packets.splice(index, 1)[0] as Extract<Packet, { cmd: C }>;
      if (this.isClosed) throw new Error(`closed before ${cmd} arrived`);
      await once(this.events, "change");
    }
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await once(this.events, "change");
  }

  destroy(): void {
    this.socket.destroy();
  }

  private async introduce(clientId: string, options: Partial<IConnectPacket> = {}): Promise<void> {
    this.send({ cmd: "connect", clientId, protocolVersion: 4, protocolId: "MQTT", clean: true, ...options });
    await this.next("connack");
  }
}

/** A publisher that answers every request with the runs it is given, and offers again whenever it is told to. */
export class TestPublisher implements PublisherHandlers {
  readonly requests: { readonly topic: string; readonly payload: Buffer }[] = [];
  readonly readyCalls: string[] = [];
  /** What each offer returned. */
  readonly taken: (number | undefined)[] = [];
  /** Answers a request while it arrives. */
  onRequest: (request: IncomingRequest) => void = () => {};
  private readonly transport: PublisherTransport;
  private readonly owed = new Map<string, { readonly run: BlockRun; from: number }[]>();
  private readonly events = new EventEmitter().setMaxListeners(0);

  constructor(transport: PublisherTransport) {
    this.transport = transport;
  }

  static async start(transport: PublisherTransport): Promise<TestPublisher> {
    const publisher = new TestPublisher(transport);
    await transport.start(publisher);
    return publisher;
  }

  requestArrived(request: IncomingRequest): void {
    this.requests.push({ topic: request.topic, payload: Buffer.from(request.payload) });
    this.onRequest(request);
    this.events.emit("change");
  }

  deviceReady(thing: string): void {
    this.readyCalls.push(thing);
    this.offer(thing);
    this.events.emit("change");
  }

  /** Owes a run to a thing and offers it. */
  send(thing: string, run: BlockRun): void {
    const queue = this.owed.get(thing) ?? [];
    this.owed.set(thing, queue);
    queue.push({ run, from: 0 });
    if (queue.length === 1) this.offer(thing);
    this.events.emit("change");
  }

  /** Resolves when `condition` holds; it is looked at after each event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.events, "change");
  }

  /** Resolves when nothing is owed to a thing. */
  async settled(thing: string): Promise<void> {
    await this.until(() => this.isSettled(thing));
  }

  /** Says whether nothing is owed to a thing. */
  isSettled(thing: string): boolean {
    return (this.owed.get(thing)?.length ?? 0) === 0;
  }

  private offer(thing: string): void {
    const queue = this.owed.get(thing) ?? [];
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const count = this.transport.sendBlocks(thing, first.run, first.from);
      this.taken.push(count);
      first.from += count ?? first.run.blockIds.length;
      if (count !== undefined && first.from < first.run.blockIds.length) return;
      queue.shift();
    }
  }
}

/** Makes a run of consecutive blocks of a file whose bytes follow from its size. */
export function makeRun(
  thing: string,
  { streamId = "s", format = "cbor", blockSizeBytes = 4096, fileBytes = makeFile(1_000_003), ...rest }: RunOptions = {},
): BlockRun {
  const blockCount = Math.ceil(fileBytes.length / blockSizeBytes);
  const { blockIds = Uint32Array.from({ length: blockCount }, (_, index) => index), clientToken } = rest;
  const topic = formatTopic(thing, streamId, "data", format);
  const run = { topic, format, fileId: 7, blockSizeBytes, fileBytes, blockIds };
  return clientToken === undefined ? run : { ...run, clientToken };
}

type RunOptions = Partial<Pick<BlockRun, "format" | "blockSizeBytes" | "fileBytes" | "blockIds" | "clientToken">> & {
  readonly streamId?: string;
};

/** Makes a file in which no two blocks are alike. */
export function makeFile(sizeBytes: number): Uint8Array {
  const file = new Uint8Array(sizeBytes);
  for (let index = 0, state = sizeBytes; index < sizeBytes; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    file[index] = state >>> 24;
  }
  return file;
}

/** The payloads a receiver of a run must see, in order. */
export function payloadsOf(run: BlockRun): Buffer[] {
  const frame = new DataFrame(run);
  return Array.from(run.blockIds, (blockId) => {
    const start = blockId * run.blockSizeBytes;
    return Buffer.from(frame.encode(blockId, run.fileBytes.subarray(start, start + run.blockSizeBytes)));
  });
}

/** Lets a client in that is subscribed to everything, past Aedes; a thing unless `role` says otherwise. */
export function enterClient(
  clients: ClientDirectory,
  transport: LocalTransport,
  link: ClientLink,
  name: string,
  role: ClientLink["role"] = { kind: "thing", thing: name },
): ClientLink {
  link.clientId = name;
  link.role = role;
  link.topicFilters = () => ["$aws/#"];
  link.isReady = true;
  link.connection.on("drain", () => transport.reportReady(link));
  clients.enter(link);
  return link;
}
