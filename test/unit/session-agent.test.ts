/** The agent around a download session, with a transport and a disk that do as they are told, in virtual time. */
import { describe, expect, it } from "vitest";
import { type DownloadOptions, type DownloadResult, downloadStream } from "../../device/agent.ts";
import type { OpenFile } from "../../device/file-system.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import type { FileProgress } from "../../device/protocol/session-types.ts";
import { silentLog } from "../../shared/log.ts";
import { blockChecksums } from "../../shared/protocol/block-checksums.ts";
import { encodeCbor } from "../../shared/protocol/cbor.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";
import { encodeChecksums, encodeDescription } from "../../shared/protocol/encode.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { Description, GetRequest } from "../../shared/protocol/messages.ts";
import { formatTopic, type Operation, parseTopic } from "../../shared/protocol/topics.ts";
import { seededRandom } from "../../shared/random.ts";
import type { DeviceHandlers, DeviceTransport } from "../../shared/transport.ts";
import { makeImage } from "../support/image-fixture.ts";
import { PowerCutDisk } from "../support/power-cut-disk.ts";
import { blocksOf } from "../support/session-driver.ts";

const BLOCK_BYTES = 1024;
const BLOCKS = 640;
const { bytes: image } = makeImage({ sizeBytes: BLOCKS * BLOCK_BYTES });

/** A publisher and a network in one, that answer when the test says so. */
class ScriptedTransport implements DeviceTransport {
  readonly published: { readonly operation: Operation; readonly payload: Uint8Array }[] = [];
  readonly subscribed: Operation[] = [];
  /** What the next subscriptions fail with. */
  readonly refusals: Error[] = [];
  handlers: DeviceHandlers | undefined;
  isClosed = false;

  async connect(topicFilters: readonly string[], handlers: DeviceHandlers): Promise<void> {
    this.subscribed.push(...topicFilters.map(operationOf));
    this.handlers = handlers;
    handlers.connected();
  }

  async subscribe(topicFilter: string): Promise<void> {
    this.subscribed.push(operationOf(topicFilter));
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
  }

  publish(topic: string, payload: Uint8Array): void {
    this.published.push({ operation: operationOf(topic), payload });
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** Takes the requests of an operation that were not taken yet. */
  take(operation: Operation): GetRequest[] {
    const taken = this.published.filter((message) => message.operation === operation);
    for (const message of taken) this.published.splice(this.published.indexOf(message), 1);
    return taken.flatMap(({ payload }) => {
      const decoded = decodeGet("cbor", payload, "strict");
      return decoded.ok ? [decoded.value.request] : [];
    });
  }

  describe(description: Partial<Description> = {}): void {
    const files = [{ fileId: 0, sizeBytes: image.length }];
    this.deliver("description", encodeDescription("cbor", { streamVersion: 0, files, ...description }));
  }

  answer(request: GetRequest): void {
    for (const blockId of blocksOf(request)) {
      const p = Buffer.from(image.subarray(blockId * BLOCK_BYTES, (blockId + 1) * BLOCK_BYTES));
      this.deliver("data", encodeCbor({ c: request.clientToken, f: 0, i: blockId, l: p.length, p }));
    }
  }

  answerManifest({ clientToken = "", blockOffset = 0, blockCount = 0 }: GetRequest): void {
    const checksums = blockChecksums(image, BLOCK_BYTES, blockOffset, blockCount);
    const message = { clientToken, fileId: 0, blockSizeBytes: BLOCK_BYTES, blockOffset, checksums };
    this.deliver("checksums", encodeChecksums("cbor", message));
  }

  deliver(operation: Operation, payload: Uint8Array): void {
    this.handlers?.messageArrived(formatTopic("thing", "firmware", operation, "cbor"), payload);
  }
}

/** A disk whose syncs wait until they are let go. */
class SlowDisk extends PowerCutDisk {
  private readonly waiting: (() => void)[] = [];
  isSlow = false;

  override async openEmpty(path: string): Promise<OpenFile> {
    const file = await super.openEmpty(path);
    const syncData = file.syncData.bind(file);
    return Object.assign(Object.create(file), {
      write: file.write.bind(file),
      read: file.read.bind(file),
      close: file.close.bind(file),
      syncData: async () => {
        if (this.isSlow) await new Promise<void>((resolve) => this.waiting.push(resolve));
        await syncData();
      },
    });
  }

