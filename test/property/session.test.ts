/** A download session under any interleaving of what a network, a publisher, a disk and an attacker can do. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { createBitmap, setBit } from "../../shared/protocol/bitmap.ts";
import { blockLength } from "../../shared/protocol/blocks.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import { REJECTION_CODES } from "../../shared/protocol/rejection.ts";
import { blocksOf, type SessionDriver } from "../support/session-driver.ts";
import { ModelledSession } from "../support/session-model.ts";

const FAILURE = { code: "DigestMismatch", message: "wrong" } as const;

const worlds = fc.record({
  blockSizeBytes: fc.constantFrom(256, 1024, 65_537, 131_072),
  blocks: fc.integer({ min: 1, max: 40 }),
  shortBytes: fc.nat({ max: 255 }),
  files: fc.integer({ min: 1, max: 2 }),
  hasManifest: fc.boolean(),
  hasBase: fc.boolean(),
  bufferBlocks: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
  maxFruitlessRounds: fc.constantFrom(1, 3, 8),
  maxRestarts: fc.nat({ max: 2 }),
});

const hostileNumbers = fc.oneof(fc.nat({ max: 60 }), fc.constantFrom(-1, 0.5, 2 ** 31, 2 ** 53, Number.NaN));
const tokens = fc.oneof(fc.nat({ max: 300 }), fc.constantFrom("none" as const, "strange" as const));

const bits = fc.bigInt({ min: 0n, max: 2n ** 40n });

/** What can happen; numbers choose among what there is at that moment. */
const actions = fc.oneof(
  { weight: 2, arbitrary: fc.record({ act: fc.constant("connect" as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("disconnect" as const) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("timeOut" as const) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 5000 }) }) },
  { weight: 8, arbitrary: fc.record({ act: fc.constant("describe" as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constant("work" as const),
      success: fc.boolean(),
      bits: bits,
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      act: fc.constant("answer" as const),
      request: fc.nat({ max: 3 }),
      lost: bits,
      atOnce: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant("block" as const),
      blockId: hostileNumbers,
      sizeBytes: hostileNumbers,
      fits: fc.boolean(),
      token: tokens,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("reject" as const),
      code: fc.constantFrom(...REJECTION_CODES, "InternalError" as const, "VersionMismatch" as const),
      token: tokens,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant("checksums" as const),
      most: fc.integer({ min: 1, max: 50 }),
      shift: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("bump" as const), blocks: fc.nat({ max: 40 }) }) },
);

type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;
type Action = typeof actions extends fc.Arbitrary<infer T> ? T : never;

function openWorld({ blocks, shortBytes, files, bufferBlocks, ...options }: World): ModelledSession {
  const sizeBytes = blocks * options.blockSizeBytes - shortBytes;
  return new ModelledSession({
    ...options,
    ...(bufferBlocks !== undefined && { bufferBlocks }),
    files: Array.from({ length: files }, (_, fileId) => ({ fileId, sizeBytes })),
  });
}

function tokenOf({ driver }: ModelledSession, token: number | "none" | "strange"): { clientToken?: string } {
  if (token === "none") return {};
  if (token === "strange") return { clientToken: "strange" };
  const used = driver.commands.flatMap((command) => ("request" in command ? [command.request.clientToken ?? ""] : []));
  return used.length === 0 ? {} : { clientToken: used[token % used.length] as string };
}

function bitmapFrom(bits: bigint, blockCount: number): Uint8Array {
  const bitmap = createBitmap(blockCount);
  for (let blockId = 0; blockId < blockCount; blockId++) if ((bits >> BigInt(blockId)) & 1n) setBit(bitmap, blockId);
  return bitmap;
}

/** Lets time pass, but not up to a timeout: the shell hands that over before anything that comes later. */
function pass(driver: SessionDriver, ms: number): void {
  driver.nowMs = Math.min(driver.nowMs + ms, (driver.session.deadlineMs ?? Number.POSITIVE_INFINITY) - 1);
}

function deliver(model: ModelledSession, request: GetRequest, isLost: (index: number) => boolean): void {
  const { driver } = model;
  const { fileId, sizeBytes } = driver.file;
  for (const [index, blockId] of blocksOf(request).entries()) {
    if (isLost(index)) continue;
    pass(driver, 1);
    model.feed({
      on: "blockArrived",
      fileId,
      blockId,
      sizeBytes: blockLength(blockId, sizeBytes, driver.blockSizeBytes),
      ...(request.clientToken !== undefined && { clientToken: request.clientToken }),
    });
  }
}

/** As `deliver`, but what comes without a gap comes at once. */
function deliverAtOnce(model: ModelledSession, request: GetRequest, isLost: (index: number) => boolean): void {
  const { driver } = model;
  const { fileId, sizeBytes } = driver.file;
  let run: { fileId: number; blockId: number; blockCount: number; sizeBytes: number } | undefined;
  const hand = (): void => {
    pass(driver, 1);
    const { clientToken } = request;
    if (run !== undefined) model.feedRun({ ...run, ...(clientToken !== undefined && { clientToken }) });
    run = undefined;
  };
  for (const [index, blockId] of blocksOf(request).entries()) {
    const length = blockLength(blockId, sizeBytes, driver.blockSizeBytes);
    if (run !== undefined && (blockId !== run.blockId + run.blockCount || length !== run.sizeBytes)) hand();
    if (isLost(index)) continue;
    if (run !== undefined) run.blockCount++;
    else run = { fileId, blockId, blockCount: 1, sizeBytes: length };
  }
  hand();
}

