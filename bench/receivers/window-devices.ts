/** The two clients that a fixed window is measured with: the lean connection and MQTT.js. */

import { LeanConnection, type LeanEvents } from "../../device/fleet/lean-connection.ts";
import { LeanNetwork } from "../../device/fleet/lean-network.ts";
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

let devicesMade = 0;

/** Measures one device with a fixed window. */
export function measureWindow(task: WindowTask): Promise<Measurement> {
  const thing = `bench-${process.pid}-${devicesMade++}`;
  return task.client === "lean" ? measureLean(task, thing) : measureMqttJs(task, thing);
}

async function measureLean(task: WindowTask, thing: string): Promise<Measurement> {
  const device = new LeanWindowDevice(task, thing);
  try {
    return await device.download.measured;
  } finally {
    device.connection.drop();
  }
}

/** The lean connection's events, as CRCs and names. */
class LeanWindowDevice implements LeanEvents {
  readonly download: WindowDownload;
  readonly connection: LeanConnection;
  private blockCrc = 0;

  constructor(task: WindowTask, thing: string) {
    const { streamId, format } = task;
    const getTopic = formatTopic(thing, streamId, "get", format);
    const dataTopic = formatTopic(thing, streamId, "data", format);
    const topicFilters = [dataTopic, formatTopic(thing, streamId, "rejected", format)];
    const streamed = format === "cbor" ? { dataTopic } : {};
    this.download = new WindowDownload(task, (get) => this.connection.publish(getTopic, get));
    this.messageArrived = (topic, payload) => {
      const data = topic === dataTopic ? decodeData(format, payload) : undefined;
      if (data === undefined) this.download.fail(new Error(`unexpected message on ${topic}`));
      else this.download.take(data.blockId, crc32(data.payload));
    };
    this.connection = new LeanConnection(
      new LeanNetwork({ url: task.url }),
      { clientId: thing, topicFilters, ...streamed },
      this,
    );
  }

  readonly messageArrived: LeanEvents["messageArrived"];

  connected(): void {
    this.download.start();
  }

  lost(error: OtaError): void {
    this.download.fail(error);
  }

  subscribed(): void {}

  payloadArrived(bytes: Uint8Array, start: number, end: number): void {
    this.blockCrc = crc32(bytes.subarray(start, end), this.blockCrc);
  }

  blockArrived(_fileId: number, blockId: number): void {
    const crc = this.blockCrc;
    this.blockCrc = 0;
    this.download.take(blockId, crc);
  }

  blockSpoiled(): void {
    this.download.fail(new Error("a block's message is malformed"));
  }
}

async function measureMqttJs(task: WindowTask, thing: string): Promise<Measurement> {
  const { streamId, format, url } = task;
  const transport = createDeviceTransport({ url, clientId: thing, log: silentLog, random: systemRandom });
  const getTopic = formatTopic(thing, streamId, "get", format);
  const dataTopic = formatTopic(thing, streamId, "data", format);
  const download = new WindowDownload(task, (get) => transport.publish(getTopic, get));
  const connecting = transport.connect([dataTopic, formatTopic(thing, streamId, "rejected", format)], {
    connected: () => download.start(),
    disconnected: (reason) => download.fail(new Error(reason)),
    messageArrived: (topic, payload) => {
      const data = topic === dataTopic ? decodeData(format, payload) : undefined;
      if (data === undefined) download.fail(new Error(`unexpected message on ${topic}`));
      else download.take(data.blockId, crc32(data.payload));
    },
  });
  connecting.catch((error: Error) => download.fail(error));
  try {
    return await download.measured;
  } finally {
    await transport.close();
  }
}
