/** What a simulated device sends over one connection. */
import { expect, it } from "vitest";
import type {
  FleetConnection,
  FleetConnectionOptions,
  FleetEvents,
  FleetNetwork,
} from "../../device/fleet/fleet-connection.ts";
import { FleetJob } from "../../device/fleet/fleet-job.ts";
import { FleetRequests } from "../../device/fleet/fleet-requests.ts";
import { TimerWheel } from "../../device/fleet/lean-timers.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { seededRandom } from "../../shared/random.ts";

const MANIFEST = {
  clientToken: "m-1",
  fileId: 0,
  streamVersion: 1,
  blockSizeBytes: 256,
  blockOffset: 0,
  blockCount: 4,
};

/** The requests of a device and, as lines, what its connection is told. */
function open(format: "cbor" | "json" = "cbor") {
  const lines: string[] = [];
  const options: FleetConnectionOptions[] = [];
  const connection: FleetConnection = {
    isOpen: true,
    publish: (topic) => lines.push(`publish ${topic}`) > 0,
    subscribe: (topicFilter) => lines.push(`subscribe ${topicFilter}`),
    pause: () => {},
    resume: () => {},
    close: () => lines.push("close"),
    drop: () => lines.push("drop"),
  };
  const connect = (its: FleetConnectionOptions): FleetConnection => {
    options.push(its);
    return connection;
  };
  const network: FleetNetwork = { timers: new TimerWheel(new VirtualClock()), nowMs: 0, touch: () => 0, connect };
  const random = seededRandom(1);
  const job = new FleetJob({ network, streamId: "s", format, blockSizeBytes: 256, random, ended: () => {} });
  return { requests: new FleetRequests(job, "t", network, {} as FleetEvents), lines, options };
}

it("listens to descriptions, blocks and rejections, and has only CBOR streamed", () => {
  const topic = (operation: string, format: string): string => `$aws/things/t/streams/s/${operation}/${format}`;
  const topicsIn = (format: string): string[] =>
    ["description", "data", "rejected"].map((operation) => topic(operation, format));
  expect(open("cbor").options).toEqual([
    { clientId: "t", topicFilters: topicsIn("cbor"), dataTopic: topic("data", "cbor") },
  ]);
  expect(open("json").options).toEqual([{ clientId: "t", topicFilters: topicsIn("json") }]);
});

it("asks for a manifest when the topic of its answer is subscribed to, and then at once", () => {
  const { requests, lines } = open();
  requests.send({ do: "publishManifest", request: MANIFEST });
  requests.send({ do: "publishManifest", request: { ...MANIFEST, clientToken: "m-2" } });
  expect(lines).toEqual(["subscribe $aws/things/t/streams/s/checksums/cbor"]);
  expect(requests.subscribed(true)).toBeUndefined();
  expect(lines.slice(1)).toEqual(["publish $aws/things/t/streams/s/manifest/cbor"]);
  requests.send({ do: "publishManifest", request: MANIFEST });
  expect(lines.slice(2)).toEqual(["publish $aws/things/t/streams/s/manifest/cbor"]);
});

it("tells the session of a refused subscription as of a rejected request", () => {
  const { requests } = open();
  expect(requests.subscribed(true)).toBeUndefined();
  const other = open().requests;
  other.send({ do: "publishManifest", request: MANIFEST });
  expect(other.subscribed(false)).toMatchObject({
    on: "rejected",
    rejection: { code: "InvalidTopic", clientToken: "m-1" },
  });
});
