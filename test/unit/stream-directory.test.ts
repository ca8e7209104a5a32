/** What the publisher remembers of streams, and when it forgets. */
import { describe, expect, it } from "vitest";
import type { StreamEntry } from "../../publisher/protocol/stream.ts";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import type { StreamRegistry } from "../../publisher/registry/stream-registry.ts";
import { StreamDirectory } from "../../publisher/stream-directory.ts";
import { liveEntry } from "../support/control-stream-entry.ts";

/** A registry whose answers a test holds back; an answer is what was true when it was asked. */
function openHeldRegistry(): { registry: StreamRegistry; asked: string[]; release: () => Promise<void> } {
  const inner = openMemoryRegistry();
  const asked: string[] = [];
  const held: (() => void)[] = [];
  const registry: StreamRegistry = {
    find: async (streamId) => {
      asked.push(streamId);
      const entry = await inner.find(streamId);
      return new Promise<StreamEntry | undefined>((resolve) => held.push(() => resolve(entry)));
    },
    change: (streamId, change) => inner.change(streamId, change),
    list: (query) => inner.list(query),
    count: () => inner.count(),
    onChange: (listener) => inner.onChange(listener),
    close: () => inner.close(),
  };
  const release = async (): Promise<void> => {
    await Promise.resolve();
    for (const answer of held.splice(0)) answer();
  };
  return { registry, asked, release };
}

/** A registry that has a stream under every id. */
function openEndlessRegistry(): StreamRegistry {
  const registry = openMemoryRegistry();
  registry.find = async (streamId) => liveEntry(streamId);
  return registry;
}

const versioned = (streamVersion: number) => (): StreamEntry => liveEntry("s", { streamVersion });

