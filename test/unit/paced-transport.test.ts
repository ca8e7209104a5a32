/** When blocks leave at a pace: in small histories on a clock that the test moves. */
import { describe, expect, it } from "vitest";
import { makeFile, makeRun } from "../support/broker.ts";
import { startPacedRig } from "../support/paced-rig.ts";

/** A run of `count` blocks of 4096 bytes. */
const runOf = (thing: string, count: number) => makeRun(thing, { fileBytes: makeFile(count * 4096) });

describe("a run", () => {
  it("leaves a block at a time, each when it is earned, in its order", async () => {
    const { publisher, departures, pass } = await startPacedRig(4096);
    publisher.send("a", runOf("a", 4));
    pass(10_000);
    expect(departures.map(({ atMs, blockIds }) => [atMs, ...blockIds])).toEqual([
      [0, 0],
      [1000, 1],
      [2000, 2],
      [3000, 3],
    ]);
  });

  it("begins with a tenth of a second's worth", async () => {
    const { publisher, departures, pass } = await startPacedRig(400 * 1024);
    publisher.send("a", runOf("a", 20));
    expect(departures.map(({ blockIds }) => blockIds)).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
    pass(99);
    expect(departures.at(-1)?.blockIds).toEqual([18]);
    pass(1);
    expect(departures.at(-1)).toMatchObject({ atMs: 100, blockIds: [19] });
  });

  it("passes as a whole where the pace is no bound, as the run it is", async () => {
    const { publisher, inner, timersArmed } = await startPacedRig(16 * 1024 * 1024);
    const run = runOf("a", 32);
    publisher.send("a", run);
    expect(inner.sent).toMatchObject([{ kind: "blocks", thing: "a" }]);
    expect(inner.sent[0]).toHaveProperty("run", run);
    expect(timersArmed()).toBe(0);
  });

  it("has its short last block paid for as short", async () => {
    const { publisher, departures, pass } = await startPacedRig(4096);
    publisher.send("a", makeRun("a", { fileBytes: makeFile(4096 + 1024) }));
    pass(249);
    expect(departures).toHaveLength(1);
    pass(1);
    expect(departures.at(-1)).toMatchObject({ bytes: 1024, blockIds: [1] });
  });

  it("is forgotten when nobody receives it, and nothing waits", async () => {
    const { publisher, paced, timersArmed } = await startPacedRig(4096, () => undefined);
    publisher.send("a", runOf("a", 4));
    expect(publisher.taken).toEqual([undefined]);
    expect(paced.sendBlocks("a", runOf("a", 4), 0)).toBeUndefined();
    expect(timersArmed()).toBe(0);
  });

  it("pays for what was taken, and leaves it to the transport to call for the rest of an offer", async () => {
    let room = 2;
    const rig = await startPacedRig(400 * 1024, (_thing, offered) => Math.min(room, offered));
    rig.publisher.send("a", runOf("a", 12));
    expect(rig.publisher.taken).toEqual([2]);
    rig.pass(1000);
    expect(rig.publisher.taken).toEqual([2]);
    room = 100;
    rig.inner.deviceReady("a");
    expect(rig.publisher.taken).toEqual([2, 10]);
  });
});

describe("things", () => {
  it("have a pace each, and share one timer", async () => {
    const { publisher, departures, timersArmed, pass } = await startPacedRig(4096);
    for (let index = 0; index < 50; index++) publisher.send(`thing-${index}`, runOf(`thing-${index}`, 3));
    expect(departures).toHaveLength(50);
    expect(timersArmed()).toBe(1);
    pass(2000);
    expect(departures).toHaveLength(150);
    expect(timersArmed()).toBe(2);
  });

  it("that are due earlier than the others are called earlier", async () => {
    const { publisher, departures, pass } = await startPacedRig(4096);
    publisher.send("slow", makeRun("slow", { blockSizeBytes: 8192, fileBytes: makeFile(16_384) }));
    publisher.send("fast", makeRun("fast", { blockSizeBytes: 256, fileBytes: makeFile(1024) }));
    departures.length = 0;
    pass(3000);
    expect(departures.map(({ thing }) => thing)).toEqual(["fast", "fast", "fast", "slow"]);
  });

  it("get small messages at once", async () => {
    const { publisher, paced, inner } = await startPacedRig(1024);
    publisher.send("a", runOf("a", 4));
    paced.sendMessage("a", "topic", Uint8Array.of(1));
    expect(inner.sent.at(-1)).toEqual({ kind: "message", thing: "a", topic: "topic", payload: Uint8Array.of(1) });
  });
});

it("tells of each wait", async () => {
  const { publisher, pass, waitsMs } = await startPacedRig(4096);
  publisher.send("a", runOf("a", 3));
  pass(10_000);
  expect(waitsMs).toEqual([1000, 1000]);
});

it("calls nobody after it was stopped", async () => {
  const { publisher, paced, pass } = await startPacedRig(4096);
  publisher.send("a", runOf("a", 3));
  await paced.stop();
  pass(5000);
  expect(publisher.readyCalls).toEqual([]);
});

it("waits for nobody after it was stopped: an answer that was being read is no reason to keep a timer", async () => {
  const { publisher, paced, timersArmed } = await startPacedRig(4096);
  await paced.stop();
  publisher.send("a", runOf("a", 3));
  expect(timersArmed()).toBe(0);
});
