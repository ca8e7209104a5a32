/** The transport inside the broker's process, with devices on TCP and on WebSocket. */
import { startTestBroker } from "../support/broker.ts";
import { describePublisherTransport } from "./publisher-transport.ts";

for (const door of ["mqttUrl", "wsUrl"] as const) {
  describePublisherTransport(`in the broker, devices at ${door}`, async () => {
    const broker = await startTestBroker();
    return { transport: broker.transport, deviceUrl: broker[door], knowsReceivers: true, close: broker.close };
  });
}
