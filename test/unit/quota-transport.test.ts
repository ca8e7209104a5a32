/** What the quotas of the real service do to messages, and what the log says of it, on a clock that the test moves. */
import { beforeEach, describe, expect, it } from "vitest";
import { QuotaTransport } from "../../publisher/quota-transport.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import { QuotaLog } from "../../shared/quota-log.ts";
import { makeFile, makeRun, type RecordedLog, recordLog, TestPublisher } from "../support/broker.ts";
import { type ControlClock, createControlClock } from "../support/control-clock.ts";
import { RecordingTransport } from "../support/publisher-rig.ts";

const GET = formatTopic("a", "s", "get", "cbor");
const REJECTED = formatTopic("a", "s", "rejected", "cbor");
const DATA = formatTopic("a", "s", "data", "cbor");
const PAYLOAD = Uint8Array.of(0xa0);

let clock: ControlClock;
let log: RecordedLog;
let quotaLog: QuotaLog;
let inner: RecordingTransport;
let transport: QuotaTransport;
let publisher: TestPublisher;

beforeEach(async () => {
  clock = createControlClock(0);
  log = recordLog();
  quotaLog = new QuotaLog(log, clock);
  inner = new RecordingTransport();
  transport = new QuotaTransport(inner, clock, quotaLog);
  publisher = await TestPublisher.start(transport);
});

function request(count: number, topic = GET, payload = PAYLOAD): void {
  for (let number = 0; number < count; number++) inner.requestArrived(topic, payload);
}

/** A run of `count` blocks of 256 bytes to thing `a`. */
const runOf = (count: number) => makeRun("a", { blockSizeBytes: 256, fileBytes: makeFile(count * 256) });

function blocksSent(): number[] {
  return inner.drain().flatMap((sent) => (sent.kind === "blocks" ? sent.blockIds : []));
}

describe("publishes of a thing in a second", () => {
  it("are 100 in both directions together; further ones are discarded", () => {
    request(60);
    for (let number = 0; number < 60; number++) transport.sendMessage("a", REJECTED, PAYLOAD);
    request(5);
    expect(publisher.requests).toHaveLength(60);
    expect(inner.drain()).toHaveLength(40);
  });

  it("are earned again, 100 in a second and no more", () => {
    request(100);
    clock.advance(500);
    request(60);
    expect(publisher.requests).toHaveLength(150);
    clock.advance(60_000);
    request(150);
    expect(publisher.requests).toHaveLength(250);
  });

  it("are counted for each thing", () => {
    request(150);
    request(3, formatTopic("b", "s", "get", "cbor"));
    expect(publisher.requests).toHaveLength(103);
  });

  it("let the blocks through that there are publishes for, in order; those behind them are gone", () => {
    request(70);
    expect(transport.sendBlocks("a", runOf(40), 4)).toBe(36);
    expect(blocksSent()).toEqual(Array.from({ length: 30 }, (_, index) => 4 + index));
    expect(transport.sendBlocks("a", runOf(5), 0)).toBe(5);
    expect(blocksSent()).toEqual([]);
    clock.advance(20);
    expect(transport.sendBlocks("a", runOf(5), 0)).toBe(5);
    expect(blocksSent()).toEqual([0, 1]);
  });

  it("are used by what was taken, and nothing is discarded that is still to be offered", () => {
    inner.take = () => 3;
    expect(transport.sendBlocks("a", runOf(120), 0)).toBe(3);
    expect(log.lines).toEqual([]);
    inner.take = () => undefined;
    expect(transport.sendBlocks("a", runOf(120), 3)).toBeUndefined();
    inner.take = (_thing, offered) => offered;
    expect(transport.sendBlocks("a", runOf(97), 0)).toBe(97);
    expect(blocksSent()).toHaveLength(100);
  });
});

describe("a request", () => {
  it.each([
    [131_072, 1],
    [131_073, 0],
  ])("of %d bytes arrives %d times", (sizeBytes, times) => {
    request(1, GET, new Uint8Array(sizeBytes));
    expect(publisher.requests).toHaveLength(times);
    const fields = { quota: "payloadBytes", limit: 131_072, effect: "discarded", client: "a", value: sizeBytes };
    const line = { level: "warn", message: "quota exceeded", fields: { ...fields, count: 1, total: 1, topic: GET } };
    expect(log.lines).toEqual(times === 1 ? [] : [line]);
  });

  it.each([
    [256, 1],
    [257, 0],
  ])("whose topic has %d bytes arrives %d times", (topicBytes, times) => {
    const rest = formatTopic("", "s", "get", "cbor").length;
    const thing = "t".repeat(128);
    const topic = formatTopic(thing, "s".repeat(topicBytes - rest - 127), "get", "cbor");
    expect(topic).toHaveLength(topicBytes);
    request(1, topic);
    expect(publisher.requests).toHaveLength(times);
    const line = { fields: { quota: "topicBytes", limit: 256, effect: "discarded", client: thing, value: topicBytes } };
    expect(log.lines).toMatchObject(times === 1 ? [] : [line]);
  });
});

describe("the log", () => {
  it("has a line for the first excess, and one in five seconds that counts the others", () => {
    request(103);
    transport.sendBlocks("a", runOf(20), 0);
    const fixed = { quota: "publishesPerSecond", limit: 100, effect: "discarded", client: "a" };
    const first = { level: "warn", message: "quota exceeded", fields: { ...fixed, count: 1, topic: GET, total: 1 } };
    expect(log.lines).toEqual([first]);
    clock.advance(5000);
    const others = { level: "warn", message: "quota exceeded again", fields: { ...fixed, count: 22, total: 23 } };
    expect(log.lines).toEqual([first, others]);
    clock.advance(60_000);
    expect(log.lines).toHaveLength(2);
  });

  it("has lines for each thing and each quota, and the rest when it is closed", () => {
    request(102);
    request(101, formatTopic("b", "s", "get", "cbor"));
    request(1, GET, new Uint8Array(131_073));
    expect(log.lines.map(({ fields: { client, quota } }) => [client, quota])).toEqual([
      ["a", "publishesPerSecond"],
      ["b", "publishesPerSecond"],
      ["a", "payloadBytes"],
    ]);
    quotaLog.close();
    expect(log.lines.slice(3)).toMatchObject([{ fields: { client: "a", count: 1, total: 3 } }]);
  });

  it("has 100 lines of a quota in five seconds, however many things there are, and loses no count", () => {
    for (let index = 0; index < 300; index++) request(103, formatTopic(`thing-${index}`, "s", "get", "cbor"));
    expect(log.lines).toHaveLength(100);
    clock.advance(5000);
    quotaLog.close();
    const counts = log.lines.map(({ fields: { count } }) => count as number);
    expect(counts.reduce((sum, count) => sum + count)).toBe(900);
    expect(log.lines.length).toBeLessThanOrEqual(202);
    expect(log.lines.at(-1)).toMatchObject({ message: "quota exceeded by others", fields: { total: 900 } });
  });

  it("names the topic of discarded blocks", () => {
    transport.sendBlocks("a", runOf(101), 0);
    expect(log.lines).toMatchObject([{ fields: { count: 1, topic: DATA } }]);
  });
});
