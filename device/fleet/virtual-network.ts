/** A broker in memory: a publisher's transport on one side, a fleet's network on the other, both under one clock. */
import type { Clock } from "../../shared/clock.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { BlockRun, PublisherHandlers, PublisherTransport } from "../../shared/transport.ts";
import type { FleetConnectionOptions, FleetEvents, FleetNetwork } from "./fleet-connection.ts";
import { TimerWheel } from "./lean-timers.ts";
import { VirtualConnection } from "./virtual-connection.ts";

/**
 * Carries messages without a loss and without a delay; links make the rest. The client id is the thing name. What it
 * delivers it delivers in events of their own, so that neither side is called while it calls.
 */
export class VirtualNetwork implements PublisherTransport, FleetNetwork {
  readonly timers: TimerWheel;
  nowMs: number;
  private readonly clock: Clock;
  private readonly connections = new Map<string, VirtualConnection>();
  private handlers: PublisherHandlers | undefined;
  /** In the order in which they got something to deliver. */
  private busy: VirtualConnection[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
    this.timers = new TimerWheel(clock);
    this.nowMs = clock.monotonicMs();
  }

  async start(handlers: PublisherHandlers): Promise<void> {
    this.handlers = handlers;
  }

  async stop(): Promise<void> {
    this.handlers = undefined;
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number | undefined {
    const connection = this.connections.get(thing);
    if (connection?.isSubscribed(run.topic) !== true) return undefined;
    let index = from;
    for (; index < run.blockIds.length && connection.hasRoom; index++) {
      const blockId = run.blockIds[index] as number;
      connection.take({ run, blockId, sizeBytes: blockLength(blockId, run.fileBytes.length, run.blockSizeBytes) });
    }
    if (index < run.blockIds.length) connection.wantsReady = true;
    return index - from;
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    const connection = this.connections.get(thing);
    if (connection?.isSubscribed(topic) === true) connection.take({ topic, payload: new Uint8Array(payload) });
  }

  /** A thing that is connected already loses that connection. */
  connect(options: FleetConnectionOptions, events: FleetEvents): VirtualConnection {
    const { clientId } = options;
    const connection = new VirtualConnection(options, events, {
      publish: (topic, payload) => this.handlers?.requestArrived({ topic, payload }),
      ready: () => this.handlers?.deviceReady(clientId),
      busy: () => this.note(connection),
      ended: () => {
        if (this.connections.get(clientId) === connection) this.connections.delete(clientId);
        this.handlers?.deviceReady(clientId);
      },
    });
    const older = this.connections.get(clientId);
    this.connections.set(clientId, connection);
    older?.lose(new OtaError("ConnectionLost", `another client connected as ${clientId}`));
    connection.begin();
    return connection;
  }

  touch(): number {
    this.nowMs = this.clock.monotonicMs();
    return this.nowMs;
  }

  private note(connection: VirtualConnection): void {
    if (this.busy.push(connection) > 1) return;
    this.clock.setTimer(0, () => {
      this.touch();
      for (const each of this.busy.splice(0)) each.deliver();
    });
  }
}
