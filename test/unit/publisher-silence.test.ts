/** No request on a valid topic is met with silence, and none with two answers, whatever its bytes are. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { RequestProfile } from "../../shared/protocol/decode.ts";
import { decodeChecksums, decodeDescription, decodeRejected } from "../../shared/protocol/decode-response.ts";
import { encodeDescribe, encodeGet } from "../../shared/protocol/encode.ts";
import { type Format, formatTopic, parseTopic } from "../../shared/protocol/topics.ts";
import { cborNoise, describeRequests, formats, getRequests, jsonNoise, mutated } from "../support/arbitraries.ts";
import { type Sent, startRig } from "../support/publisher-rig.ts";

interface Arrival {
  readonly format: Format;
  readonly operation: "describe" | "get" | "manifest";
  readonly streamId: string;
  readonly payload: Uint8Array;
}

const gets = (format: Format): fc.Arbitrary<Uint8Array> =>
  // Few file ids and small blocks, so that many requests reach the blocks of a file.
  fc
    .tuple(getRequests, fc.nat({ max: 3 }), fc.nat({ max: 40 }), fc.boolean())
    .map(([request, fileId, blockOffset, isWild]) =>
      encodeGet(format, isWild ? request : { ...request, fileId, blockOffset, streamVersion: 0 }).slice(),
    );

const payloads = (format: Format): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    gets(format),
    mutated(gets(format)),
    describeRequests.map((request) => encodeDescribe(format, request).slice()),
    format === "cbor" ? cborNoise : jsonNoise,
    fc.uint8Array({ maxLength: 40 }),
  );

const arrivals: fc.Arbitrary<Arrival> = formats.chain((format) =>
  fc.record({
    format: fc.constant(format),
    operation: fc.constantFrom("describe", "get", "get", "manifest"),
    streamId: fc.constantFrom("stream-1", "stream-1", "stream-1", "none"),
    payload: payloads(format),
  }),
);

/** Checks the one answer and says what kind it is. */
function kindOf(sent: readonly Sent[], arrival: Arrival, profile: RequestProfile): string {
  const { operation, streamId } = arrival;
  // To the strict profile a manifest is an unknown operation, and those are answered in JSON.
  const format = operation === "manifest" && profile === "strict" ? "json" : arrival.format;
  expect(sent).toHaveLength(1);
  const [answer] = sent as [Sent];
  expect(answer.thing).toBe("thing-1");
  const topic = parseTopic(answer.kind === "blocks" ? answer.run.topic : answer.topic);
  expect(topic).toMatchObject({ kind: "stream", thing: "thing-1", streamId, format });
  const answered = topic?.kind === "stream" ? topic.operation : "";
  if (answer.kind === "blocks") {
    expect([operation, answered]).toEqual(["get", "data"]);
    expect(answer.blockIds.length).toBeGreaterThan(0);
  } else if (answered === "description") {
    expect(operation).toBe("describe");
    expect(decodeDescription(format, answer.payload)).toBeDefined();
  } else if (answered === "checksums") {
    expect(operation).toBe("manifest");
    expect(decodeChecksums(format, answer.payload)).toBeDefined();
  } else {
    expect(answered).toBe("rejected");
    expect(decodeRejected(format, answer.payload)?.message).toMatch(/./);
  }
  return answered;
}

it.each<RequestProfile>(["lenient", "strict"])("a request gets exactly one answer (%s)", async (profile) => {
  const rig = await startRig({ profile });
  await rig.putStream([new Uint8Array(256 * 30 + 1), new Uint8Array(200_000), new Uint8Array(0)]);
  const kinds = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(arrivals, async (arrival) => {
      const { format, operation, streamId, payload } = arrival;
      // So that the thing never has more rejections than the log shows.
      rig.clock.advance(100);
      const sent = await rig.request(formatTopic("thing-1", streamId, operation, format), payload);
      const kind = kindOf(sent, arrival, profile);
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      const lines = rig.logLines.splice(0);
      expect(lines.filter(({ level }) => level === "error")).toEqual([]);
      expect(lines.filter(({ level }) => level === "warn")).toHaveLength(kind === "rejected" ? 1 : 0);
      expect(JSON.stringify(lines).length).toBeLessThan(4000);
    }),
    { numRuns: 1000 },
  );
  const expected = ["data", "description", "rejected"];
  expect([...kinds.keys()].sort()).toEqual(profile === "strict" ? expected : ["checksums", ...expected]);
});
