/** A simulated broker: the publisher's transport on one side, devices behind links on the other. */
import type { Clock } from "../../shared/clock.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import type { Random } from "../../shared/random.ts";
import type {
  BlockRun,
  DeviceHandlers,
  DeviceTransport,
  PublisherHandlers,
  PublisherTransport,
} from "../../shared/transport.ts";
import { ExactTimers } from "./exact-timers.ts";
import type { SimFaults } from "./faults.ts";
import { SimConnection, type SimConnectionOptions, type Traffic } from "./sim-connection.ts";

/** How soon a device tries again to connect, in milliseconds. */
const RECONNECT_MS = 1_000;

/** Carries messages between one publisher and many devices. */
export class SimBroker implements PublisherTransport {
  readonly traffic = new Map<string, Traffic>();
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly faults: SimFaults;
  private readonly timers: ExactTimers;
  private readonly connections = new Map<string, SimConnection>();
  private handlers: PublisherHandlers | undefined;
  /** While false nobody can connect. */
  isUp = true;

  constructor(clock: Clock, random: Random, faults: SimFaults) {
    this.clock = clock;
    this.timers = new ExactTimers(clock);
    this.random = random;
    this.faults = faults;
  }

  async start(handlers: PublisherHandlers): Promise<void> {
    this.handlers = handlers;
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number | undefined {
    const connection = this.connections.get(thing);
    if (connection === undefined) return undefined;
    const frame = new DataFrame(run);
    let index = from;
    for (; index < run.blockIds.length && !connection.down.isFull; index++) {
      const blockId = run.blockIds[index] as number;
      const start = blockId * run.blockSizeBytes;
      const length = blockLength(blockId, run.fileBytes.length, run.blockSizeBytes);
      this.trafficOf(thing).sentPayloadBytes += length;
      connection.sendDown(run.topic, frame.encode(blockId, run.fileBytes.subarray(start, start + length)), true);
    }
    if (index < run.blockIds.length) connection.down.wantRoom();
    return index - from;
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    this.connections.get(thing)?.sendDown(topic, payload.slice(), false);
  }

  async stop(): Promise<void> {
    this.handlers = undefined;
  }

  /** A device's side: connects in a round trip and a half, comes back a second after a loss, until it is closed. */
  connectDevice(options: SimConnectionOptions): DeviceTransport {
    let closed = false;
    let current: SimConnection | undefined;
    const open = (handlers: DeviceHandlers, established: () => void): void => {
      this.clock.setTimer(options.link.roundTripMs * 1.5, () => {
        if (closed || !options.isAlive()) return;
        if (!this.isUp) return void this.clock.setTimer(RECONNECT_MS, () => open(handlers, established));
        current = this.accept(options, handlers, () => {
          if (closed || !options.isAlive()) return;
          handlers.disconnected("simulated");
          this.clock.setTimer(RECONNECT_MS, () => open(handlers, established));
        });
        established();
        handlers.connected();
      });
    };
    return {
      connect: (_filters, handlers) => new Promise((resolve) => open(handlers, resolve)),
      subscribe: async () => {},
      publish: (topic, payload) => current?.sendUp(topic, payload.slice()),
      close: async () => {
        closed = true;
        current?.end();
      },
    };
  }

  /** Ends a thing's connection, as a network does. */
  disconnect(thing: string): void {
    this.connections.get(thing)?.lose();
  }

  /** Ends all connections, as a restart does. */
  disconnectAll(): void {
    for (const connection of [...this.connections.values()]) connection.lose();
  }

  trafficOf(thing: string): Traffic {
    let traffic = this.traffic.get(thing);
    if (traffic === undefined) {
      traffic = {
        sentPayloadBytes: 0,
        arrivedMessages: 0,
        largestRequestBytes: 0,
        firstGetAtMs: undefined,
        lastBlockAtMs: undefined,
        requestsAfterDuplicates: 0,
      };
      this.traffic.set(thing, traffic);
    }
    return traffic;
  }

  private accept(options: SimConnectionOptions, handlers: DeviceHandlers, lost: () => void): SimConnection {
    const { thing } = options;
    const connection = new SimConnection({
      clock: this.clock,
      random: this.random,
      timers: this.timers,
      device: options,
      handlers,
      traffic: this.trafficOf(thing),
      faults: this.faults,
      publish: (topic, payload) => {
        if (this.isUp) this.handlers?.requestArrived({ topic, payload });
      },
      ready: () => this.handlers?.deviceReady(thing),
      lost: () => {
        if (this.connections.get(thing) === connection) this.connections.delete(thing);
        this.handlers?.deviceReady(thing);
        lost();
      },
    });
    this.connections.get(thing)?.lose();
    this.connections.set(thing, connection);
    return connection;
  }
}