  letGo(): void {
    this.isSlow = false;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

function operationOf(topic: string): Operation {
  const parsed = parseTopic(topic);
  if (parsed?.kind !== "stream") throw new Error(`not a stream topic: ${topic}`);
  return parsed.operation;
}

/** A download under way, and everything around it. */
function startDownload(options: Partial<DownloadOptions> = {}) {
  const transport = new ScriptedTransport();
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const disk = new SlowDisk({ random });
  const progress: FileProgress[] = [];
  const done: { result?: DownloadResult; error?: unknown } = {};
  const parts = { transport, clock, random, fileSystem: disk, log: silentLog };
  const names = { thing: "thing", streamId: "firmware", directory: "/out", format: "cbor" } as const;
  const onProgress = (latest: FileProgress): void => {
    progress.push(latest);
  };
  downloadStream({ ...parts, ...names, blockSizeBytes: BLOCK_BYTES, onProgress, ...options }).then(
    (result) => {
      done.result = result;
    },
    (error: unknown) => {
      done.error = error;
    },
  );
  /** Lets everything happen that needs no time; and then, for a while, what needs time. */
  const settle = async (ms = 0): Promise<void> => {
    for (let turn = 0; turn < 30; turn++) await clock.runUntil(() => false, clock.monotonicMs());
    if (ms > 0) await clock.runUntil(() => false, clock.monotonicMs() + ms);
  };
  return { transport, disk, done, progress, settle };
}

/** Answers every request until nothing is asked any more. */
async function answerAll({ transport, settle }: ReturnType<typeof startDownload>): Promise<void> {
  for (let idleTurns = 0; idleTurns < 2; idleTurns++) {
    for (const request of transport.take("get")) {
      transport.answer(request);
      idleTurns = 0;
    }
    await settle();
  }
}

describe("the version of a result", () => {
  it("is the one that was downloaded, whatever descriptions come late", async () => {
    const world = startDownload();
    world.transport.describe({ streamVersion: 3 });
    await world.settle();
    world.transport.describe({ streamVersion: 2, clientToken: "late" });
    await answerAll(world);
    expect(world.done.result).toMatchObject({ streamVersion: 3, files: [{ fileId: 0, blocks: BLOCKS }] });
  });
});

describe("a slow disk", () => {
  it("is waited for: what arrived meanwhile is not asked for again, and nothing times out", async () => {
    const world = startDownload();
    world.disk.isSlow = true;
    world.transport.describe();
    await world.settle();
    await answerAll(world);
    const held = world.progress.at(-1)?.heldBlocks as number;
    // Two distances of durability, and then it waits.
    expect(held).toBe((2 * 131_072) / BLOCK_BYTES);
    await world.settle(10_000);
    expect(world.transport.take("get")).toEqual([]);
    expect(world.progress.at(-1)).toMatchObject({ heldBlocks: held, timeouts: 0 });
    world.disk.letGo();
    await answerAll(world);
    expect(world.done.result?.files[0]).toMatchObject({ blocks: BLOCKS, timeouts: 0, duplicates: 0 });
  });

  it("does not put off the timer for good", async () => {
    const world = startDownload();
    world.disk.isSlow = true;
    world.transport.describe();
    await world.settle();
    await answerAll(world);
    world.disk.letGo();
    await world.settle();
    expect(world.transport.take("get").length).toBeGreaterThan(0);
    await world.settle(5000);
    expect(world.transport.take("get").length).toBeGreaterThan(0);
  });
});

describe("a subscription to the manifest", () => {
  const MANIFEST = { streamVersion: 0, hasManifest: true } as const;

  it("that the broker refuses is done without", async () => {
    const world = startDownload({ basePath: "/base" });
    world.disk.put("/base", image);
    world.transport.refusals.push(new OtaError("SubscriptionRefused", "refused"));
    world.transport.describe(MANIFEST);
    await world.settle();
    expect(world.transport.take("manifest")).toEqual([]);
    await answerAll(world);
    expect(world.done.result?.files[0]).toMatchObject({ baseBlocks: 0, blocks: BLOCKS });
  });

  it("that fails with the connection is made again, and the base is still of use", async () => {
    const world = startDownload({ basePath: "/base" });
    world.disk.put("/base", image);
    world.transport.refusals.push(new OtaError("ConnectionLost", "no subscription"));
    world.transport.describe(MANIFEST);
    await world.settle();
    expect(world.transport.take("get")).toEqual([]);
    await world.settle(5000);
    expect(world.transport.subscribed.filter((operation) => operation === "checksums")).toHaveLength(2);
    for (const request of world.transport.take("manifest")) world.transport.answerManifest(request);
    await world.settle();
    expect(world.done.result?.files[0]).toMatchObject({ baseBlocks: BLOCKS, requests: 0 });
  });
});

describe("a disk that fails", () => {
  it("when the download is interrupted is told of, and the connection is closed all the same", async () => {
    const interruption = new AbortController();
    const world = startDownload({ signal: interruption.signal });
    world.transport.describe();
    await world.settle();
    for (const request of world.transport.take("get").slice(0, 1)) world.transport.answer(request);
    await world.settle();
    world.disk.killProcess();
    interruption.abort();
    await world.settle();
    expect(world.done.error).toMatchObject({ code: "OutputNotWritable" });
    expect(world.transport.isClosed).toBe(true);
  });
});
