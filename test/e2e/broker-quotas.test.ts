/** The real service's quotas of a connection, at the broker: both sides of each limit, and the line in the log. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QuotaLog } from "../../shared/quota-log.ts";
import { RawClient, type RecordedLog, recordLog, startTestBroker, type TestBroker } from "../support/broker.ts";
import { type ControlClock, createControlClock } from "../support/control-clock.ts";

let clock: ControlClock;
let quotas: RecordedLog;
let broker: TestBroker;
beforeEach(async () => {
  clock = createControlClock(0);
  quotas = recordLog();
  broker = await startTestBroker({
    clock,
    quotaLog: new QuotaLog(quotas, clock),
    observers: ["o".repeat(128), "o".repeat(129)],
  });
});
afterEach(() => broker.close());

const filtersOf = (thing: string, count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `$aws/things/${thing}/streams/s${from + index}/data/cbor`);

function line(quota: string, limit: number, effect: string, client: string, value?: number): unknown {
  const level = effect === "changed" ? "info" : "warn";
  const fields = { quota, limit, effect, client, count: 1, ...(value !== undefined && { value }), total: 1 };
  return { level, message: "quota exceeded", fields };
}

describe("SUBSCRIBE", () => {
  it("may have 8 subscriptions; with 9 the connection is closed", async () => {
    const client = await RawClient.connect(broker.mqttPort, "t", { keepalive: 60 });
    expect(await client.subscribe(...filtersOf("t", 8))).toEqual(Array(8).fill(0));
    await client.ping();
    expect(quotas.lines).toEqual([]);
    await client.subscribe(...filtersOf("t", 9, 8)).catch(() => {});
    await client.closed();
    expect(quotas.lines).toEqual([line("subscriptionsPerSubscribe", 8, "closed", "t", 9)]);
  });

  it("may bring a connection to 50 subscriptions; at 51 it is closed", async () => {
    const client = await RawClient.connect(broker.mqttPort, "t", { keepalive: 60 });
    for (let from = 0; from < 48; from += 8) await client.subscribe(...filtersOf("t", 8, from));
    await client.subscribe(...filtersOf("t", 2, 48));
    await client.ping();
    expect(quotas.lines).toEqual([]);
    await client.subscribe(...filtersOf("t", 1, 50)).catch(() => {});
    await client.closed();
    expect(quotas.lines).toEqual([line("subscriptions", 50, "closed", "t", 51)]);
  });
});

describe("CONNECT", () => {
  it("of a client id may come once in a second", async () => {
    const first = await RawClient.connect(broker.mqttPort, "t", { keepalive: 60 });
    await RawClient.connect(broker.mqttPort, "other", { keepalive: 60 });
    clock.advance(999);
    await expect(RawClient.connect(broker.mqttPort, "t", { keepalive: 60 })).rejects.toThrow("closed before connack");
    await first.ping();
    expect(quotas.lines).toEqual([line("connectsPerSecond", 1, "refused", "t")]);
    clock.advance(1);
    await RawClient.connect(broker.mqttPort, "t", { keepalive: 60 });
    await first.closed();
  });

  it("may have a client id of 128 bytes, and no longer one", async () => {
    await RawClient.connect(broker.mqttPort, "o".repeat(128), { keepalive: 60 });
    const longer = RawClient.connect(broker.mqttPort, "o".repeat(129), { keepalive: 60 });
    await expect(longer).rejects.toThrow("closed before connack");
    expect(quotas.lines).toEqual([line("clientIdBytes", 128, "refused", "o".repeat(128), 129)]);
  });

  it.each([
    [30, []],
    [1200, []],
    [29, [line("leastKeepAliveSeconds", 30, "changed", "t", 29)]],
    [1201, [line("mostKeepAliveSeconds", 1200, "changed", "t", 1201)]],
    [0, [line("mostKeepAliveSeconds", 1200, "changed", "t", 0)]],
  ])("with a keep-alive of %d s is let in, with a line when it is brought into range", async (keepalive, lines) => {
    const client = await RawClient.connect(broker.mqttPort, "t", { keepalive });
    await client.ping();
    expect(quotas.lines).toEqual(lines);
  });
});

it("is not applied unless it is asked for", async () => {
  const free = await startTestBroker();
  try {
    const client = await RawClient.connect(free.mqttPort, "t", { keepalive: 5 });
    expect(await client.subscribe(...filtersOf("t", 60))).toEqual(Array(60).fill(0));
    await RawClient.connect(free.mqttPort, "t");
    await client.closed();
  } finally {
    await free.close();
  }
});
