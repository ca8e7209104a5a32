/** AWS's own device client, native code included, downloads from the whole server over plain TCP. */
import { io, mqtt } from "aws-iot-device-sdk-v2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClientModel } from "../../device/fleet/client-models/client-model.ts";
import { createFileStreamsClient } from "../../device/fleet/client-models/file-streams-client.ts";
import { createOtaAgentClient } from "../../device/fleet/client-models/ota-agent-client.ts";
import { runClientModel } from "../../device/fleet/client-models/run-client-model.ts";
import { createOffsetOnlyClient } from "../../device/fleet/client-models/uncounted-clients.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { decodeData, decodeRejected } from "../../shared/protocol/decode-response.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import type { DeviceTransport } from "../../shared/transport.ts";
import { makeFile } from "../support/broker.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";

const STREAM_ID = "for-aws";
const originals = [1, 131_073, 300_001].map(makeFile);

interface AwsTransport extends DeviceTransport {
  /** The length of each data message, in bytes. */
  readonly messageBytes: readonly number[];
}

function connect(url: string, clientId: string): mqtt.MqttClientConnection {
  const { hostname, port } = new URL(url);
  return new mqtt.MqttClient().new_connection({
    client_id: clientId,
    host_name: hostname,
    port: Number(port),
    clean_session: true,
    keep_alive: 30,
    socket_options: new io.SocketOptions(io.SocketType.STREAM, io.SocketDomain.IPV4, 5000),
  });
}

/** A device's transport whose MQTT client is AWS's. */
function createAwsTransport(url: string, clientId: string): AwsTransport {
  const connection = connect(url, clientId);
  const messageBytes: number[] = [];
  return {
    messageBytes,
    async connect(topicFilters, handlers) {
      connection.on("interrupt", (error) => handlers.disconnected(String(error)));
      await connection.connect();
      for (const filter of topicFilters) {
        const granted = await connection.subscribe(filter, mqtt.QoS.AtMostOnce, (topic, payload) => {
          messageBytes.push(payload.byteLength);
          handlers.messageArrived(topic, new Uint8Array(payload));
        });
        expect(granted).toMatchObject({ topic: filter, qos: mqtt.QoS.AtMostOnce });
      }
      handlers.connected();
    },
    subscribe: () => Promise.reject(new Error("no model subscribes later")),
    publish(topic, payload) {
      void connection.publish(topic, Buffer.from(payload), mqtt.QoS.AtMostOnce);
    },
    close: () => connection.disconnect(),
  };
}

describe("aws-iot-device-sdk-v2", () => {
  let server: RunningServer;
  beforeAll(async () => {
    // Version 1 is what the JSON library insists on.
    const control = { region: "us-east-1", accountId: "123456789012", firstStreamVersion: 1 as const };
    server = await startRunningServer({ control });
    await server.publish(STREAM_ID, originals);
  });
  afterAll(() => server.close());

  const cases: readonly { name: string; make: () => ClientModel; longestBytes: number }[] = [
    {
      // bf, c 6 bytes, f 3, i 3, l 2 + 5 (1a 00 02 00 00), p 2 + 5 and the payload, ff.
      name: "cbor-131072",
      make: () => createOffsetOnlyClient({ blockSizeBytes: 131_072 }),
      longestBytes: 131_072 + 28,
    },
    {
      // {"f":1,"i":0,"l":131072,"p":"..."}: 31 characters and 174764 base64 digits.
      name: "json-131072",
      make: () => createFileStreamsClient({ format: "json", blockSizeBytes: 131_072 }),
      longestBytes: 174_764 + 31,
    },
    {
      // 4122 bytes when the block id takes two bytes after its head; 73, the highest here, takes one.
      name: "cbor-4096",
      make: () => createOtaAgentClient({ blocksPerRequest: 32 }),
      longestBytes: 4121,
    },
    {
      // 4096 bytes are 5464 base64 digits; {"f":2,"i":72,"l":4096,"p":""} has 30 more.
      name: "json-4096",
      make: () => createFileStreamsClient({ format: "json" }),
      longestBytes: 5464 + 30,
    },
  ];

  it.each(cases)("downloads three files: $name", async ({ name, make, longestBytes }) => {
    const transport = createAwsTransport(server.urls.mqtt, name);
    const options = { transport, thing: name, streamId: STREAM_ID, clock: systemClock, log: silentLog };
    const { files, counts } = await runClientModel({ ...options, model: make() });
    originals.forEach((original, fileId) => {
      expect(Buffer.compare(files.get(fileId) ?? new Uint8Array(0), original), `file ${fileId}`).toBe(0);
    });
    expect(counts).toMatchObject({ timeouts: 0, duplicates: 0, foreign: 0 });
    expect(Math.max(...transport.messageBytes)).toBe(longestBytes);
  });

  it("asks at QoS 1, is acknowledged and answered at QoS 0, not retained", async () => {
    const thing = "careful";
    const connection = connect(server.urls.mqtt, thing);
    await connection.connect();
    const answered = Promise.withResolvers<{ payload: ArrayBuffer; qos: mqtt.QoS; retain: boolean }>();
    await connection.subscribe(
      formatTopic(thing, STREAM_ID, "data", "json"),
      mqtt.QoS.AtMostOnce,
      (_topic, payload, _dup, qos, retain) => answered.resolve({ payload, qos, retain }),
    );
    const request = '{"f":2,"l":256,"o":7,"n":1}';
    await connection.publish(formatTopic(thing, STREAM_ID, "get", "json"), request, mqtt.QoS.AtLeastOnce);
    const { payload, qos, retain } = await answered.promise;
    expect({ qos, retain }).toEqual({ qos: mqtt.QoS.AtMostOnce, retain: false });
    const block = decodeData("json", new Uint8Array(payload))?.payload ?? new Uint8Array(0);
    expect(Buffer.compare(block, (originals[2] as Uint8Array).subarray(1792, 2048))).toBe(0);
    await connection.disconnect();
  });

  it("sees why a request is rejected", async () => {
    const thing = "hasty";
    const connection = connect(server.urls.mqtt, thing);
    await connection.connect();
    const rejected = Promise.withResolvers<ArrayBuffer>();
    await connection.subscribe(
      formatTopic(thing, STREAM_ID, "rejected", "cbor"),
      mqtt.QoS.AtMostOnce,
      (_topic, payload) => rejected.resolve(payload),
    );
    await connection.publish(formatTopic(thing, STREAM_ID, "get", "cbor"), Buffer.of(0xa0), mqtt.QoS.AtMostOnce);
    expect(decodeRejected("cbor", new Uint8Array(await rejected.promise))).toEqual({
      code: "InvalidRequest",
      message: "file id (f) is missing",
    });
    await connection.disconnect();
  });
});
