/** What the broker itself refuses, and that nothing is retained; each on a connection of its own. */
import type { ConnectionRule, Step } from "../rule.ts";
import type { StreamFacts } from "../stream-facts.ts";
import { utf8 } from "../wire.ts";

const SOURCE = "2, Broker refusals";
const MAX_PACKET_BYTES = 262_144;

function connection(
  id: string,
  text: string,
  steps: (facts: StreamFacts) => readonly Step[],
  rest: Partial<Pick<ConnectionRule, "source" | "needsOwnBroker">> = {},
): ConnectionRule {
  const head = { kind: "connection", profile: "both", needsOwnBroker: true, origin: "OURS", source: SOURCE } as const;
  return { ...head, id: `connections.${id}`, text, ...rest, steps };
}

const topicsOf = (thing: string, streamId: string): string => `$aws/things/${thing}/streams/${streamId}`;
const other = ({ thing }: StreamFacts): string => `${thing}-2`;

/** A subscription that is refused; then a describe on the same connection is answered. */
function refusedFilter(facts: StreamFacts, filter: string): Step[] {
  const own = topicsOf(other(facts), facts.streamId);
  return [
    { do: "connect", clientId: other(facts) },
    { do: "subscribe", filter, isGranted: false },
    { do: "subscribe", filter: `${own}/description/json`, isGranted: true },
    { do: "publish", topic: `${own}/describe/json`, payload: utf8("{}") },
    { do: "expect first message", topic: `${own}/description/json` },
  ];
}

/** A get in a packet of so many bytes, filled up with blanks. */
function packet(facts: StreamFacts, sizeBytes: number): Step[] {
  const own = topicsOf(other(facts), facts.streamId);
  const topic = `${own}/get/json`;
  const text = `{"f":${facts.small.fileId},"l":256,"n":1}`;
  // One byte of packet type, three of length, two of topic length.
  const payload = utf8(text.padEnd(sizeBytes - 6 - Buffer.byteLength(topic)));
  return [
    { do: "connect", clientId: other(facts) },
    { do: "subscribe", filter: `${own}/data/json`, isGranted: true },
    { do: "publish", topic, payload },
    sizeBytes > MAX_PACKET_BYTES ? { do: "expect closed" } : { do: "expect first message", topic: `${own}/data/json` },
  ];
}

/** The rules of connections. */
export const CONNECTION_RULES: readonly ConnectionRule[] = [
  connection(
    "subscribe-other-thing",
    "A subscription to another thing's topics is refused, and the connection stays.",
    (facts) => refusedFilter(facts, `${topicsOf(facts.thing, facts.streamId)}/data/cbor`),
  ),
  connection("subscribe-everything", "A subscription to # is refused, and the connection stays.", (facts) =>
    refusedFilter(facts, "#"),
  ),
  connection("subscribe-all-things", "A subscription to all things is refused, and the connection stays.", (facts) =>
    refusedFilter(facts, "$aws/things/+/streams/#"),
  ),
  connection("publish-other-thing", "A request in another thing's name closes the connection.", (facts) => [
    { do: "connect", clientId: other(facts) },
    { do: "publish", topic: `${topicsOf(facts.thing, facts.streamId)}/describe/json`, payload: utf8("{}") },
    { do: "expect closed" },
  ]),
  connection("publish-elsewhere", "A publish outside the thing's streams closes the connection.", (facts) => [
    { do: "connect", clientId: other(facts) },
    { do: "publish", topic: "somewhere/else", payload: utf8("{}") },
    { do: "expect closed" },
  ]),
  ...["+", "a/b", "a.b"].flatMap((clientId) => [
    connection(
      `client-id-${clientId}-subscribe`,
      `The client id ${clientId}, which is no thing name, may connect and subscribe to nothing.`,
      ({ streamId }) => [
        { do: "connect", clientId },
        { do: "subscribe", filter: `$aws/things/x/streams/${streamId}/data/cbor`, isGranted: false },
      ],
    ),
    connection(`client-id-${clientId}-publish`, `The client id ${clientId} may publish nothing.`, ({ streamId }) => [
      { do: "connect", clientId },
      { do: "publish", topic: `${topicsOf("x", streamId)}/describe/json`, payload: utf8("{}") },
      { do: "expect closed" },
    ]),
  ]),
  connection("packet-262144", "A packet of 262144 bytes is taken.", (facts) => packet(facts, MAX_PACKET_BYTES)),
  connection("packet-262145", "A packet of 262145 bytes closes the connection.", (facts) =>
    packet(facts, MAX_PACKET_BYTES + 1),
  ),
  connection(
    "not-retained",
    "Nothing is retained: a device that comes back finds no old answers.",
    ({ thing, streamId }) => [
      { do: "connect", clientId: thing },
      { do: "subscribe", filter: `${topicsOf(thing, streamId)}/+/json`, isGranted: true },
      { do: "subscribe", filter: `${topicsOf(thing, streamId)}/+/cbor`, isGranted: true },
      { do: "publish", topic: `${topicsOf(thing, streamId)}/describe/xml`, payload: utf8("{}") },
      { do: "expect first message", topic: `${topicsOf(thing, streamId)}/rejected/json` },
    ],
    { source: "2, QoS", needsOwnBroker: false },
  ),
];
