/** The client models as cores, against the publisher's rules and a network that loses, repeats and delays. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
  ClientModel,
  ClientModelCommand,
  ClientModelOptions,
} from "../../device/fleet/client-models/client-model.ts";
import { createFileStreamsClient } from "../../device/fleet/client-models/file-streams-client.ts";
import { createOtaAgentClient } from "../../device/fleet/client-models/ota-agent-client.ts";
import { createSlidingBitmapClient } from "../../device/fleet/client-models/sliding-bitmap-client.ts";
import { createBitmapOnlyClient, createOffsetOnlyClient } from "../../device/fleet/client-models/uncounted-clients.ts";
import { planGet } from "../../publisher/protocol/response-planner.ts";
import type { StreamRecord } from "../../publisher/protocol/stream.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import { decodeGet } from "../../shared/protocol/decode.ts";

type Options = ClientModelOptions & { readonly log2BlockSizeBytes: number };

interface ModelCase {
  readonly name: string;
  readonly make: (options: Options) => ClientModel;
}

const MODELS: readonly ModelCase[] = [
  { name: "the OTA agent, one block a request", make: createOtaAgentClient },
  {
    name: "the OTA agent, 32 blocks a request",
    make: (options) => createOtaAgentClient({ ...options, blocksPerRequest: 32 }),
  },
  {
    name: "the file-streams library in CBOR",
    make: (options) => createFileStreamsClient({ ...sized(options), format: "cbor" }),
  },
  {
    name: "the file-streams library in JSON",
    make: (options) => createFileStreamsClient({ ...sized(options), format: "json" }),
  },
  { name: "the sliding bitmap", make: (options) => createSlidingBitmapClient(sized(options)) },
  { name: "the bitmap without n", make: (options) => createBitmapOnlyClient(sized(options)) },
  { name: "the offset alone", make: (options) => createOffsetOnlyClient(sized(options)) },
];
const TIMEOUT_MS = 1000;
const ARRIVAL = { fileId: 1, blockId: 0, sizeBytes: 4096 };

function sized<T extends Options>(options: T): T & { readonly blockSizeBytes: number } {
  return { ...options, blockSizeBytes: 2 ** options.log2BlockSizeBytes };
}

/** What the network does to one block: it arrives so many times, and so many others overtake it. */
interface Fate {
  readonly copies: number;
  readonly overtakenBy: number;
}

interface Arrival {
  readonly fileId: number;
  readonly blockId: number;
  readonly sizeBytes: number;
}

/** A publisher's rules and a network, with time that jumps from timer to timer. */
class Exchange {
  readonly model: ClientModel;
  readonly kept = new Set<string>();
  readonly finished: number[] = [];
  ending: ClientModelCommand["do"] | undefined;
  nowMs = 0;
  private readonly sizes: readonly number[];
  private readonly fates: Iterator<Fate>;
  private readonly underway: Arrival[] = [];

  constructor(model: ClientModel, sizes: readonly number[], fates: readonly Fate[] = []) {
    this.model = model;
    this.sizes = sizes;
    this.fates = fates.values();
  }

  /** Goes on until the model ends. */
  run(): this {
    this.perform(this.model.handle({ on: "connected" }, this.nowMs));
    while (this.ending === undefined) this.step();
    return this;
  }

  /** Hands over one block, or lets the timer fire when none is under way. */
  step(): void {
    const block = this.underway.shift();
    if (block !== undefined) {
      this.perform(this.model.handle({ on: "blockArrived", ...block }, this.nowMs), block);
      return;
    }
    if (this.model.deadlineMs === undefined) throw new Error("neither a block nor a timer is waited for");
    this.nowMs = this.model.deadlineMs;
    this.perform(this.model.handle({ on: "timeout" }, this.nowMs));
  }

  private perform(commands: readonly ClientModelCommand[], block?: Arrival): void {
    for (const command of commands) {
      if (command.do === "publishGet") this.answer(command.payload);
      if (command.do === "keepBlock") this.keep(command.offsetBytes, block as Arrival);
      if (command.do === "finishFile") this.finished.push(command.file.fileId);
      if (command.do === "finish" || command.do === "fail") this.ending = command.do;
    }
  }

  private keep(offsetBytes: number, { fileId, blockId }: Arrival): void {
    const name = `${fileId}/${offsetBytes}`;
    expect(this.kept.has(name), `block ${blockId} kept twice`).toBe(false);
    this.kept.add(name);
  }

