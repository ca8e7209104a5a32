/** The rules of the protocol against this project's server: under both profiles, and behind a mosquitto. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ALL_RULES, chooseRules } from "../conformance/all-rules.ts";
import { loadStream } from "../conformance/load-stream.ts";
import { type OwnServerOptions, startOwnServer } from "../conformance/own-server.ts";
import { countResults, formatOutcome } from "../conformance/report.ts";
import { type RunOptions, runRules } from "../conformance/run-rules.ts";
import type { StreamFacts } from "../conformance/stream-facts.ts";
import { hasMosquitto, startMosquitto } from "../support/mosquitto.ts";

const newThing = (): string => `conformance-${randomBytes(4).toString("hex")}`;

/** Runs all rules against a server of this project; resolves with those that were skipped. */
async function conforms(
  options: Partial<OwnServerOptions>,
  run: Partial<Pick<RunOptions, "isOwnBroker">> = {},
): Promise<string[]> {
  const own = await startOwnServer({ thing: newThing(), profile: "lenient", firstStreamVersion: 0, ...options });
  try {
    const { facts, server } = own;
    const outcomes = await runRules({
      brokerUrl: server.urls.mqtt,
      facts,
      rules: ALL_RULES,
      isOwnBroker: true,
      ...run,
    });
    expect(outcomes.filter(({ result }) => result === "fail").map(formatOutcome)).toEqual([]);
    expect(countResults(outcomes).pass).toBeGreaterThan(300);
    return outcomes.filter(({ result }) => result === "skipped").map(({ rule }) => rule.id);
  } finally {
    await own.close();
  }
}

/** The SHA-256 of each file's bytes by its id: a failing comparison of bytes would fill the screen. */
function digestsOf({ files }: StreamFacts): (readonly [fileId: number, digest: string])[] {
  return files.map(({ fileId, sha256 }) => [fileId, Buffer.from(sha256).toString("hex")]);
}

describe("the rules", () => {
  it("have ids of their own", () => {
    const ids = ALL_RULES.map(({ id, profile }) => `${id} ${profile}`);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  it("name places that docs/PROTOCOL.md has", () => {
    const protocol = readFileSync(join(import.meta.dirname, "../../docs/PROTOCOL.md"), "utf8");
    const places = new Set(ALL_RULES.map(({ source }) => /^\d, ([^:]+)/.exec(source)?.[1] ?? source));
    const marked = /^(?:#+ (?:\d\. )?|\*\*)([^(*\n.]+)/gm;
    const headings = [...protocol.matchAll(marked)].map((match) => match[1]?.trim());
    expect([...places].filter((place) => !headings.includes(place))).toEqual([]);
  });

  it("hold under the lenient profile", async () => {
    expect(await conforms({ profile: "lenient" })).toEqual([]);
  });

  it("hold under the strict profile", async () => {
    expect(await conforms({ profile: "strict" })).toEqual([]);
  });

  it("hold where versions start at 1", async () => {
    expect(await conforms({ firstStreamVersion: 1 })).toEqual([]);
  });

  it.skipIf(!hasMosquitto())(
    "hold behind mosquitto, but for those that only a server with a broker can show",
    async () => {
      const mosquitto = await startMosquitto();
      try {
        const skipped = await conforms({ brokerUrl: mosquitto.url }, { isOwnBroker: false });
        expect(skipped).toEqual(ALL_RULES.filter(({ needsOwnBroker }) => needsOwnBroker).map(({ id }) => id));
      } finally {
        await mosquitto.stop();
      }
    },
  );
});

describe("a stream that somebody else made", () => {
  it("is learnt through the protocol, its bytes included", async () => {
    const own = await startOwnServer({ thing: newThing(), profile: "lenient", firstStreamVersion: 1 });
    try {
      const { streamId } = own.facts;
      const asked = { brokerUrl: own.server.urls.mqtt, thing: newThing(), streamId, profile: "lenient" } as const;
      const facts = await loadStream({ ...asked, originals: new Map() });
      expect(digestsOf(facts)).toEqual(digestsOf(own.facts));
      const { streamVersion, description } = own.facts;
      expect(facts).toMatchObject({ streamVersion, description });
      const rules = chooseRules(["descriptions", "limits.s-latest"]);
      const outcomes = await runRules({ ...asked, facts, rules, isOwnBroker: true });
      expect(countResults(outcomes)).toMatchObject({ fail: 0, skipped: 0 });
      const unknown = loadStream({ ...asked, streamId: "none", originals: new Map() });
      await expect(unknown).rejects.toThrow("ResourceNotFound");
    } finally {
      await own.close();
    }
  });

  it("needs its originals where the description has no digests", async () => {
    const own = await startOwnServer({ thing: newThing(), profile: "strict", firstStreamVersion: 0 });
    const directory = await mkdtemp(join(tmpdir(), "otastream-conformance-"));
    try {
      const { files, streamId } = own.facts;
      const asked = { brokerUrl: own.server.urls.mqtt, thing: newThing(), streamId, profile: "strict" } as const;
      await expect(loadStream({ ...asked, originals: new Map() })).rejects.toThrow("--file 0=PATH");
      const originals = new Map(files.map(({ fileId }) => [fileId, join(directory, String(fileId))]));
      for (const { fileId, bytes } of files) await writeFile(join(directory, String(fileId)), bytes);
      expect(digestsOf(await loadStream({ ...asked, originals }))).toEqual(digestsOf(own.facts));
    } finally {
      await rm(directory, { recursive: true, force: true });
      await own.close();
    }
  });
});
