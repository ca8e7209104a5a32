/** Requests that wait for the store: how many may, and what becomes of them when it answers, fails or lets the object change. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { decodeRejected } from "../../shared/protocol/decode-response.ts";
import { encodeGet } from "../../shared/protocol/encode.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import { HeldStore } from "../support/publisher-held-store.ts";
import { type PublisherRig, RIG_CHECK_INTERVAL_MS, type Sent, startRig } from "../support/publisher-rig.ts";

const IMAGE = Uint8Array.from({ length: 256 * 200 }, (_, index) => index % 251);

let store: HeldStore;
let rig: PublisherRig;

beforeEach(async () => {
  store = new HeldStore();
  rig = await startRig({ objectStore: store });
  await rig.putStream([IMAGE]);
});

/** Asks for one block under a token of its own. */
function ask(blockOffset: number, thing = "thing-1"): Promise<Sent[]> {
  const clientToken = `t${blockOffset}`;
  const request = { clientToken, fileId: 0, blockSizeBytes: 256, blockOffset, blockCount: 1 };
  return rig.request(formatTopic(thing, "stream-1", "get", "cbor"), encodeGet("cbor", request));
}

/** What was sent, in short: the token and the blocks, or the token and the code. */
function shown(sent: readonly Sent[]): unknown[] {
  return sent.map((entry) => {
    if (entry.kind === "blocks") return [entry.run.clientToken, ...entry.blockIds];
    const rejected = decodeRejected("cbor", entry.payload);
    return [rejected?.clientToken, rejected?.code];
  });
}

async function answered(act: () => void): Promise<unknown[]> {
  act();
  await eventLoopTurn();
  return shown(rig.transport.drain());
}

describe("at most 64 requests of a thing", () => {
  it("wait; the next one is told InternalError and the limit, and those that wait are answered", async () => {
    for (let number = 0; number < 64; number++) expect(await ask(number)).toEqual([]);
    expect(store.calls).toEqual(["read"]);
    const refused = await ask(64);
    expect(shown(refused)).toEqual([["t64", "InternalError"]]);
    expect(rig.logLines).toMatchObject([{ fields: { code: "InternalError", message: expect.stringContaining("64") } }]);
    const all = Array.from({ length: 64 }, (_, number) => [`t${number}`, number]);
    expect(await answered(() => store.take().answer(IMAGE))).toEqual(all);
  });

  it("does not count those of other things", async () => {
    for (let number = 0; number < 64; number++) await ask(number);
    expect(await ask(0, "thing-2")).toEqual([]);
    const sent = await answered(() => store.take().answer(IMAGE));
    expect(sent).toHaveLength(65);
  });

  it("does not count those that are answered, rejected or failed", async () => {
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < 64; number++) expect(await ask(number)).toEqual([]);
      expect(await answered(() => store.take().fail("Unavailable"))).toHaveLength(64);
      rig.clock.advance(RIG_CHECK_INTERVAL_MS + 1);
    }
    for (let number = 0; number < 64; number++) expect(await ask(number)).toEqual([]);
  });

  it("does not hold up what needs no store", async () => {
    for (let number = 0; number < 64; number++) await ask(number);
    const described = await rig.request(formatTopic("thing-1", "stream-1", "describe", "cbor"), Uint8Array.of(0xa0));
    expect(described).toMatchObject([{ topic: formatTopic("thing-1", "stream-1", "description", "cbor") }]);
    expect(shown(await ask(200))).toEqual([["t200", "ResourceNotFound"]]);
  });
});

describe("a store that fails", () => {
  it("in the middle of a download is InternalError until it is back, and what was taken stays taken", async () => {
    await ask(0);
    expect(await answered(() => store.take().answer(IMAGE))).toEqual([["t0", 0]]);
    rig.clock.advance(RIG_CHECK_INTERVAL_MS + 1);
    await ask(1);
    await ask(2);
    expect(await answered(() => store.take().fail("Unavailable"))).toEqual([
      ["t1", "InternalError"],
      ["t2", "InternalError"],
    ]);
    expect(shown(await ask(1))).toEqual([["t1", "InternalError"]]);
    expect(store.open).toEqual([]);
    rig.clock.advance(RIG_CHECK_INTERVAL_MS + 1);
    await ask(1);
    const check = store.take();
    expect(check.name).toBe("head");
    expect(await answered(() => check.answer(IMAGE))).toEqual([["t1", 1]]);
  });

  it("with a defect is InternalError without details, and asked again by the next request", async () => {
    await ask(0);
    expect(await answered(() => store.take().fail(new TypeError("x is not a function")))).toEqual([
      ["t0", "InternalError"],
    ]);
    expect(rig.logLines[0]).toMatchObject({ level: "error", fields: { error: { message: "x is not a function" } } });
    expect(rig.logLines[1]?.fields.message).not.toContain("function");
    await ask(0);
    expect(await answered(() => store.take().answer(IMAGE))).toEqual([["t0", 0]]);
  });

  it("leaves a run that is under way to be finished from the bytes that were read", async () => {
    rig.transport.take = () => 0;
    await ask(0);
    await answered(() => store.take().answer(IMAGE));
    rig.clock.advance(RIG_CHECK_INTERVAL_MS + 1);
    await ask(1);
    expect(await answered(() => store.take().fail("Unavailable"))).toEqual([["t1", "InternalError"]]);
    rig.transport.take = (_thing, offered) => offered;
    expect(await answered(() => rig.transport.deviceReady("thing-1"))).toEqual([["t0", 0]]);
  });
});

describe("a change of the stream", () => {
  it("while requests wait leaves those to be answered as they were asked, and the next ones by the new version", async () => {
    const heir = Uint8Array.from(IMAGE, (byte) => byte ^ 0xff);
    await ask(0);
    await rig.putStream([heir], { streamVersion: 1 });
    await ask(1);
    const [oldRead, newRead] = [store.take(), store.take()];
    expect(await answered(() => newRead.answer(heir))).toEqual([["t1", 1]]);
    expect(await answered(() => oldRead.fail("Changed"))).toEqual([["t0", "ETagMismatch"]]);
  });

  it("to other bytes makes the old version a VersionMismatch for a device that names it", async () => {
    await rig.putStream([IMAGE], { streamVersion: 1 });
    const get = encodeGet("cbor", { fileId: 0, blockSizeBytes: 256, streamVersion: 0 });
    const sent = await rig.request(formatTopic("thing-1", "stream-1", "get", "cbor"), get);
    expect(shown(sent)).toEqual([[undefined, "VersionMismatch"]]);
  });
});