  /** Answers a request as the publisher would; the blocks are under way then. */
  answer(payload: Uint8Array): void {
    const decoded = decodeGet(this.model.format, payload, "strict");
    if (!decoded.ok) throw new Error(decoded.rejection.message);
    const { request } = decoded.value;
    const plan = planGet(request, streamOf(this.sizes), "lenient");
    if (!plan.ok) throw new Error(plan.rejection.message);
    for (const blockId of plan.value.blockIds) {
      const { fileId, blockSizeBytes } = request;
      const sizeBytes = blockLength(blockId, plan.value.file.sizeBytes, blockSizeBytes);
      const { copies, overtakenBy } = this.fates.next().value ?? { copies: 1, overtakenBy: 0 };
      const at = Math.max(0, this.underway.length - overtakenBy);
      for (let copy = 0; copy < copies; copy++) this.underway.splice(at, 0, { fileId, blockId, sizeBytes });
    }
  }
}

/** A stream of version 1 with files of these sizes; the file id is the index. */
function streamOf(sizes: readonly number[]): StreamRecord {
  const files = sizes.map((sizeBytes, fileId) => ({ fileId, sizeBytes }));
  return { streamId: "s", streamVersion: 1, files } as unknown as StreamRecord;
}

function filesOf(sizes: readonly number[]): ClientModelOptions["files"] {
  return sizes.map((sizeBytes, fileId) => ({ fileId, sizeBytes }));
}

function requestCount(commands: readonly ClientModelCommand[]): number {
  return commands.filter((command) => command.do === "publishGet").length;
}

describe.each(MODELS)("$name", ({ make }) => {
  const start = (sizes: readonly number[], options: ClientModelOptions = {}, log2BlockSizeBytes = 12): ClientModel =>
    make({ files: filesOf(sizes) ?? [], timeoutMs: TIMEOUT_MS, log2BlockSizeBytes, ...options });

  it("fetches every file, asks nothing more, and waits for nothing", () => {
    const sizes = [1, 131_073, 0, 300_001];
    const { model, finished, kept } = new Exchange(start(sizes), sizes).run();
    expect(finished).toEqual([0, 1, 2, 3]);
    expect(kept.size).toBe(1 + 33 + 74);
    expect(model.counts).toMatchObject({ timeouts: 0, duplicates: 0, foreign: 0, blocks: 108 });
    expect(model.deadlineMs).toBeUndefined();
    const late = [
      { on: "blockArrived", fileId: 3, blockId: 0, sizeBytes: 4096 },
      { on: "timeout" },
      { on: "connected" },
      { on: "described", description: { streamVersion: 9, files: [{ fileId: 4, sizeBytes: 1 }] } },
    ] as const;
    for (const input of late) expect(model.handle(input, 1e6)).toEqual([]);
  });

  it("is not disturbed by a duplicate, a block of another file, or one that cannot be", () => {
    const model = start([1, 300_001]);
    model.handle({ on: "connected" }, 0);
    model.handle({ on: "blockArrived", fileId: 0, blockId: 0, sizeBytes: 1 }, 0);
    model.handle({ on: "blockArrived", ...ARRIVAL }, 5);
    const { deadlineMs, counts } = model;
    const { requests } = counts;
    const disturbing = [
      ARRIVAL,
      { ...ARRIVAL, fileId: 0, sizeBytes: 1 },
      { ...ARRIVAL, fileId: 200 },
      { ...ARRIVAL, blockId: 74 },
      { ...ARRIVAL, blockId: 2 ** 53 - 1 },
      { ...ARRIVAL, blockId: 1, sizeBytes: 4095 },
      { ...ARRIVAL, blockId: 73 },
      { ...ARRIVAL, blockId: 1, sizeBytes: 0 },
    ];
    for (const block of disturbing) expect(model.handle({ on: "blockArrived", ...block }, 900)).toEqual([]);
    expect(model.counts).toEqual({ requests, timeouts: 0, blocks: 2, duplicates: 1, foreign: 7 });
    expect(model.deadlineMs).toBe(deadlineMs);
    expect(model.handle({ on: "blockArrived", ...ARRIVAL, blockId: 1 }, 901)).toContainEqual({
      do: "keepBlock",
      offsetBytes: 4096,
    });
  });

  it("asks once more for each lost answer, when the timer fires", () => {
    const sizes = [300_001];
    const model = start(sizes);
    const commands = model.handle({ on: "connected" }, 0);
    expect(requestCount(commands)).toBe(1);
    expect(model.deadlineMs).toBe(TIMEOUT_MS);
    expect(model.handle({ on: "timeout" }, TIMEOUT_MS)).toEqual(commands.slice(1));
    expect(model.deadlineMs).toBe(2 * TIMEOUT_MS);
  });

  it("takes an answer that was late and not lost twice at most", () => {
    const sizes = [300_001];
    const exchange = new Exchange(start(sizes), sizes);
    const first = exchange.model.handle({ on: "connected" }, 0);
    const again = exchange.model.handle({ on: "timeout" }, TIMEOUT_MS);
    for (const command of [...first, ...again]) {
      if (command.do === "publishGet") exchange.answer(command.payload);
    }
    while (exchange.ending === undefined) exchange.step();
    const { counts } = exchange.model;
    expect(exchange.ending).toBe("finish");
    expect(counts.duplicates).toBeLessThanOrEqual(32);
    expect(counts).toMatchObject({ blocks: 74, timeouts: 1, foreign: 0 });
  });

  it("gives up after so many rounds in vain, and not before", () => {
    const model = start([300_001], { maxSilentRounds: 3 });
    model.handle({ on: "connected" }, 0);
    for (let round = 1; round <= 3; round++)
      expect(requestCount(model.handle({ on: "timeout" }, round * 1000))).toBe(1);
    expect(model.handle({ on: "timeout" }, 4000)).toEqual([
      { do: "fail", code: "NoProgress", message: "no new block after 3 more requests, 1000 ms apart" },
    ]);
    expect(model.deadlineMs).toBeUndefined();
    expect(model.handle({ on: "timeout" }, 5000)).toEqual([]);
  });

  it("finishes over any network that loses, repeats and reorders for a while, and each request has its reason", () => {
    const fate = fc.record({ copies: fc.integer({ min: 0, max: 3 }), overtakenBy: fc.integer({ min: 0, max: 40 }) });
    const sizes = fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 3 });
    const log2BlockSize = fc.constantFrom(9, 12, 15, 17);
    fc.assert(
      fc.property(sizes, log2BlockSize, fc.array(fate, { maxLength: 60 }), (fileSizes, log2BlockSizeBytes, fates) => {
        // Each of 60 blocks may be lost on its own, so that 32 rounds in vain could come together.
        const model = start(fileSizes, { maxSilentRounds: 61 }, log2BlockSizeBytes);
        const { ending, kept } = new Exchange(model, fileSizes, fates).run();
        const blockCount = fileSizes.reduce((sum, bytes) => sum + Math.ceil(bytes / 2 ** log2BlockSizeBytes), 0);
        expect(ending).toBe("finish");
        expect(kept.size).toBe(blockCount);
        expect(model.counts.requests).toBeLessThanOrEqual(fileSizes.length + blockCount + model.counts.timeouts);
        expect(model.counts.timeouts).toBeLessThanOrEqual(fates.filter(({ copies }) => copies === 0).length);
      }),
      { numRuns: 60 },
    );
  });
});

