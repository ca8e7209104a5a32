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
  // Remembered first, and then changed.
  const changed = encoded.chain((all) => mutated(fc.constantFrom(...all)).map((bytes) => [...all, bytes]));
  const anything = fc.oneof(
    encoded,
    changed,
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

/** A description without files of version 1, with pairs of hex behind the token. */
function described(head: string, clientToken: string, more = ""): Buffer {
  return Buffer.from(`${head}61636${clientToken.length}${Buffer.from(clientToken).toString("hex")}${more}`, "hex");
}

it.each([
  ["goes by the second of two tokens", ["a4", "aa"], ["a4", "bb"], "617301 617280 6163626161"],
  ["sees that a member is missing", ["a3", "aa"], ["a4", "aa"], "617301 617280"],
  ["sees that there is one more", ["a3", "aa"], ["a2", "aa"], "617301 617280"],
] as const)("%s, as the decoder does", (_, first, second, pairs) => {
  const answers = new FleetAnswers("cbor");
  for (const [head, clientToken] of [first, second]) {
    const bytes = described(head, clientToken, pairs.replaceAll(" ", ""));
    const description = decodeDescription("cbor", bytes);
    if (head === first[0]) expect(description).toMatchObject({ streamVersion: 1, clientToken: "aa" });
    expect(answers.decode("description", bytes)).toEqual(description && { on: "described", description });
  }
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
