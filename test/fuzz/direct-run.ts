/** Fuzzes the publisher in this process: requests in batches, each from a thing of its own, judged once all has settled. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { RequestProfile } from "../../shared/protocol/decode.ts";
import { seededRandom } from "../../shared/random.ts";
import { Draw } from "./draw.ts";
import { type FuzzPublisher, startFuzzPublisher } from "./fuzz-publisher.ts";
import { FUZZ_STREAMS } from "./fuzz-streams.ts";
import { generateRequest } from "./generate-request.ts";
import { type FuzzRequest, judgeAnswer } from "./judge-answer.ts";

/** What a run is given. */
export interface FuzzOptions {
  readonly requests: number;
  readonly seed: number;
  readonly profile: RequestProfile;
  /** Called after each batch. */
  readonly onProgress: (done: number) => Promise<void> | void;
}

/** Something that must not be. */
export interface Violation {
  /** From 0. */
  readonly index: number;
  readonly request: FuzzRequest;
  readonly what: string;
}

/** What a run found. */
export interface FuzzResult {
  /** How many requests came to what, by origin and outcome: "noise: InvalidCbor". */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly violation?: Violation;
}

const BATCH = 60;
/** Turns of the event loop within which every promise that can settle has. */
const MOST_TURNS = 2000;

/** Runs until all requests were made or one was answered wrongly. */
export async function fuzzDirectly(options: FuzzOptions): Promise<FuzzResult> {
  const { profile } = options;
  const draw = new Draw(seededRandom(options.seed));
  const publisher = await startFuzzPublisher(profile);
  const target = { streams: FUZZ_STREAMS, profile, hasManifest: profile !== "strict", hasWrongTopics: true };
  const outcomes = new Map<string, number>();
  for (let done = 0; done < options.requests; done += BATCH) {
    publisher.transport.mostBlocks = draw.one([1, 7, 64, Number.POSITIVE_INFINITY]);
    publisher.clock.advance(draw.one([0, 1, 100, 1001]));
    const count = Math.min(BATCH, options.requests - done);
    const requests = Array.from({ length: count }, (_, slot) => {
      return generateRequest(draw, thingOf(slot), target);
    });
    const violation = await runBatch(publisher, requests, outcomes);
    if (violation !== undefined) return { outcomes, violation: { ...violation, index: done + violation.index } };
    await options.onProgress(done + count);
  }
  return { outcomes };
}

async function runBatch(
  { transport, errors }: FuzzPublisher,
  requests: readonly FuzzRequest[],
  outcomes: Map<string, number>,
): Promise<Violation | undefined> {
  for (const [index, request] of requests.entries()) {
    try {
      // A copy, filled with zeros once it was handed over: what is kept of a request is the publisher's own.
      transport.requestArrived(request.topic, Uint8Array.from(request.payload));
    } catch (error) {
      return { index, request, what: `an exception: ${error instanceof Error ? error.stack : error}` };
    }
  }
  await settle(transport, requests.length);
  for (const [index, request] of requests.entries()) {
    const { outcome, violation } = judgeAnswer(request, transport.sent.get(thingOf(index)) ?? []);
    if (violation !== undefined) return { index, request, what: violation };
    const name = `${request.origin}: ${outcome}`;
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
  }
  transport.sent.clear();
  const [error] = errors;
  return error === undefined
    ? undefined
    : { index: 0, request: requests[0] as FuzzRequest, what: `a logged defect: ${error}` };
}

/** One of them has a name of the greatest length. */
function thingOf(slot: number): string {
  return slot === 0 ? "t".repeat(128) : `thing:${slot}`;
}

/** Turns the event loop until all have an answer and nothing waits, or nothing can come any more. */
async function settle(transport: FuzzPublisher["transport"], count: number): Promise<void> {
  let quiet = 0;
  for (let turn = 0; turn < MOST_TURNS && quiet < 3; turn++) {
    await eventLoopTurn();
    quiet = transport.wakeWaiting() ? 0 : quiet + 1;
    if (transport.sent.size === count && quiet > 0) return;
  }
}
