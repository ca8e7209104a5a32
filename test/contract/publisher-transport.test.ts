/** The transport inside the broker's process, with devices on TCP and on WebSocket, and with a pace around it. */
import { PacedTransport } from "../../publisher/paced-transport.ts";
import { systemClock } from "../../shared/clock.ts";
import { HIGHEST_PACE } from "../../shared/protocol/limits.ts";
import { startTestBroker } from "../support/broker.ts";
import { describePublisherTransport } from "./publisher-transport.ts";

for (const door of ["mqttUrl", "wsUrl"] as const) {
  describePublisherTransport(`in the broker, devices at ${door}`, async () => {
    const broker = await startTestBroker();
    return { transport: broker.transport, deviceUrl: broker[door], knowsReceivers: true, close: broker.close };
  });
}

describePublisherTransport("in the broker, at the highest pace", async () => {
  const { transport: inner, mqttUrl: deviceUrl, close } = await startTestBroker();
  const transport = new PacedTransport(inner, { bytesPerSecond: HIGHEST_PACE, clock: systemClock });
  return { transport, deviceUrl, knowsReceivers: true, close };
});
