/** A device in this process whose messages are counted, and can be changed on their way. */

import { type DownloadOptions, type DownloadResult, downloadStream } from "../../device/agent.ts";
import { systemFileSystem } from "../../device/file-system.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";
import { decodeData } from "../../shared/protocol/decode-response.ts";
import { type Format, type Operation, parseTopic } from "../../shared/protocol/topics.ts";
import { systemRandom } from "../../shared/random.ts";
import type { DeviceHandlers, DeviceTransport } from "../../shared/transport.ts";
import { type RecordedLog, recordLog } from "./broker.ts";
import { blocksOf } from "./session-driver.ts";

/** A message on its way to the device. */
export interface IncomingMessage {
  readonly operation: Operation;
  /** Of a data message. */
  readonly blockId: number | undefined;
  /** The test's own copy: what is changed here reaches the device. */
  readonly payload: Buffer;
}

/** Changes a message in place, or gives other bytes for it. */
export type Tamper = (message: IncomingMessage) => Uint8Array | undefined;

/** A transport that watches another one. */
export class WatchedTransport implements DeviceTransport {
  /** The operations of the topics subscribed to. */
  readonly subscribed: Operation[] = [];
  /** Messages and bytes that arrived, by operation; bytes are those of whole MQTT payloads. */
  readonly arrived = new Map<Operation, { messages: number; bytes: number }>();
  /** How often each block was asked for. */
  readonly asked = new Map<number, number>();
  private readonly inner: DeviceTransport;
  private readonly tamper: Tamper;

  constructor(inner: DeviceTransport, tamper: Tamper = () => undefined) {
    this.inner = inner;
    this.tamper = tamper;
  }

  /** Bytes of all data and checksums messages. */
  get fileBytes(): number {
    return (this.arrived.get("data")?.bytes ?? 0) + (this.arrived.get("checksums")?.bytes ?? 0);
  }

  /** Messages of an operation. */
  messages(operation: Operation): number {
    return this.arrived.get(operation)?.messages ?? 0;
  }

  /** The blocks that were asked for more than once. */
  get askedAgain(): number[] {
    return [...this.asked].flatMap(([blockId, times]) => (times > 1 ? [blockId] : []));
  }

  connect(topicFilters: readonly string[], handlers: DeviceHandlers): Promise<void> {
    for (const filter of topicFilters) this.noteSubscription(filter);
    return this.inner.connect(topicFilters, {
      connected: () => handlers.connected(),
      disconnected: (reason) => handlers.disconnected(reason),
      messageArrived: (topic, payload) => handlers.messageArrived(topic, this.pass(topic, payload)),
    });
  }

  subscribe(topicFilter: string): Promise<void> {
    this.noteSubscription(topicFilter);
    return this.inner.subscribe(topicFilter);
  }

  publish(topic: string, payload: Uint8Array): void {
    const { operation, format } = partsOf(topic);
    if (operation === "get") {
      const decoded = decodeGet(format, payload, "strict");
      if (!decoded.ok) throw new Error(decoded.rejection.message);
      for (const blockId of blocksOf(decoded.value.request))
        this.asked.set(blockId, (this.asked.get(blockId) ?? 0) + 1);
    }
    this.inner.publish(topic, payload);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private noteSubscription(filter: string): void {
    this.subscribed.push(partsOf(filter).operation);
  }

  private pass(topic: string, message: Uint8Array): Uint8Array {
    const { operation, format } = partsOf(topic);
    const { messages, bytes } = this.arrived.get(operation) ?? { messages: 0, bytes: 0 };
    this.arrived.set(operation, { messages: messages + 1, bytes: bytes + message.length });
    const blockId = operation === "data" ? decodeData(format, message)?.blockId : undefined;
    const payload = Buffer.from(message);
    return this.tamper({ operation, blockId, payload }) ?? payload;
  }
}

/** What a watched download is given; the rest is as `download` has it. */
export interface WatchedDownloadOptions extends Partial<DownloadOptions> {
  readonly broker: string;
  readonly streamId: string;
  readonly directory: string;
  readonly tamper?: Tamper;
}

/** What became of a watched download: its result, or what it failed with. */
export interface WatchedDownload {
  readonly transport: WatchedTransport;
  readonly log: RecordedLog;
  readonly result: DownloadResult | undefined;
  readonly error: unknown;
}

let devices = 0;

/** A clock whose timers are late: a machine that is busy elsewhere must not look like a network that loses messages. */
const patientClock: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback) => systemClock.setTimer(20 * delayMs, callback),
};

/** Downloads a stream in CBOR with blocks of 4096 bytes and the patient clock, unless it is said otherwise. */
export async function watchedDownload({
  broker,
  tamper,
  ...options
}: WatchedDownloadOptions): Promise<WatchedDownload> {
  const thing = `watched-${process.pid}-${devices++}`;
  const log = recordLog();
  const transport = new WatchedTransport(createDeviceTransport({ url: broker, clientId: thing, log }), tamper);
  const parts = { fileSystem: systemFileSystem, clock: patientClock, random: systemRandom };
  const shape = { format: "cbor", blockSizeBytes: 4096 } as const;
  return downloadStream({ transport, thing, log, ...parts, ...shape, ...options }).then(
    (result) => ({ transport, log, result, error: undefined }),
    (error: unknown) => ({ transport, log, result: undefined, error }),
  );
}

/** Flips one bit of the block in a CBOR data message: its last byte, before the byte that ends the message. */
export function flipBlockBit({ payload }: IncomingMessage): undefined {
  payload[payload.length - 2] = (payload[payload.length - 2] as number) ^ 0x10;
}

function partsOf(topic: string): { operation: Operation; format: Format } {
  const parsed = parseTopic(topic);
  if (parsed?.kind !== "stream") throw new Error(`not a stream topic: ${topic}`);
  return parsed;
}
