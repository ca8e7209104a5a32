/** A connection to a broker that comes back by itself until it is closed. */
import type { Clock, Timer } from "./clock.ts";
import type { MqttConnection, MqttConnectionOptions, OpenMqttConnection } from "./mqtt-port.ts";
import { OtaError } from "./protocol/errors.ts";
import { type Random, randomFraction } from "./random.ts";

/** What a session tells its user. */
export interface MqttSessionEvents {
  /** Connected and subscribed, for the first time or again. */
  connected(connection: MqttConnection): void;
  disconnected(reason: string): void;
  /** An attempt to come back failed; the next one follows. */
  attemptFailed(reason: string): void;
  messageArrived(topic: string, payload: Uint8Array, isRetained: boolean): void;
  drained(): void;
}

/** How to reach the broker, and with what. */
export interface MqttSessionOptions extends Omit<MqttConnectionOptions, "events" | "signal"> {
  readonly open: OpenMqttConnection;
  readonly random: Random;
  readonly events: MqttSessionEvents;
}

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;

/**
 * Keeps one connection up. The first attempt is reported to the caller; after that every loss is followed by attempts
 * without end, 250 ms apart at first, twice as far each time up to 10 s, each shortened by up to half at random so that
 * a fleet does not return as one. A connection that lasted 10 s starts the delays over.
 */
export class MqttSession {
  private readonly options: MqttSessionOptions;
  private readonly clock: Clock;
  private connection: MqttConnection | undefined;
  private retry: Timer | undefined;
  private attempts = 0;
  private connectedAtMs = 0;
  private readonly closing = new AbortController();
  private pending: Promise<void> | undefined;

  constructor(options: MqttSessionOptions) {
    this.options = options;
    this.clock = options.clock;
  }

  /** The connection, while there is one. */
  get current(): MqttConnection | undefined {
    return this.connection;
  }

  /** Connects and subscribes once. Rejects with OtaError `BrokerUnreachable` or `SubscriptionRefused`. */
  start(): Promise<void> {
    this.pending = this.openConnection();
    return this.pending;
  }

  /** Closes the connection and makes no other; nothing is reported afterwards. */
  async close(): Promise<void> {
    this.closing.abort();
    this.retry?.cancel();
    await this.pending?.catch(() => undefined);
    await this.connection?.close();
    this.connection = undefined;
  }

  private async openConnection(): Promise<void> {
    const { open, events } = this.options;
    let isLost = false;
    const connection = await open({
      ...this.options,
      signal: this.closing.signal,
      events: {
        messageArrived: (topic, payload, isRetained) => {
          if (!this.closing.signal.aborted) events.messageArrived(topic, payload, isRetained);
        },
        drained: () => events.drained(),
        lost: (reason) => {
          isLost = true;
          if (this.connection !== undefined) this.lose(reason);
        },
      },
    });
    if (this.closing.signal.aborted) {
      await connection.close();
      throw new OtaError("BrokerUnreachable", "the connection was closed while it was being made");
    }
    this.connection = connection;
    this.connectedAtMs = this.clock.monotonicMs();
    events.connected(connection);
    if (isLost) this.lose("the connection was lost at once");
  }

  private lose(reason: string): void {
    this.connection = undefined;
    if (this.closing.signal.aborted) return;
    if (this.clock.monotonicMs() - this.connectedAtMs >= LONGEST_DELAY_MS) this.attempts = 0;
    this.options.events.disconnected(reason);
    if (!this.closing.signal.aborted) this.scheduleRetry();
  }

  private scheduleRetry(): void {
    const longestMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.attempts);
    this.attempts = Math.min(this.attempts + 1, 16);
    const delayMs = longestMs * (0.5 + 0.5 * randomFraction(this.options.random));
    this.retry = this.clock.setTimer(delayMs, () => {
      this.pending = this.openConnection().catch((error: unknown) => {
        if (this.closing.signal.aborted) return;
        this.options.events.attemptFailed((error as Error).message);
        this.scheduleRetry();
      });
    });
  }
}