describe("a stream directory", () => {
  it("knows nothing of a stream before it asked", () => {
    expect(new StreamDirectory(openMemoryRegistry()).peek("s")).toBeUndefined();
  });

  it("remembers the record of a stream that it asked for", async () => {
    const registry = openMemoryRegistry();
    await registry.change("s", versioned(4));
    const directory = new StreamDirectory(registry);
    expect(await directory.load("s")).toMatchObject({ streamId: "s", streamVersion: 4 });
    expect(directory.peek("s")?.record?.streamVersion).toBe(4);
  });

  it("remembers that there is no such stream, until one is created", async () => {
    const registry = openMemoryRegistry();
    const directory = new StreamDirectory(registry);
    expect(await directory.load("s")).toBeUndefined();
    expect(directory.peek("s")).toEqual({ record: undefined });
    await registry.change("s", versioned(0));
    expect(directory.peek("s")).toBeUndefined();
    expect(await directory.load("s")).toBeDefined();
  });

  it("takes a deleted stream for none", async () => {
    const registry = openMemoryRegistry();
    await registry.change("s", versioned(0));
    const directory = new StreamDirectory(registry);
    await directory.load("s");
    const tombstone = { streamId: "s", streamVersion: 0, deletedAtMs: 1 };
    await registry.change("s", () => ({ state: "deleted", tombstone }));
    expect(directory.peek("s")).toBeUndefined();
    expect(await directory.load("s")).toBeUndefined();
    expect(directory.peek("s")).toEqual({ record: undefined });
  });

  it("forgets the stream that changed, and only that one", async () => {
    const registry = openMemoryRegistry();
    await registry.change("s", versioned(0));
    await registry.change("other", () => liveEntry("other"));
    const directory = new StreamDirectory(registry);
    await directory.load("s");
    await directory.load("other");
    await registry.change("s", versioned(1));
    expect(directory.peek("s")).toBeUndefined();
    expect(directory.peek("other")).toBeDefined();
  });

  it("does not remember an answer from before a change", async () => {
    const { registry, release } = openHeldRegistry();
    await registry.change("s", versioned(0));
    const directory = new StreamDirectory(registry);
    const early = directory.load("s");
    await Promise.resolve();
    await registry.change("s", versioned(1));
    await release();
    expect((await early)?.streamVersion).toBe(0);
    expect(directory.peek("s")).toBeUndefined();
  });

  it("keeps the newer of two answers that arrive in the wrong order", async () => {
    const { registry, release } = openHeldRegistry();
    await registry.change("s", versioned(0));
    const directory = new StreamDirectory(registry);
    const early = directory.load("s");
    await Promise.resolve();
    await registry.change("s", versioned(1));
    const late = directory.load("s");
    await release();
    expect((await late)?.streamVersion).toBe(1);
    expect((await early)?.streamVersion).toBe(0);
    expect(directory.peek("s")?.record?.streamVersion).toBe(1);
  });

  it("remembers at most 20000 streams, those that were not asked for longest go first", async () => {
    const directory = new StreamDirectory(openEndlessRegistry());
    for (let number = 0; number < 20_000; number++) await directory.load(`s${number}`);
    expect(directory.peek("s0")).toBeDefined();
    await directory.load("one-more");
    expect(directory.peek("s0")).toBeDefined();
    expect(directory.peek("s1")).toBeUndefined();
    expect(directory.peek("s2")).toBeDefined();
  });

  it("remembers at most 1000 ids without a stream, and forgets no stream for them", async () => {
    const registry = openMemoryRegistry();
    await registry.change("s", versioned(0));
    const directory = new StreamDirectory(registry);
    await directory.load("s");
    for (let number = 0; number < 1_000; number++) await directory.load(`none${number}`);
    expect(directory.peek("none0")).toEqual({ record: undefined });
    for (let number = 1_000; number < 30_000; number++) await directory.load(`none${number}`);
    expect(directory.peek("none0")).toBeUndefined();
    expect(directory.peek("none28999")).toBeUndefined();
    expect(directory.peek("none29000")).toEqual({ record: undefined });
    expect(directory.peek("s")?.record?.streamId).toBe("s");
  });

  it("asks once for all who ask at the same time, and again for those who ask after a change", async () => {
    const { registry, asked, release } = openHeldRegistry();
    await registry.change("s", versioned(0));
    const directory = new StreamDirectory(registry);
    const early = [directory.load("s"), directory.load("s")];
    await Promise.resolve();
    expect(asked).toEqual(["s"]);
    await registry.change("s", versioned(1));
    const late = [directory.load("s"), directory.load("s")];
    expect(asked).toEqual(["s", "s"]);
    await release();
    expect((await Promise.all(early)).map((record) => record?.streamVersion)).toEqual([0, 0]);
    expect((await Promise.all(late)).map((record) => record?.streamVersion)).toEqual([1, 1]);
    expect(directory.peek("s")?.record?.streamVersion).toBe(1);
  });

  it("remembers an answer although another stream changed meanwhile", async () => {
    const { registry, release } = openHeldRegistry();
    await registry.change("s", versioned(0));
    const directory = new StreamDirectory(registry);
    const loading = directory.load("s");
    await Promise.resolve();
    await registry.change("other", () => liveEntry("other"));
    await release();
    await loading;
    expect(directory.peek("s")?.record?.streamVersion).toBe(0);
  });

  it("passes on what the registry throws, and asks again the next time", async () => {
    const registry = openMemoryRegistry();
    const find = registry.find.bind(registry);
    registry.find = async () => {
      throw new Error("the registry is away");
    };
    const directory = new StreamDirectory(registry);
    await expect(directory.load("s")).rejects.toThrow("the registry is away");
    expect(directory.peek("s")).toBeUndefined();
    registry.find = find;
    expect(await directory.load("s")).toBeUndefined();
  });

  it("hears of no change after it was closed", async () => {
    const registry = openMemoryRegistry();
    const directory = new StreamDirectory(registry);
    await directory.load("s");
    directory.close();
    await registry.change("s", versioned(0));
    expect(directory.peek("s")).toEqual({ record: undefined });
  });
});
