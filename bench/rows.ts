/** The rows of the table: which lane is compared with which, and what is expected. No IO. */

/** How a row's figure is made of its lanes. */
export type RowKind =
  /** Bytes a second of `lane` over those of `reference`. */
  | "throughput"
  /** The 99th percentile of `lane`'s completion times over their median. */
  | "tail"
  /** The figure of `lane` as it is. */
  | "figure";

/** One row. */
export interface Row {
  /** Names the row in saved results. */
  readonly id: string;
  readonly label: string;
  readonly kind: RowKind;
  readonly lane: string;
  readonly reference?: string;
  /** The least figure that is good enough; the most, for a tail or a figure. Absent: the row is only shown. */
  readonly bound?: number;
  readonly aim?: number;
}

type Throughput = readonly [id: string, label: string, lane: string, reference: string, bound?: number, aim?: number];

const THROUGHPUTS: readonly Throughput[] = [
  ["ceiling-lean", "one device, lean receiver, against the push ceiling", "own", "push", 0.75, 0.9],
  ["ceiling-mqttjs", "one device, MQTT.js, against its own push ceiling", "own, MQTT.js", "push, MQTT.js", 0.85, 0.95],
  [
    "agent-disk",
    "the agent writing to disk, against MQTT.js's push ceiling",
    "own, agent to disk",
    "push, MQTT.js",
    0.3,
    0.5,
  ],
  ["broker-publish", "against broker.publish", "own", "broker.publish", 5, 8],
  ["mosquitto", "against mosquitto", "own", "mosquitto", 4, 7],
  ["nginx", "against nginx, 4 KiB GETs on 8 connections", "own", "nginx, 8 connections", 3, 5],
  ["stop-and-wait", "against stop-and-wait over broker.publish", "own", "stop-and-wait", 25, 45],
  ["256-broker-publish", "256-byte blocks against broker.publish", "own, 256 B", "broker.publish, 256 B", 10, 18],
  [
    "1000-broker-publish",
    "1,000 devices against broker.publish",
    "own, 1,000 devices",
    "broker.publish, 1,000 devices",
    8,
    12,
  ],
  [
    "5000-broker-publish",
    "5,000 devices x 256 KiB against broker.publish",
    "own, 5,000 devices",
    "broker.publish, 5,000 devices",
    15,
    25,
  ],
  [
    "5000-long-one",
    "5,000 devices x 2 MiB together against one device",
    "own, 5,000 devices x 2 MiB",
    "own, 1 device",
    0.7,
    1,
  ],
  ["stalled-1", "one device beside a stalled one, against alone", "healthy beside 1", "healthy beside 0"],
  [
    "stalled-100",
    "one device beside 100 stalled ones, against alone",
    "healthy beside 100",
    "healthy beside 0",
    0.9,
    0.95,
  ],
  [
    "stalled-1000",
    "one device beside 1,000 stalled ones, against alone",
    "healthy beside 1,000",
    "healthy beside 0",
    0.85,
    0.95,
  ],
  ["200-stalled-1", "200 devices beside a stalled one, against alone", "200 healthy beside 1", "200 healthy beside 0"],
  [
    "200-stalled-100",
    "200 devices beside 100 stalled ones, against alone",
    "200 healthy beside 100",
    "200 healthy beside 0",
    0.9,
    0.95,
  ],
  [
    "200-stalled-1000",
    "200 devices beside 1,000 stalled ones, against alone",
    "200 healthy beside 1,000",
    "200 healthy beside 0",
    0.85,
    0.95,
  ],
  [
    "streams",
    "100 devices on 100 of 10,000 streams, against one stream",
    "own, 10,000 streams",
    "own, 1 stream",
    0.95,
    1,
  ],
  [
    "streams-registered",
    "the same on one stream while 10,000 are registered",
    "own, 1 stream of 10,000",
    "own, 1 stream",
    0.95,
    1,
  ],
  ["own-stop-and-wait", "against stop-and-wait on the same server", "own", "own, stop-and-wait"],
  ["client-publish", "against client.publish", "own", "client.publish"],
  ["256-mosquitto", "256-byte blocks against mosquitto", "own, 256 B", "mosquitto, 256 B"],
  ["nginx-file", "against nginx, 2 MiB GETs on 1 connection", "own", "nginx, 2 MiB"],
  ["session", "one device with the real session, against the push ceiling", "own, session", "push"],
  ["5000-one", "5,000 devices x 256 KiB together against one device", "own, 5,000 devices", "own, 1 device"],
  [
    "5000-long-session",
    "5,000 devices x 2 MiB together against one with the real session",
    "own, 5,000 devices x 2 MiB",
    "own, session",
  ],
];

/** Every row, in the order of the table. */
export const ROWS: readonly Row[] = [
  ...THROUGHPUTS.map(([id, label, lane, reference, bound, aim]): Row => {
    const expected = { ...(bound !== undefined && { bound }), ...(aim !== undefined && { aim }) };
    return { id, label, kind: "throughput", lane, reference, ...expected };
  }),
  {
    id: "tail-1000",
    label: "p99/p50 of completion, 1,000 devices",
    kind: "tail",
    lane: "own, 1,000 devices",
    bound: 1.15,
    aim: 1.05,
  },
  {
    id: "queue-1",
    label: "KiB in user space for one stalled device",
    kind: "figure",
    lane: "queue of 1",
    bound: 128,
    aim: 64,
  },
  {
    id: "queue-100",
    label: "KiB in user space for each of 100 stalled devices",
    kind: "figure",
    lane: "queue of 100",
    bound: 128,
    aim: 64,
  },
  {
    id: "queue-1000",
    label: "KiB in user space for each of 1,000 stalled devices",
    kind: "figure",
    lane: "queue of 1,000",
    bound: 128,
    aim: 64,
  },
  {
    id: "generator-crcs",
    label: "fleet command: generator's time for a block, in CRC-32s of it by zlib",
    kind: "figure",
    lane: "fleet command, CRCs a block",
    // 2.5 us where zlib takes 0.77.
    bound: 3.25,
  },
  {
    id: "generator-share",
    label: "fleet command: share of its core that the generator takes, in percent",
    kind: "figure",
    lane: "fleet command, share of a core",
    bound: 80,
  },
];
