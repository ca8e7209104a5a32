/** MQTT connections as a client, over MQTT.js: to the broker of this project or any other. */
import { Socket } from "node:net";
import { connect, type IClientOptions, type ISubscriptionGrant, type MqttClient } from "mqtt";
import { formatBrokerUrl, parseBrokerUrl } from "./broker-url.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Log } from "./log.ts";
import { MqttDeviceTransport } from "./mqtt-device-transport.ts";
import type { MqttConnection, MqttConnectionOptions } from "./mqtt-port.ts";
import { MqttPublisherTransport } from "./mqtt-publisher-transport.ts";
import { MqttSession, type MqttSessionOptions } from "./mqtt-session.ts";
import { OtaError } from "./protocol/errors.ts";
import { type Random, systemRandom } from "./random.ts";
import type { DeviceTransport, PublisherTransport } from "./transport.ts";

/** How a client reaches a broker. */
export interface MqttClientOptions {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`; may carry a user and a password. */
  readonly url: string;
  readonly clientId: string;
  readonly log: Log;
  /** For connecting and subscribing together; 10,000 ms by default. */
  readonly connectTimeoutMs?: number;
  /** Seconds of silence before the client asks for a sign of life; 60 by default. */
  readonly keepAliveSeconds?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_SECONDS = 60;
const CLOSE_TIMEOUT_MS = 1_000;
/** Bytes that may wait for the broker before messages are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;
const REFUSED = 128;

/** Makes a device's transport; the client id is its thing name. Throws OtaError `InvalidArgument` for a bad URL. */
export function createDeviceTransport(options: MqttClientOptions): DeviceTransport {
  const shared = sessionOptions(options);
  return new MqttDeviceTransport((parts) => new MqttSession({ ...shared, ...parts }), options.log);
}

/**
 * Makes a publisher's transport over a broker that is not in this process; the client id is random by default. Throws
 * OtaError `InvalidArgument` for a bad URL; its `start` rejects with `BrokerUnreachable` or `SubscriptionRefused`.
 */
export function createExternalPublisherTransport(
  options: Omit<MqttClientOptions, "clientId"> & { readonly clientId?: string },
): PublisherTransport {
  const { clientId = randomClientId(options.random ?? systemRandom) } = options;
  const shared = sessionOptions({ ...options, clientId });
  return new MqttPublisherTransport((parts) => new MqttSession({ ...shared, ...parts }), options.log);
}

/** Opens one connection; see `OpenMqttConnection`. */
async function openMqttConnection(options: MqttConnectionOptions): Promise<MqttConnection> {
  const { clock, url, events } = options;
  const unreachable = (reason: string): OtaError =>
    new OtaError("BrokerUnreachable", `cannot reach the broker ${formatBrokerUrl(url)}: ${reason}`, {
      retryable: true,
    });
  const client = connect(url.href, clientOptions(options));
  // MQTT.js swallows errors without a code, such as the HTTP status that a WebSocket was answered with.
  let reason = "the connection was closed";
  const noteError = (error: Error): void => {
    reason = reasonOf(error);
  };
  client.on("error", noteError);
  client.stream.on("error", noteError);
  if (client.stream instanceof Socket) client.stream.setNoDelay(true);
  client.on("message", (topic, payload, packet) => events.messageArrived(topic, payload, packet.retain));
  try {
    await connected(client, options, unreachable, () => reason);
  } catch (error) {
    client.end(true);
    throw error;
  }
  let isClosing = false;
  client.stream.on("drain", () => events.drained());
  client.once("close", () => {
    if (!isClosing) events.lost(reason);
  });
  return {
    get isBackedUp() {
      return client.stream.writableNeedDrain;
    },
    publish: (topic, payload) => {
      if (client.stream.writableLength >= MAX_WAITING_BYTES) return false;
      client.publish(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
      return true;
    },
    subscribe: (topicFilter) =>
      subscribe(client, [topicFilter]).catch((cause: Error) => {
        if (cause instanceof OtaError) throw cause;
        throw new OtaError("ConnectionLost", `no subscription to ${topicFilter}: ${reasonOf(cause)}`, { cause });
      }),
    close: () => {
      isClosing = true;
      return end(client, clock);
    },
  };
}

function sessionOptions(options: MqttClientOptions): Omit<MqttSessionOptions, "topicFilters" | "events"> {
  return {
    open: openMqttConnection,
    url: parseBrokerUrl(options.url),
    clientId: options.clientId,
    timeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    keepAliveSeconds: options.keepAliveSeconds ?? KEEP_ALIVE_SECONDS,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}

/** Every connection is made anew by the session, so MQTT.js repairs and keeps nothing. */
function clientOptions({ url, clientId, timeoutMs, keepAliveSeconds }: MqttConnectionOptions): IClientOptions {
  return {
    clientId,
    protocolVersion: 4,
    clean: true,
    keepalive: keepAliveSeconds,
    // The attempt has its own deadline; this one must not come first.
    connectTimeout: timeoutMs + CLOSE_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // Otherwise MQTT.js reads the client id from the URL's query.
    query: {},
    // MQTT.js loses the brackets of an IPv6 address on its way to a WebSocket.
    transformWsUrl: () => `${url.protocol}//${url.host}${url.pathname}${url.search}`,
  };
}

async function connected(
  client: MqttClient,
  { clock, timeoutMs, topicFilters, signal }: MqttConnectionOptions,
  unreachable: (reason: string) => OtaError,
  closeReason: () => string,
): Promise<void> {
  const cleanUp: (() => void)[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = clock.setTimer(timeoutMs, () => reject(unreachable(`no answer within ${timeoutMs} ms`)));
      const abort = (): void => reject(unreachable("the attempt was given up"));
      signal.addEventListener("abort", abort, { once: true });
      cleanUp.push(
        () => timer.cancel(),
        () => signal.removeEventListener("abort", abort),
      );
      if (signal.aborted) abort();
      client.once("close", () => reject(unreachable(closeReason())));
      client.once("connect", () => {
        subscribe(client, topicFilters).then(resolve, (error: Error) => {
          reject(error instanceof OtaError ? error : unreachable(reasonOf(error)));
        });
      });
    });
  } finally {
    for (const step of cleanUp) step();
  }
}

async function subscribe(client: MqttClient, topicFilters: readonly string[]): Promise<void> {
  if (topicFilters.length === 0) return;
  await new Promise<void>((resolve, reject) => {
    client.subscribe([...topicFilters], { qos: 0 }, (error, granted, packet) => {
      const codes = packet?.granted as readonly (number | ISubscriptionGrant)[] | undefined;
      const refused = topicFilters.filter((_, index) => codes?.[index] === REFUSED);
      if (refused.length > 0) {
        const message = `the broker refused the subscription to ${refused.join(", ")}`;
        reject(new OtaError("SubscriptionRefused", message));
      } else if (error) reject(error);
      else if (granted?.length !== topicFilters.length) reject(new Error("an incomplete SUBACK"));
      else resolve();
    });
  });
}

async function end(client: MqttClient, clock: Clock): Promise<void> {
  if (client.stream.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = clock.setTimer(CLOSE_TIMEOUT_MS, () => client.stream.destroy());
    client.stream.once("close", () => {
      timer.cancel();
      resolve();
    });
    client.end();
  });
}

function reasonOf(error: Error): string {
  // A host with several addresses fails with an error that has a code and no message.
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}

function randomClientId(random: Random): string {
  const hex = [random.uint32(), random.uint32()].map((word) => word.toString(16).padStart(8, "0")).join("");
  return `otastream-publisher-${hex}`;
}
