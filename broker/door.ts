/** What stands between connections and Aedes: the rules of who may do what, how much and how large. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { Aedes, type AedesOptions, type Client } from "aedes";
import { type Clock, systemClock } from "../shared/clock.ts";
import type { Log } from "../shared/log.ts";
import type { QuotaLog } from "../shared/quota-log.ts";
import { ClientDirectory } from "./client-directory.ts";
import { ClientLink } from "./client-link.ts";
import { ConnectionQuotas } from "./connection-quotas.ts";
import { type KernelQueues, openKernelQueues } from "./kernel-queues.ts";
import { LocalTransport } from "./local-transport.ts";
import type { PacketFault } from "./protocol/packet-scanner.ts";
import { publishRefusal, roleOf, subscribeRefusal } from "./protocol/policy.ts";
import { RequestPacketReader } from "./protocol/request-packet.ts";
import { boundSessions, type SessionStore } from "./session-store.ts";
import { StallWatch } from "./stall-watch.ts";
import { SystemTopics } from "./system-topics.ts";

/** What a door is told. */
export interface DoorOptions {
  /** Client ids that may subscribe to everything and publish nothing. */
  readonly observers: readonly string[];
  readonly log: Log;
  readonly clock?: Clock;
  /** How long a client may take nothing while something waits for it; 60,000 ms by default. */
  readonly stallTimeoutMs?: number;
  /** Present: connections have the real service's quotas, and it is told of what they do. */
  readonly quotaLog?: QuotaLog | undefined;
  /** The kernel's books of its sockets; read where there are some by default. */
  readonly kernel?: KernelQueues;
}

const STALL_TIMEOUT_MS = 60_000;
/** How long a connection may take to say CONNECT. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Most subscriptions of one connection; a device needs three for each stream. */
const MAX_SUBSCRIPTIONS = 100;
/** Most QoS 2 publishes of one client between PUBLISH and PUBREL. */
const MAX_QOS_2_HANDSHAKES = 20;
/** How much of a topic goes to the log, in characters. */
const SHOWN_TOPIC_CHARACTERS = 256;
const NO_BYTES = Buffer.alloc(0);

/** What Aedes keeps on a client and does not declare. */
type SubscribedClient = Client & { readonly subscriptions: Readonly<Record<string, unknown>> };

/** The timer, not declared either, that Aedes starts anew at each packet it sees; null without keep-alive. */
type TimedClient = Client & { readonly _keepaliveTimer: NodeJS.Timeout | null | undefined };

/** Every connection passes it, and so does every packet of a client that asks for something. */
export class Door {
  readonly transport: LocalTransport;
  private readonly aedes: Aedes;
  private readonly log: Log;
  private readonly observers: ReadonlySet<string>;
  private readonly clients = new ClientDirectory();
  private readonly stallWatch: StallWatch;
  private readonly links = new WeakMap<Duplex, ClientLink>();
  private readonly open = new Set<ClientLink>();
  private readonly quotas: ConnectionQuotas | undefined;

  private constructor(options: DoorOptions) {
    const { observers, log, clock = systemClock, stallTimeoutMs = STALL_TIMEOUT_MS, quotaLog } = options;
    const { kernel = openKernelQueues() } = options;
    this.log = log;
    this.quotas = quotaLog && new ConnectionQuotas(quotaLog, clock);
    this.observers = new Set(observers);
    this.transport = new LocalTransport(this.clients, log, clock, kernel);
    this.stallWatch = new StallWatch(stallTimeoutMs, clock, log);
    this.aedes = new Aedes({
      connectTimeout: CONNECT_TIMEOUT_MS,
      // A second net under the stall watch, for the writes of Aedes itself.
      drainTimeout: 2 * stallTimeoutMs,
      maxInflightInbound: MAX_QOS_2_HANDSHAKES,
      mq: new SystemTopics(),
      ...this.hooks(),
    });
  }

