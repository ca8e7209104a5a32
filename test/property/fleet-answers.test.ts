/** What simulated devices make of their answers against the ordinary decoders, whatever came before. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { FleetAnswers } from "../../device/fleet/fleet-answers.ts";
import { decodeDescription } from "../../shared/protocol/decode-response.ts";
import { encodeDescription } from "../../shared/protocol/encode.ts";
import { cborNoise, clientTokens, descriptions, mutated } from "../support/arbitraries.ts";

it("is the decoder's description, with a token of its own for each device", () => {
  const same = fc.tuple(descriptions, fc.array(clientTokens, { minLength: 1, maxLength: 6 }));
  const encoded = same.map(([description, tokens]) =>
    tokens.map((clientToken) => encodeDescription("cbor", { ...description, clientToken }).slice()),
  );
  const anything = fc.oneof(
    encoded,
    mutated(encoded.map(([first]) => first as Uint8Array)).map((bytes) => [bytes]),
    cborNoise.map((bytes) => [bytes]),
  );
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 6 }), (groups) => {
      const answers = new FleetAnswers("cbor");
      for (const bytes of groups.flat()) {
        const description = decodeDescription("cbor", bytes);
        const input = description && { on: "described", description };
        expect(answers.decode("description", bytes)).toEqual(input);
      }
    }),
    { numRuns: 500 },
  );
});

it("reads a description once for all devices, until it is another one", () => {
  const answers = new FleetAnswers("cbor");
  const files = [{ fileId: 0, sizeBytes: 9 }];
  const filesOf = (clientToken: string, streamVersion: number): unknown => {
    const bytes = encodeDescription("cbor", { clientToken, streamVersion, files });
    const input = answers.decode("description", bytes);
    expect(input).toMatchObject({ description: { clientToken, streamVersion, files } });
    return input?.on === "described" ? input.description.files : undefined;
  };
  const first = filesOf("a-0", 1);
  expect(filesOf("bb-1", 1)).toBe(first);
  expect(filesOf("a-0", 2)).not.toBe(first);
});