/** Answers the work that the shell was given. */
function doWork(model: ModelledSession, success: boolean, bits: bigint): void {
  const { pending, blockCount } = model;
  if (pending === undefined) return;
  const { fileId } = model.driver.file;
  const held = bitmapFrom(bits, blockCount);
  if (pending.do === "openFile") model.feed({ on: "fileOpened", fileId, held, complete: false });
  else if (pending.do === "matchBlocks") model.feed({ on: "matched", fileId, held });
  else if (success) model.feed({ on: "verified", fileId });
  else
    model.feed({
      on: "mismatched",
      fileId,
      failure: FAILURE,
      held: bits % 2n === 0n ? held : bitmapFrom(-1n, blockCount),
    });
}

function giveChecksums(model: ModelledSession, most: number, shift: number): void {
  if (!model.driver.kinds().includes("publishManifest")) return;
  const { clientToken = "", fileId, blockSizeBytes, blockOffset = 0, blockCount = 0 } = model.driver.manifestRequest;
  const checksums = new Uint32Array(Math.min(most, blockCount) + shift);
  const message = { clientToken, fileId, blockSizeBytes, blockOffset: blockOffset + shift, checksums };
  model.feed({ on: "checksumsArrived", message });
}

const performers: {
  readonly [A in Action["act"]]: (model: ModelledSession, action: Extract<Action, { act: A }>) => void;
} = {
  connect: (model) => model.feed({ on: "connected" }),
  disconnect: (model) => model.feed({ on: "disconnected" }),
  timeOut(model) {
    const { deadlineMs } = model.driver.session;
    if (deadlineMs === undefined) return;
    model.driver.nowMs = deadlineMs;
    model.feed({ on: "timeout" });
  },
  pass({ driver }, { ms }) {
    pass(driver, ms);
  },
  describe(model) {
    const { driver } = model;
    if (!driver.kinds().includes("publishDescribe")) return;
    const { clientToken = "" } = driver.last("publishDescribe").request;
    model.feed({ on: "described", description: { clientToken, ...driver.stream } });
  },
  work: (model, { success, bits: held }) => doWork(model, success, held),
  answer(model, { request: ago, lost, atOnce }) {
    const request = model.driver.gets.at(-1 - ago);
    if (request === undefined) return;
    (atOnce ? deliverAtOnce : deliver)(model, request, (index) => ((lost >> BigInt(index % 40)) & 1n) === 1n);
  },
  block(model, { blockId, fits, sizeBytes, token }) {
    const { blockSizeBytes, file } = model.driver;
    const fitting = blockLength(blockId, file.sizeBytes, blockSizeBytes);
    const block = { fileId: file.fileId, blockId, sizeBytes: fits ? fitting : sizeBytes };
    model.feed({ on: "blockArrived", ...block, ...tokenOf(model, token) });
  },
  reject(model, { code, token }) {
    model.feed({ on: "rejected", rejection: { code, message: "no", ...tokenOf(model, token) } });
  },
  checksums: (model, { most, shift }) => giveChecksums(model, most, shift),
  bump({ driver }, { blocks }) {
    const { streamVersion, files } = driver.stream;
    const sizeBytes = blocks * driver.blockSizeBytes;
    driver.stream = {
      ...driver.stream,
      streamVersion: streamVersion + 1,
      files: files.map((file) => ({ ...file, sizeBytes })),
    };
  },
};

function perform(model: ModelledSession, action: Action): void {
  performers[action.act](model, action as never);
}

/** From here on everything works: the connection is there, and whatever is asked is answered. */
function workAsItShould(model: ModelledSession, atOnce: boolean): void {
  const { driver } = model;
  const everything = (1n << BigInt(model.blockCount + 40)) - 1n;
  model.feed({ on: "disconnected" });
  driver.nowMs += 100;
  let next = driver.commands.length;
  model.feed({ on: "connected" });
  for (let turn = 0; turn < 2000 && !model.ended; turn++) {
    if (model.pending !== undefined) {
      doWork(model, true, model.pending.do === "openFile" ? 0n : everything);
      continue;
    }
    const command = driver.commands[next];
    if (command === undefined) perform(model, { act: "timeOut" });
    else next++;
    if (command?.do === "publishDescribe") perform(model, { act: "describe" });
    else if (command?.do === "publishManifest") giveChecksums(model, 1000, 0);
    else if (command?.do === "publishGet") (atOnce ? deliverAtOnce : deliver)(model, command.request, () => false);
  }
}

it("keeps to its rules whatever comes in, and finishes once everything works, unless it failed before", () => {
  const ends = new Map<string, number>();
  let runsTaken = 0;
  fc.assert(
    fc.property(worlds, fc.array(actions, { maxLength: 80 }), fc.boolean(), (world, sequence, atOnce) => {
      const model = openWorld(world);
      model.feed({ on: "connected" });
      for (const action of sequence) perform(model, action);
      const wasEnded = model.ended;
      workAsItShould(model, atOnce);
      runsTaken += model.runsTaken;
      const end = model.driver.kinds().at(-1) as string;
      if (!wasEnded && end !== "finish") expect(model.driver.failure?.code).toBe("ConnectionLost");
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }),
    { numRuns: 1500 },
  );
  // Of the runs, a fair share gets to each end, or the actions are not worth much.
  expect(ends.get("finish")).toBeGreaterThan(300);
  expect(ends.get("fail")).toBeGreaterThan(50);
  expect(runsTaken).toBeGreaterThan(300);
});
