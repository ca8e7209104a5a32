/** One connection of a device: publishes bytes, keeps what arrives, and waits for it within bounds. */
import { EventEmitter, once } from "node:events";
import { type ISubscriptionGrant, type MqttClient, connect as openClient } from "mqtt";
import { systemClock } from "../../shared/clock.ts";

/** A message as it arrived. */
export interface Received {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly isRetained: boolean;
}

const CONNECT_TIMEOUT_MS = 10_000;
const REFUSED = 128;

/** A device's connection; it does not come back by itself. */
export class DeviceLink {
  private readonly client: MqttClient;
  private readonly events = new EventEmitter();
  private received: Received[] = [];
  isClosed = false;

  private constructor(client: MqttClient) {
    this.client = client;
    client.on("error", () => {});
    client.on("message", (topic, payload, { qos, retain }) => {
      this.received.push({ topic, payload: Buffer.from(payload), qos, isRetained: retain });
      this.events.emit("change");
    });
    client.on("close", () => {
      this.isClosed = true;
      this.events.emit("change");
    });
  }

  /** Connects; rejects with one sentence when the broker cannot be reached. */
  static async connect(url: string, clientId: string): Promise<DeviceLink> {
    const client = openClient(url, {
      clientId,
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      query: {},
    });
    const link = new DeviceLink(client);
    let reason = "the connection was closed";
    client.on("error", (error) => {
      reason = error.message || String((error as NodeJS.ErrnoException).code);
    });
    if (!(await link.until(() => client.connected, CONNECT_TIMEOUT_MS, ["connect"]))) {
      client.end(true);
      throw new Error(`cannot connect to ${new URL(url).host} as ${clientId}: ${reason}`);
    }
    return link;
  }

  /** Subscribes at QoS 1, so that the QoS of what arrives is that of the sender; says whether it was granted. */
  subscribe(filter: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.client.subscribe(filter, { qos: 1 }, (error, _granted, packet) => {
        const codes = packet?.granted as readonly (number | ISubscriptionGrant)[] | undefined;
        if (codes?.[0] === REFUSED) resolve(false);
        else if (error) reject(error);
        else resolve(true);
      });
    });
  }

  publish(topic: string, payload: Uint8Array): void {
    if (!this.isClosed) this.client.publish(topic, Buffer.from(payload));
  }

  /** What has arrived since the last taking. */
  get arrived(): readonly Received[] {
    return this.received;
  }

  /** Takes what has arrived. */
  take(): Received[] {
    const taken = this.received;
    this.received = [];
    return taken;
  }

  /** Waits until the condition holds, looking after each event; false when nothing happens for `idleMs` or all is over. */
  async until(condition: () => boolean, idleMs: number, otherEvents: readonly "connect"[] = []): Promise<boolean> {
    const note = (): void => void this.events.emit("change");
    for (const name of otherEvents) this.client.once(name, note);
    while (!condition()) {
      if (this.isClosed) return false;
      const silence = new AbortController();
      const timer = systemClock.setTimer(idleMs, () => silence.abort());
      try {
        await once(this.events, "change", { signal: silence.signal });
      } catch {
        return condition();
      } finally {
        timer.cancel();
      }
    }
    return true;
  }

  async close(): Promise<void> {
    if (!this.isClosed) await this.client.endAsync();
  }
}