  /** Opens it. */
  static async open(options: DoorOptions): Promise<Door> {
    const door = new Door(options);
    await door.aedes.listen();
    door.listenToEvents();
    const { persistence } = door.aedes as Aedes & { readonly persistence: SessionStore };
    const mayKeep = (clientId: string, topicFilter: string): boolean =>
      subscribeRefusal(roleOf(clientId, door.observers), topicFilter) === undefined;
    boundSessions(persistence, mayKeep);
    return door;
  }

  /** Takes a connection, and the request that upgraded it. */
  accept(connection: Duplex, request?: IncomingMessage): void {
    const link = new ClientLink(connection, (fault) => this.reportFault(link, fault), request?.socket);
    this.links.set(connection, link);
    this.open.add(link);
    this.stallWatch.add(link);
    this.transport.allowance.add(link);
    connection.on("drain", () => this.transport.reportReady(link));
    connection.once("close", () => this.leave(link));
    this.aedes.handle(connection, request);
  }

  /** Closes every connection. */
  async close(): Promise<void> {
    await this.transport.stop();
    for (const link of this.open) link.closeReason ??= "broker closing";
    await new Promise<void>((resolve) => this.aedes.close(resolve));
    // Those that never said CONNECT are not Aedes's to close.
    for (const link of this.open) link.connection.destroy();
  }

  private hooks(): AedesOptions {
    return {
      preConnect: (client, packet, callback) => {
        const link = this.linkOf(client);
        link.clientId = packet.clientId;
        if (packet.clientId !== "") link.role = roleOf(packet.clientId, this.observers);
        link.topicFilters = () => Object.keys((client as SubscribedClient).subscriptions);
        // Nothing that a client may publish means anything once it is gone.
        delete packet.will;
        const refusal = this.quotas?.refuseConnect(packet);
        if (refusal === undefined) return callback(null, true);
        link.closeReason = refusal;
        callback(new Error(refusal), false);
      },
      authenticate: (client, _username, _password, callback) => {
        const previous = this.clients.find(client.id);
        if (previous !== undefined) {
          previous.closeReason = "client id taken over";
          this.log.warn("client id taken over by a new connection", { clientId: client.id });
        }
        callback(null, true);
      },
      authorizePublish: (client, packet, callback) => {
        if (client === null) callback(new Error("only clients publish"));
        else this.authorizePublish(client, packet, callback);
      },
      authorizeSubscribe: (client, subscription, callback) => {
        const link = this.linkOf(client);
        const reason = subscribeRefusal(link.role, subscription.topic) ?? countRefusal(client, link);
        if (reason === undefined) return callback(null, subscription);
        const topicFilter = shownTopic(subscription.topic);
        this.log.warn("subscription refused", { clientId: client.id, topicFilter, reason });
        callback(null, null);
      },
      authorizeForward: (client, packet) => {
        // Requests are forwarded when they arrive; what is left are Aedes's own messages about itself. To hand one
        // back to Aedes would let a client that does not read stop the queue that all publishes share.
        if (packet.topic.startsWith("$SYS/")) {
          this.transport.write(this.linkOf(client), packet.topic, bytesOf(packet.payload));
        }
        return null;
      },
    };
  }

  private authorizePublish(
    client: Client,
    packet: Parameters<NonNullable<AedesOptions["authorizePublish"]>>[1],
    callback: (error?: Error | null) => void,
  ): void {
    const link = this.linkOf(client);
    const { topic } = packet;
    const reason = publishRefusal(link.role, topic);
    if (reason !== undefined) {
      link.closeReason = reason;
      this.log.warn("publish refused, connection closed", { clientId: client.id, topic: shownTopic(topic), reason });
      callback(new Error(reason));
      return;
    }
    packet.retain = false;
    link.guard.whenDrained(() => {
      if (client.closed || link.isClosed) return callback(new Error("the connection is closed"));
      this.transport.requestArrived(link.clientId, { topic, payload: bytesOf(packet.payload) });
      // Nobody else needs the bytes, and a QoS 2 handshake would keep them.
      packet.payload = NO_BYTES;
      callback(null);
    });
  }

