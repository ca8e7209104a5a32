/** The shell of the client models: what it does with messages, timers and failures, over a transport that only records. */
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { ClientModel } from "../../device/fleet/client-models/client-model.ts";
import { createOtaAgentClient } from "../../device/fleet/client-models/ota-agent-client.ts";
import { type ClientModelResult, runClientModel } from "../../device/fleet/client-models/run-client-model.ts";
import { silentLog } from "../../shared/log.ts";
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { encodeDescription, encodeRejected } from "../../shared/protocol/encode.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { DeviceHandlers, DeviceTransport } from "../../shared/transport.ts";
import { makeFile } from "../support/broker.ts";
import { type ControlClock, createControlClock } from "../support/control-clock.ts";

const TOPICS = "$aws/things/t/streams/s";
const original = makeFile(10_000);
const FILE = { fileId: 0, sizeBytes: original.length };

interface Rig {
  readonly handlers: DeviceHandlers;
  readonly subscribed: readonly string[];
  /** The topics of what was published, without their prefix. */
  readonly published: readonly string[];
  readonly clock: ControlClock;
  readonly abort: AbortController;
  readonly result: Promise<ClientModelResult>;
  closed: number;
  sendBlock(blockId: number): void;
}

/** Starts a run; the transport is connected once this returns. */
function start(model: ClientModel): Rig {
  const published: string[] = [];
  const clock = createControlClock(0);
  const abort = new AbortController();
  let handlers: DeviceHandlers | undefined;
  let subscribed: readonly string[] = [];
  const transport: DeviceTransport = {
    connect: async (filters, given) => {
      subscribed = filters;
      handlers = given;
      handlers.connected();
    },
    subscribe: async () => {},
    publish: (topic) => published.push(topic.slice(TOPICS.length)),
    close: async () => {
      rig.closed++;
    },
  };
  const options = { model, transport, thing: "t", streamId: "s", clock, log: silentLog, signal: abort.signal };
  const rig: Rig = {
    result: runClientModel(options),
    handlers: handlers as unknown as DeviceHandlers,
    subscribed,
    published,
    clock,
    abort,
    closed: 0,
    sendBlock(blockId) {
      const blockSizeBytes = 4096;
      const frame = new DataFrame({ format: "cbor", fileId: 0 });
      const block = original.subarray(blockId * blockSizeBytes, (blockId + 1) * blockSizeBytes);
      this.handlers.messageArrived(`${TOPICS}/data/cbor`, Buffer.from(frame.encode(blockId, block)));
    },
  };
  return rig;
}

describe("the shell of the client models", () => {
  it("subscribes to data only when the files are known, and puts blocks together in any order", async () => {
    const rig = start(createOtaAgentClient({ files: [{ ...FILE, crc32: crc32(original) }] }));
    expect(rig.subscribed).toEqual([`${TOPICS}/data/cbor`]);
    for (const blockId of [2, 0, 2, 1]) rig.sendBlock(blockId);
    const { files, counts } = await rig.result;
    expect(Buffer.compare(files.get(0) ?? new Uint8Array(0), original)).toBe(0);
    expect(counts).toEqual({ requests: 3, timeouts: 0, blocks: 3, duplicates: 1, foreign: 0 });
    expect(rig.published).toEqual(Array(3).fill("/get/cbor"));
    expect(rig.closed).toBe(1);
    rig.sendBlock(0);
    rig.clock.advance(1e9);
    expect(rig.published).toHaveLength(3);
  });

  it("describes first when they are not", async () => {
    const rig = start(createOtaAgentClient({ blocksPerRequest: 3 }));
    expect(rig.subscribed).toEqual(
      ["description", "data", "rejected"].map((operation) => `${TOPICS}/${operation}/cbor`),
    );
    const description = encodeDescription("cbor", { streamVersion: 4, files: [FILE] });
    rig.handlers.messageArrived(`${TOPICS}/description/cbor`, description);
    for (const blockId of [0, 1, 2]) rig.sendBlock(blockId);
    expect((await rig.result).files.size).toBe(1);
    expect(rig.published).toEqual(["/describe/cbor", "/get/cbor"]);
  });

  it("asks again when nothing came for the whole timeout since the last new block", async () => {
    const rig = start(createOtaAgentClient({ files: [FILE], blocksPerRequest: 3, timeoutMs: 1000 }));
    rig.clock.advance(900);
    rig.sendBlock(0);
    rig.clock.advance(999);
    expect(rig.published).toHaveLength(1);
    rig.clock.advance(1);
    expect(rig.published).toHaveLength(2);
    for (const blockId of [1, 2]) rig.sendBlock(blockId);
    expect((await rig.result).counts).toMatchObject({ requests: 2, timeouts: 1 });
  });

  it("passes over what it cannot read and what it did not ask for", async () => {
    const rig = start(createOtaAgentClient({ files: [FILE], blocksPerRequest: 3 }));
    rig.handlers.messageArrived(`${TOPICS}/data/cbor`, Buffer.from("ff", "hex"));
    rig.handlers.messageArrived(`${TOPICS}/data/json`, Buffer.from("{}"));
    rig.handlers.disconnected("gone");
    rig.handlers.connected();
    for (const blockId of [0, 1, 2]) rig.sendBlock(blockId);
    expect((await rig.result).counts).toMatchObject({ requests: 2, blocks: 3, foreign: 0 });
  });

  it("refuses a file that is not the original", async () => {
    const rig = start(createOtaAgentClient({ files: [{ ...FILE, crc32: 1 }], blocksPerRequest: 3 }));
    for (const blockId of [0, 1, 2]) rig.sendBlock(blockId);
    await expect(rig.result).rejects.toMatchObject({
      code: "DigestMismatch",
      message: expect.stringContaining("expected 00000001"),
    });
    expect(rig.closed).toBe(1);
  });

  it("ends with what the publisher says", async () => {
    const rig = start(createOtaAgentClient());
    const rejection = encodeRejected("cbor", { code: "ResourceNotFound", message: "stream s does not exist" });
    rig.handlers.messageArrived(`${TOPICS}/rejected/cbor`, rejection);
    await expect(rig.result).rejects.toMatchObject({
      code: "StreamNotFound",
      message: "stream s: the publisher rejected DescribeStream with ResourceNotFound: stream s does not exist",
    });
  });

  it("ends when it is told to, and with what the transport rejects with", async () => {
    const rig = start(createOtaAgentClient());
    rig.abort.abort();
    await expect(rig.result).rejects.toMatchObject({ code: "Interrupted" });
    const refused = new OtaError("SubscriptionRefused", "no");
    const transport: DeviceTransport = {
      connect: () => Promise.reject(refused),
      subscribe: async () => {},
      publish: () => {},
      close: async () => {},
    };
    const options = { transport, thing: "t", streamId: "s", clock: rig.clock, log: silentLog };
    await expect(runClientModel({ ...options, model: createOtaAgentClient() })).rejects.toBe(refused);
  });
});
