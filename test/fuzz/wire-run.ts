/** Fuzzes a server over the wire: a device of its own for each request, so that there is no doubt whose answer came. */
import { systemClock } from "../../shared/clock.ts";
import { seededRandom } from "../../shared/random.ts";
import { type Answer, AskingDevice } from "../support/asking-device.ts";
import type { FuzzOptions, FuzzResult } from "./direct-run.ts";
import { Draw } from "./draw.ts";
import type { FuzzStream } from "./fuzz-streams.ts";
import { generateRequest } from "./generate-request.ts";
import type { FuzzRequest, Verdict } from "./judge-answer.ts";

/** What a run over the wire is given. */
export interface WireOptions extends FuzzOptions {
  readonly brokerUrl: string;
  readonly streamId: string;
}

const BATCH = 16;
/** How long a request may stay without its answer. */
const PATIENCE_MS = 10_000;

/**
 * Runs until all requests were made or one was answered wrongly. The sizes and the version of the stream are what its
 * description says; that the bytes of blocks are right is not looked at here.
 */
export async function fuzzOverWire(options: WireOptions): Promise<FuzzResult> {
  const { brokerUrl, streamId, profile, requests, seed } = options;
  const draw = new Draw(seededRandom(seed));
  const { stream, hasManifest } = await describe(brokerUrl, streamId);
  const target = { streams: new Map([[streamId, stream]]), profile, hasManifest, hasWrongTopics: false };
  const outcomes = new Map<string, number>();
  for (let done = 0; done < requests; done += BATCH) {
    const count = Math.min(BATCH, requests - done);
    const batch = Array.from({ length: count }, (_, slot) => generateRequest(draw, `fuzz-${done + slot}`, target));
    const verdicts = await Promise.all(batch.map((request, slot) => ask(brokerUrl, `fuzz-${done + slot}`, request)));
    for (const [slot, { outcome, violation }] of verdicts.entries()) {
      const request = batch[slot] as FuzzRequest;
      if (violation !== undefined) return { outcomes, violation: { index: done + slot, request, what: violation } };
      const name = `${request.origin}: ${outcome}`;
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    }
    await options.onProgress(done + count);
  }
  return { outcomes };
}

async function describe(brokerUrl: string, streamId: string): Promise<{ stream: FuzzStream; hasManifest: boolean }> {
  const device = await AskingDevice.connect(brokerUrl);
  try {
    const answer = await inTime(device, device.ask(streamId, {}, { operation: "describe" }));
    if (answer?.kind !== "description") throw new Error(`stream ${streamId} is not described: ${answer?.kind}`);
    const { streamVersion, files, hasManifest = false } = answer.description;
    const known = files.map(({ fileId, sizeBytes }) => [fileId, { bytes: new Uint8Array(sizeBytes) }] as const);
    return { stream: { streamVersion, files: new Map(known) }, hasManifest };
  } finally {
    device.close();
  }
}

async function ask(brokerUrl: string, thing: string, request: FuzzRequest): Promise<Verdict> {
  const device = await AskingDevice.connect(brokerUrl, thing);
  try {
    device.sendTo(request.topic, request.payload);
    return await judge(device, request);
  } catch (error) {
    return { outcome: "failure", violation: (error as Error).message };
  } finally {
    device.close();
  }
}

async function judge(device: AskingDevice, { expected }: FuzzRequest): Promise<Verdict> {
  const first = await inTime(device, device.next());
  if (first === undefined) return { outcome: "silence", violation: `no answer came within ${PATIENCE_MS} ms` };
  if (first.kind === "rejected") {
    const { code, clientToken } = first.rejection;
    const isRight = expected === undefined || (expected.kind === "rejected" && expected.code === code);
    if (!isRight) return { outcome: code, violation: `${code} came instead of ${nameOf(expected)}` };
    const isEchoRight = expected === undefined || expected.token === clientToken;
    return isEchoRight ? { outcome: code } : { outcome: code, violation: `the token ${clientToken} came back` };
  }
  if (expected === undefined || first.kind !== "data") return { outcome: first.kind };
  if (expected.kind === "rejected") return { outcome: "data", violation: `data came instead of ${expected.code}` };
  const blockIds = [first.data.blockId];
  while (blockIds.length < expected.blockIds.length) {
    const next: Answer | undefined = await inTime(device, device.next());
    if (next?.kind !== "data")
      return { outcome: "data", violation: `${next?.kind} came after ${blockIds.length} blocks` };
    blockIds.push(next.data.blockId);
  }
  await device.ping();
  const isRight = device.untaken === 0 && blockIds.every((blockId, index) => blockId === expected.blockIds[index]);
  return isRight ? { outcome: "data" } : { outcome: "data", violation: `other blocks than ${expected.blockIds}` };
}

function nameOf(expected: FuzzRequest["expected"]): string {
  return expected?.kind === "rejected" ? expected.code : "blocks";
}

/** What comes within the patience, or undefined; then the device is closed. */
async function inTime(device: AskingDevice, coming: Promise<Answer>): Promise<Answer | undefined> {
  let isLate = false;
  const timer = systemClock.setTimer(PATIENCE_MS, () => {
    isLate = true;
    device.close();
  });
  try {
    return await coming;
  } catch (error) {
    if (isLate) return undefined;
    throw error;
  } finally {
    timer.cancel();
  }
}
