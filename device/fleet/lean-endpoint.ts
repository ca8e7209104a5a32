/** What all lean connections of a process share: the broker's address, one receive buffer, the clock and the deadlines. */
import { formatBrokerUrl, parseBrokerUrl } from "../../shared/broker-url.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { TimerWheel } from "./lean-timers.ts";
import { viewOf } from "./spelling.ts";

/** How a process of lean connections reaches its broker. */
export interface LeanEndpointOptions {
  /** `mqtt://host:port` without credentials; the port is 1883 by default. */
  readonly url: string;
  /** For connecting and subscribing together; 10,000 ms by default. */
  readonly connectTimeoutMs?: number;
  /** How long a connection may be silent, in seconds, 1-65535; 60 by default. */
  readonly keepAliveSeconds?: number;
  /** Addresses of this machine to connect from, in turn; the system chooses by default. Each has its own range of ports. */
  readonly sourceAddresses?: readonly string[];
  readonly clock?: Clock;
}

const DEFAULT_PORT = 1883;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_SECONDS = 60;
/** Larger than what a broker sends at once, and small enough for a processor's cache. */
const RECEIVE_BUFFER_BYTES = 256 * 1024;

/** Made once for all connections of a process to one broker. */
export class LeanEndpoint {
  readonly host: string;
  readonly port: number;
  /** The broker's address for messages. */
  readonly brokerUrl: string;
  readonly connectTimeoutMs: number;
  readonly keepAliveSeconds: number;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  /** Every socket reads into it, one after another; what it holds is used up before the next one reads. */
  readonly receiveBuffer: Buffer = Buffer.allocUnsafeSlow(RECEIVE_BUFFER_BYTES);
  readonly receiveView: DataView = viewOf(this.receiveBuffer);
  /** When the event that is being handled came, in monotonic milliseconds: read once for all blocks of one read. */
  nowMs: number;
  private readonly sourceAddresses: readonly string[];
  private nextSource = 0;

  /** Throws OtaError `InvalidArgument` for an address that lean connections cannot reach. */
  constructor(options: LeanEndpointOptions) {
    const url = parseBrokerUrl(options.url);
    this.brokerUrl = formatBrokerUrl(url);
    if (url.protocol !== "mqtt:" || url.username !== "" || url.password !== "") {
      const rule = "a lean connection needs an mqtt:// URL without user and password";
      throw new OtaError("InvalidArgument", `${rule}, not ${this.brokerUrl}`);
    }
    this.host = url.hostname.replace(/^\[|\]$/g, "");
    this.port = Number(url.port || DEFAULT_PORT);
    this.connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.keepAliveSeconds = options.keepAliveSeconds ?? KEEP_ALIVE_SECONDS;
    this.sourceAddresses = options.sourceAddresses ?? [];
    this.clock = options.clock ?? systemClock;
    this.timers = new TimerWheel(this.clock);
    this.nowMs = this.clock.monotonicMs();
  }

  /** The address the next connection is made from; undefined leaves it to the system. */
  takeSourceAddress(): string | undefined {
    return this.sourceAddresses[this.nextSource++ % this.sourceAddresses.length];
  }

  /** Reads the clock; returns the time. */
  touch(): number {
    this.nowMs = this.clock.monotonicMs();
    return this.nowMs;
  }
}
