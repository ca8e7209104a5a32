/** Any bytes on a valid topic get an answer from the publisher, the right one where it is known; never silence, never an exception. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeRejected } from "../../shared/protocol/decode-response.ts";
import { encodeDescribe, encodeGet } from "../../shared/protocol/encode.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { fuzzDirectly } from "../fuzz/direct-run.ts";
import { startFuzzPublisher } from "../fuzz/fuzz-publisher.ts";
import { FUZZ_STREAMS } from "../fuzz/fuzz-streams.ts";
import { judgeAnswer } from "../fuzz/judge-answer.ts";
import {
  cborNoise,
  describeRequests,
  formats,
  getRequests,
  jsonNoise,
  mutated,
  streamIds,
} from "../support/arbitraries.ts";

const PROFILES = ["lenient", "strict"] as const;

/** Bytes in a format: any, noise of that format, and messages with a few bytes changed. */
const requests: fc.Arbitrary<readonly [Format, Uint8Array]> = fc.oneof(
  fc.tuple(formats, fc.uint8Array({ maxLength: 200 })),
  fc.tuple(fc.constant("cbor" as const), cborNoise),
  fc.tuple(fc.constant("json" as const), jsonNoise),
  fc.tuple(formats, getRequests).map(([format, request]) => [format, encodeGet(format, request).slice()] as const),
  fc
    .tuple(formats, getRequests)
    .chain(([format, request]) =>
      fc.tuple(fc.constant(format), mutated(fc.constant(encodeGet(format, request).slice()))),
    ),
  fc
    .tuple(formats, describeRequests)
    .map(([format, request]) => [format, encodeDescribe(format, request).slice()] as const),
);

it.each(PROFILES)("any bytes on a valid topic are answered under the %s profile", async (profile) => {
  const { transport, clock, errors } = await startFuzzPublisher(profile);
  const known = fc.constantFrom(...FUZZ_STREAMS.keys());
  const operations = fc.constantFrom("get", "get", "get", "describe");
  await fc.assert(
    fc.asyncProperty(
      requests,
      fc.oneof(known, streamIds),
      operations,
      async ([format, payload], streamId, operation) => {
        const topic = `$aws/things/thing:1/streams/${streamId}/${operation}/${format}`;
        clock.advance(500);
        transport.sent.clear();
        transport.requestArrived(topic, payload);
        for (let turn = 0; turn < 100 && transport.sent.size === 0; turn++) await eventLoopTurn();
        const sents = transport.sent.get("thing:1") ?? [];
        expect(judgeAnswer({ topic, payload, origin: "fast-check" }, sents).violation).toBeUndefined();
        expect(errors).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
});

it.each(PROFILES)(
  "generated requests of known members are answered as the protocol says under the %s profile",
  async (profile) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 0xffff_ffff }), async (seed) => {
        const { violation } = await fuzzDirectly({ requests: 600, seed, profile, onProgress: () => {} });
        expect(violation).toBeUndefined();
      }),
      { numRuns: 2, endOnFailure: true },
    );
  },
);

it("a stream version that is out of all bounds is shown in plain digits", async () => {
  const { transport } = await startFuzzPublisher("lenient");
  transport.requestArrived("$aws/things/t/streams/images/get/json", Buffer.from('{"f":0,"l":4096,"s":1e21}'));
  for (let turn = 0; turn < 100 && transport.sent.size === 0; turn++) await eventLoopTurn();
  const [sent] = transport.sent.get("t") ?? [];
  const rejection = sent?.kind === "message" ? decodeRejected("json", sent.payload) : undefined;
  expect(rejection?.code).toBe("VersionMismatch");
  expect(rejection?.message).not.toMatch(/\de\+/);
});
