/** Which blocks a lean connection hands over, when a broker sends them at the wrong time. */
import { expect, it } from "vitest";
import { LeanNetwork } from "../../device/fleet/lean-network.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { CONNACK, LeanTestDevice, SUBACK, startScriptedBroker } from "../support/lean-device.ts";
import { publishPacket } from "../support/lean-recorder.ts";

const TOPICS = ["description", "data"].map((operation) => `$aws/things/t/streams/s/${operation}/cbor`);
const DATA_TOPIC = "$aws/things/t/streams/s/data/cbor";

function data(blockId: number): Uint8Array {
  const frame = new DataFrame({ format: "cbor", fileId: 0 });
  return publishPacket(DATA_TOPIC, frame.encode(blockId, new Uint8Array(300)));
}

it("are those between SUBACK and the device's goodbye", async () => {
  const parted = Promise.withResolvers<void>();
  const broker = await startScriptedBroker((packet, socket) => {
    if (packet.cmd === "connect") socket.write(Buffer.concat([CONNACK, data(1)]));
    if (packet.cmd === "subscribe") socket.write(Buffer.concat([SUBACK, data(2)]));
    if (packet.cmd === "publish") socket.write(Buffer.concat([data(3), data(3), data(4)]));
    if (packet.cmd === "disconnect") socket.end(data(5), () => parted.resolve());
  });
  const network = new LeanNetwork({ url: broker.url });
  const device = new LeanTestDevice(network, { clientId: "t", topicFilters: TOPICS, dataTopic: DATA_TOPIC });
  try {
    await device.until(() => device.blocks.length === 1);
    device.afterBlock = (blockId) => {
      if (blockId === 3) device.connection.close();
    };
    device.connection.publish("$aws/things/t/streams/s/get/cbor", Buffer.from("please"));
    await parted.promise;
    expect(device.blocks.map(({ blockId }) => blockId)).toEqual([2, 3]);
  } finally {
    device.connection.drop();
    broker.close();
  }
});