describe("an OTA agent whose n is more than one answer holds", () => {
  it("goes on by its timer, as it counts on n blocks", () => {
    const sizes = [300_001];
    const model = createOtaAgentClient({ files: filesOf(sizes) ?? [], timeoutMs: TIMEOUT_MS, blocksPerRequest: 128 });
    const exchange = new Exchange(model, sizes).run();
    // 74 blocks: 32, 32 and 10.
    expect(model.counts).toMatchObject({ requests: 3, timeouts: 2, blocks: 74, duplicates: 0 });
    expect(exchange.nowMs).toBe(2 * TIMEOUT_MS);
  });
});

describe("a model that is not told the files", () => {
  it("describes the stream until it is answered, then fetches what it is told", () => {
    const model = createOtaAgentClient({ timeoutMs: TIMEOUT_MS });
    const describing = [{ do: "publishDescribe", payload: expect.anything() }];
    expect(model.subscriptions).toEqual(["description", "data", "rejected"]);
    expect(model.handle({ on: "connected" }, 0)).toEqual(describing);
    expect(model.handle({ on: "blockArrived", ...ARRIVAL }, 1)).toEqual([]);
    expect(model.handle({ on: "timeout" }, TIMEOUT_MS)).toEqual(describing);
    const file = { fileId: 7, sizeBytes: 10, crc32: 1 };
    const described = { on: "described", description: { streamVersion: 0, files: [file] } } as const;
    const [open, ask] = model.handle(described, TIMEOUT_MS + 1);
    expect(open).toEqual({ do: "openFile", file });
    expect(ask?.do).toBe("publishGet");
    expect(model.handle(described, TIMEOUT_MS + 2)).toEqual([]);
  });

  it.each([
    ["StreamNotFound", "ResourceNotFound"],
    ["RequestRejected", "Unauthorized"],
  ] as const)("ends with %s when its describe is rejected with %s", (code, rejected) => {
    const model = createOtaAgentClient();
    model.handle({ on: "connected" }, 0);
    const rejection = { code: rejected, message: "why" };
    expect(model.handle({ on: "rejected", rejection }, 1)).toEqual([
      { do: "fail", code, message: `the publisher rejected DescribeStream with ${rejected}: why` },
    ]);
  });

  it("leaves an InternalError to its timer", () => {
    const model = createOtaAgentClient();
    model.handle({ on: "connected" }, 0);
    expect(model.handle({ on: "rejected", rejection: { code: "InternalError", message: "why" } }, 1)).toEqual([]);
    expect(model.deadlineMs).toBe(10_000);
  });
});
