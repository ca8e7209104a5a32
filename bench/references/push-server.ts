/** The ceiling: after a device's first request it is sent the file's blocks over and over, framed once, without being asked. */
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { generate, parser } from "mqtt-packet";
import { blockLength } from "../../shared/protocol/blocks.ts";
import { DataFrame, publishLength, writePublishHead } from "../../shared/protocol/data-frame.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";
import { formatTopic, parseTopic } from "../../shared/protocol/topics.ts";
import { endWithParent } from "../harness/channel.ts";

/** Bytes in one write; larger and smaller ones are slower here. */
const WRITE_BYTES = 64 * 1024;
const source = readFileSync(process.argv[2] as string);

const server = createServer({ noDelay: true }, (socket) => {
  const packets = parser({ protocolVersion: 4 });
  let isPushing = false;
  socket.on("error", () => {});
  socket.on("data", (bytes) => packets.parse(bytes));
  packets.on("packet", (packet) => {
    if (packet.cmd === "connect") {
      socket.write(generate({ cmd: "connack", returnCode: 0, sessionPresent: false }));
    } else if (packet.cmd === "subscribe") {
      const granted = packet.subscriptions.map(() => 0);
      socket.write(generate({ cmd: "suback", messageId: packet.messageId as number, granted }));
    } else if (packet.cmd === "publish" && !isPushing) {
      isPushing = true;
      push(socket, frameFile(packet.topic, packet.payload as Buffer));
    }
  });
});
server.listen(0, "127.0.0.1", () => {
  process.send?.({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
endWithParent();

/** All blocks of the file as one run of PUBLISH packets, as the request asks for them. */
function frameFile(getTopic: string, payload: Uint8Array): Buffer {
  const parsed = parseTopic(getTopic);
  if (parsed?.kind !== "stream") throw new Error(`not a request: ${getTopic}`);
  const { thing, streamId, format } = parsed;
  const decoded = decodeGet(format, payload, "lenient");
  if (!decoded.ok) throw new Error(decoded.rejection.message);
  const { blockSizeBytes, clientToken } = decoded.value.request;
  const topic = Buffer.from(formatTopic(thing, streamId, "data", format));
  const frame = new DataFrame({ format, clientToken, fileId: 0 });
  const blockIds = Array.from({ length: Math.ceil(source.length / blockSizeBytes) }, (_, blockId) => blockId);
  const payloadBytes = (blockId: number): number =>
    frame.payloadLength(blockId, blockLength(blockId, source.length, blockSizeBytes));
  const run = Buffer.alloc(
    blockIds.reduce((sum, blockId) => sum + publishLength(topic.length, payloadBytes(blockId)), 0),
  );
  let at = 0;
  for (const blockId of blockIds) {
    at = writePublishHead(run, at, topic, payloadBytes(blockId));
    at = frame.writePayload(
      run,
      at,
      blockId,
      source.subarray(blockId * blockSizeBytes, (blockId + 1) * blockSizeBytes),
    );
  }
  return run;
}

function push(socket: Socket, run: Buffer): void {
  let at = 0;
  const writeMore = (): void => {
    let hasRoom = true;
    while (hasRoom && !socket.destroyed) {
      hasRoom = socket.write(run.subarray(at, at + WRITE_BYTES));
      at = at + WRITE_BYTES < run.length ? at + WRITE_BYTES : 0;
    }
  };
  socket.on("drain", writeMore);
  writeMore();
}
