/** The two clients that a fixed window is measured with: the lean connection and MQTT.js. */
import type { FleetEvents } from "../../device/fleet/fleet-connection.ts";
import { LeanConnection } from "../../device/fleet/lean-connection.ts";
import { LeanNetwork } from "../../device/fleet/lean-network.ts";
import type { ReceivedRun } from "../../device/fleet/received-run.ts";
import { crc32 } from "../../shared/crc32.ts";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import { decodeData } from "../../shared/protocol/decode-response.ts";
import type { OtaError } from "../../shared/protocol/errors.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import { systemRandom } from "../../shared/random.ts";
import type { Measurement } from "../harness/measurement.ts";
import type { WindowTask } from "./tasks.ts";
import { WindowDownload } from "./window-download.ts";
import { WindowMeter } from "./window-meter.ts";

let devicesMade = 0;

/** Measures devices with a fixed window; one unless the task says how many. */
export async function measureWindow(task: WindowTask): Promise<Measurement> {
  const meter = new WindowMeter(task);
  const open = (task.client === "lean" ? leanDevices : mqttJsDevices)(task, meter);
  const closers = Array.from({ length: task.devices ?? 1 }, () => open(`bench-${process.pid}-${devicesMade++}`));
  try {
    return await meter.measured;
  } finally {
    await Promise.all(closers.map((close) => close()));
  }
}

/** Opens one device; the result closes it. */
type OpenDevice = (thing: string) => () => Promise<void>;

function leanDevices(task: WindowTask, meter: WindowMeter): OpenDevice {
  const network = new LeanNetwork({ url: task.url });
  return (thing) => {
    const device = new LeanWindowDevice(task, meter, network, thing);
    return async () => device.connection.drop();
  };
}

/** The lean connection's events, as CRCs and names. */
class LeanWindowDevice implements FleetEvents {
  readonly connection: LeanConnection;
  private readonly download: WindowDownload;
  private readonly meter: WindowMeter;
  private blockCrc = 0;

  constructor(task: WindowTask, meter: WindowMeter, network: LeanNetwork, thing: string) {
    this.meter = meter;
    const { streamId, format } = task;
    const getTopic = formatTopic(thing, streamId, "get", format);
    const dataTopic = formatTopic(thing, streamId, "data", format);
    const topicFilters = [dataTopic, formatTopic(thing, streamId, "rejected", format)];
    const streamed = format === "cbor" ? { dataTopic } : {};
    this.download = new WindowDownload(task, meter, (get) => this.connection.publish(getTopic, get));
    this.messageArrived = (topic, payload) => {
      const data = topic === dataTopic ? decodeData(format, payload) : undefined;
      if (data === undefined) this.meter.fail(new Error(`unexpected message on ${topic}`));
      else this.download.take(data.blockId, crc32(data.payload));
    };
    this.connection = new LeanConnection(network, { clientId: thing, topicFilters, ...streamed }, this);
  }

  readonly messageArrived: FleetEvents["messageArrived"];

  connected(): void {
    this.download.start();
  }

  lost(error: OtaError): void {
    this.meter.fail(error);
  }

  subscribed(): void {}

  takeBlock(): void {}

  runArrived(run: ReceivedRun): void {
    this.download.takeRun(run);
  }

  payloadArrived(bytes: Uint8Array, start: number, end: number): void {
    this.blockCrc = crc32(bytes.subarray(start, end), this.blockCrc);
  }

  blockArrived(_fileId: number, blockId: number): void {
    const crc = this.blockCrc;
    this.blockCrc = 0;
    this.download.take(blockId, crc);
  }

  blockSpoiled(): void {
    this.meter.fail(new Error("a block's message is malformed"));
  }
}

function mqttJsDevices(task: WindowTask, meter: WindowMeter): OpenDevice {
  return (thing) => openMqttJs(task, meter, thing);
}

function openMqttJs(task: WindowTask, meter: WindowMeter, thing: string): () => Promise<void> {
  const { streamId, format, url } = task;
  const transport = createDeviceTransport({ url, clientId: thing, log: silentLog, random: systemRandom });
  const getTopic = formatTopic(thing, streamId, "get", format);
  const dataTopic = formatTopic(thing, streamId, "data", format);
  const download = new WindowDownload(task, meter, (get) => transport.publish(getTopic, get));
  const connecting = transport.connect([dataTopic, formatTopic(thing, streamId, "rejected", format)], {
    connected: () => download.start(),
    disconnected: (reason) => meter.fail(new Error(reason)),
    messageArrived: (topic, payload) => {
      const data = topic === dataTopic ? decodeData(format, payload) : undefined;
      if (data === undefined) meter.fail(new Error(`unexpected message on ${topic}`));
      else download.take(data.blockId, crc32(data.payload));
    },
  });
  connecting.catch((error: Error) => meter.fail(error));
  return () => transport.close();
}
