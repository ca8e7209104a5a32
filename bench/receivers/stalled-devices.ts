/** Devices that connect, subscribe, ask for the whole file again and again, and never read a byte of the answers. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { encodeConnect, encodePublish, encodeSubscribe } from "../../device/fleet/lean-packets.ts";
import { encodeGet } from "../../shared/protocol/encode.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import type { StallTask } from "./tasks.ts";

const ASK_EVERY_MS = 20;
const REQUEST_BYTES = 131_072;
const KEEP_ALIVE_SECONDS = 600;

/** Stalled devices of this process; they stay until the process ends. */
export class StalledDevices {
  private readonly sockets: Socket[] = [];
  private asking: NodeJS.Timeout | undefined;

  /** Adds devices until there are `task.devices`, which then ask until {@link freeze}. */
  async add(task: StallTask): Promise<void> {
    const { blockSizeBytes, file, format, streamId } = task;
    const requestBlocks = REQUEST_BYTES / blockSizeBytes;
    const gets = Array.from({ length: Math.floor(file.sizeBytes / REQUEST_BYTES) }, (_, index) =>
      encodeGet(format, { fileId: 0, blockSizeBytes, blockOffset: index * requestBlocks, blockCount: requestBlocks }),
    );
    const topics = new Map<Socket, string>();
    while (this.sockets.length < task.devices) {
      const thing = `stalled-${process.pid}-${this.sockets.length}`;
      const socket = await open(task, thing);
      this.sockets.push(socket);
      topics.set(socket, formatTopic(thing, streamId, "get", format));
    }
    let turn = 0;
    this.asking = setInterval(() => {
      const get = gets[turn++ % gets.length] as Uint8Array;
      for (const [socket, topic] of topics) if (socket.writableLength === 0) socket.write(encodePublish(topic, get));
    }, ASK_EVERY_MS);
  }

  /** Asks for no more. */
  freeze(): void {
    clearInterval(this.asking);
  }
}

/** Resolves once the device is subscribed, and reads no more. */
async function open({ url, streamId, format }: StallTask, thing: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.on("error", () => {});
  socket.write(encodeConnect(thing, KEEP_ALIVE_SECONDS));
  await once(socket, "data");
  socket.write(encodeSubscribe(1, [formatTopic(thing, streamId, "data", format)]));
  await once(socket, "data");
  socket.pause();
  return socket;
}