  /** Lets a thing's requests pass Aedes by, once Aedes has let the client in and has no packet of it queued. */
  private openLane(client: TimedClient): void {
    const link = this.linkOf(client);
    // Without the timer where we know it, Aedes would take a client for dead that does nothing but ask.
    if (link.role.kind !== "thing" || !link.isReady || client._keepaliveTimer === undefined) return;
    link.guard.openLane({
      reader: new RequestPacketReader(link.role.thing),
      noteLife: () => client._keepaliveTimer?.refresh(),
      arrived: (request) => {
        if (!client.closed && !link.isClosed) this.transport.requestArrived(link.clientId, request);
      },
    });
  }

  private listenToEvents(): void {
    this.aedes.on("connackSent", (packet, client) => {
      const link = this.linkOf(client);
      if (packet.returnCode !== 0 || link.isClosed) return;
      link.isReady = true;
      // Aedes forgets a client when two takeovers of its id overlap; then the older one is still here.
      this.clients.enter(link)?.destroy("client id taken over");
    });
    this.aedes.on("subscribe", (subscriptions, client) => {
      const link = this.linkOf(client);
      link.subscriptionsChanged();
      const reason = this.quotas?.refuseSubscribe(link, subscriptions.length, countSubscriptions(client));
      if (reason !== undefined) link.destroy(reason);
    });
    this.aedes.on("clientReady", (client) => this.openLane(client as TimedClient));
    this.aedes.on("unsubscribe", (_topicFilters, client) => this.linkOf(client).subscriptionsChanged());
    this.aedes.on("clientDisconnect", (client) => this.leave(this.linkOf(client)));
    const reportError = (client: Client, error: Error): void => {
      const link = this.linkOf(client);
      if (link.closeReason !== undefined || link.isClosed) return;
      link.closeReason = error.message;
      this.log.info("client connection failed", { clientId: link.clientId, reason: error.message });
    };
    this.aedes.on("clientError", reportError);
    this.aedes.on("connectionError", reportError);
    (this.aedes as NodeJS.EventEmitter).on("error", (error: Error) => {
      this.log.error("the broker failed", { reason: error.message });
    });
  }

  private reportFault(link: ClientLink, fault: PacketFault): void {
    const { kind, ...sizes } = fault;
    const message = kind === "tooLarge" ? "packet too large" : "packet with a malformed length";
    this.log.warn(`${message}, connection closed`, { clientId: link.clientId, ...sizes });
    link.destroy(message);
  }

  private leave(link: ClientLink): void {
    if (link.isClosed) return;
    link.isClosed = true;
    this.open.delete(link);
    this.stallWatch.remove(link);
    this.transport.allowance.remove(link);
    this.clients.leave(link);
    link.guard.release();
    this.transport.reportReady(link);
  }

  private linkOf(client: Client): ClientLink {
    return this.links.get(client.conn) as ClientLink;
  }
}

function countSubscriptions(client: Client): number {
  return Object.keys((client as SubscribedClient).subscriptions).length;
}

function countRefusal(client: Client, link: ClientLink): string | undefined {
  if (link.role.kind === "observer") return undefined;
  return countSubscriptions(client) < MAX_SUBSCRIPTIONS
    ? undefined
    : `a thing has at most ${MAX_SUBSCRIPTIONS} subscriptions`;
}

/** Off the wire a payload is bytes; only Aedes's own messages may be text. */
function bytesOf(payload: string | Buffer): Buffer {
  return typeof payload === "string" ? Buffer.from(payload) : payload;
}

function shownTopic(topic: string): string {
  return topic.length > SHOWN_TOPIC_CHARACTERS ? `${topic.slice(0, SHOWN_TOPIC_CHARACTERS)}...` : topic;
}
