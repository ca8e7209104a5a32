/** The publisher's transport over mosquitto, and what happens to it when mosquitto goes and comes back. */
import { describe, expect, it } from "vitest";
import { PacedTransport } from "../../publisher/paced-transport.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport, createExternalPublisherTransport } from "../../shared/mqtt-connection.ts";
import { HIGHEST_PACE } from "../../shared/protocol/limits.ts";
import { seededRandom } from "../../shared/random.ts";
import { describePublisherTransport } from "../contract/publisher-transport.ts";
import { makeFile, makeRun, payloadsOf, recordLog, TestPublisher } from "../support/broker.ts";
import { hasMosquitto, startMosquitto } from "../support/mosquitto.ts";

describe.skipIf(!hasMosquitto())("with mosquitto", () => {
  describePublisherTransport("a client of mosquitto", async () => {
    const mosquitto = await startMosquitto();
    const transport = createExternalPublisherTransport({ url: mosquitto.url, log: silentLog });
    return { transport, deviceUrl: mosquitto.url, knowsReceivers: false, close: mosquitto.stop };
  });

  describePublisherTransport("a client of mosquitto, at the highest pace", async () => {
    const mosquitto = await startMosquitto();
    const inner = createExternalPublisherTransport({ url: mosquitto.url, log: silentLog });
    const transport = new PacedTransport(inner, { bytesPerSecond: HIGHEST_PACE, clock: systemClock });
    return { transport, deviceUrl: mosquitto.url, knowsReceivers: false, close: mosquitto.stop };
  });

  it("takes nothing while the broker is away and goes on when it is back", async () => {
    const first = await startMosquitto();
    const log = recordLog();
    const transport = createExternalPublisherTransport({ url: first.url, log, random: seededRandom(1) });
    const publisher = await TestPublisher.start(transport);
    await first.stop();
    await log.waitFor("the broker is gone");
    const run = makeRun("returner", { fileBytes: makeFile(200_000) });
    expect(transport.sendBlocks("returner", run, 0)).toBe(0);
    const second = await startMosquitto(first.port);
    await log.waitFor("the broker is back");
    expect(publisher.readyCalls).toEqual(["returner"]);

    const device = createDeviceTransport({ url: second.url, clientId: "returner", log: silentLog });
    const payloads: Buffer[] = [];
    const { promise: all, resolve } = Promise.withResolvers<void>();
    await device.connect([run.topic], {
      connected: () => {},
      disconnected: () => {},
      messageArrived: (_topic, payload) => {
        payloads.push(Buffer.from(payload));
        if (payloads.length === run.blockIds.length) resolve();
      },
    });
    device.publish("$aws/things/returner/streams/s/get/cbor", Buffer.of(0xa0));
    await publisher.until(() => publisher.requests.length === 1);
    publisher.send("returner", run);
    await all;
    expect(payloads).toEqual(payloadsOf(run));
    await device.close();
    await transport.stop();
    await second.stop();
  });
});
