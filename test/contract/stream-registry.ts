/** What every stream registry promises; run against each backend. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StreamEntry } from "../../publisher/protocol/stream.ts";
import {
  InvalidNextToken,
  type StreamPageQuery,
  type StreamRegistry,
} from "../../publisher/registry/stream-registry.ts";
import { liveEntry } from "../support/control-stream-entry.ts";

/** A backend under test, and how to clean up after it. */
export interface OpenedRegistry {
  readonly registry: StreamRegistry;
  readonly dispose: () => Promise<void>;
}

function deletedEntry(streamId: string): StreamEntry {
  return { state: "deleted", tombstone: { streamId, streamVersion: 3, deletedAtMs: 1_763_772_295_252 } };
}

/** Declares the suite for one backend. */
export function describeStreamRegistry(name: string, open: () => Promise<OpenedRegistry>): void {
  describe(`${name}: stream registry`, () => {
    let opened: OpenedRegistry;
    let registry: StreamRegistry;

    beforeEach(async () => {
      opened = await open();
      registry = opened.registry;
    });
    afterEach(() => opened.dispose());

    const create = (streamId: string) => registry.change(streamId, () => liveEntry(streamId));
    const remove = (streamId: string) => registry.change(streamId, () => deletedEntry(streamId));

    async function listAll(query: Pick<StreamPageQuery, "maxResults" | "isAscendingOrder">): Promise<string[][]> {
      const pages: string[][] = [];
      let nextToken: string | undefined;
      do {
        const page = await registry.list({ ...query, ...(nextToken === undefined ? {} : { nextToken }) });
        pages.push(page.streams.map((record) => record.streamId));
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return pages;
    }

    it("finds nothing at first", async () => {
      expect(await registry.find("s")).toBeUndefined();
      expect(await registry.count()).toBe(0);
      expect(await registry.list({ maxResults: 250, isAscendingOrder: true })).toEqual({ streams: [] });
    });

    it("gives back what was put, live and deleted", async () => {
      expect(await create("s")).toEqual(liveEntry("s"));
      expect(await registry.find("s")).toEqual(liveEntry("s"));
      await remove("s");
      expect(await registry.find("s")).toEqual(deletedEntry("s"));
      const bare = liveEntry("s", { files: [], tags: [] });
      await registry.change("s", () => bare);
      expect(await registry.find("s")).toEqual(bare);
    });

    it("tells stream ids apart by case and treats none as a pattern", async () => {
      await create("a_b");
      expect(await registry.find("A_B")).toBeUndefined();
      expect(await registry.find("a-b")).toBeUndefined();
      expect(await registry.find("__proto__")).toBeUndefined();
    });

    it("hands the current entry to a change", async () => {
      await create("s");
      const seen: (StreamEntry | undefined)[] = [];
      await registry.change("s", (current) => {
        seen.push(current);
        return deletedEntry("s");
      });
      expect(seen.at(-1)).toEqual(liveEntry("s"));
    });

    it("rejects with what a change throws and leaves the entry as it was", async () => {
      await create("s");
      const refusal = new Error("refused");
      const attempt = registry.change("s", () => {
        throw refusal;
      });
      await expect(attempt).rejects.toBe(refusal);
      expect(await registry.find("s")).toEqual(liveEntry("s"));
      await create("after");
      expect(await registry.count()).toBe(2);
    });

    it("keeps nothing of what its caller does to an entry later", async () => {
      const tags = [{ key: "a", value: "1" }];
      await registry.change("s", () => liveEntry("s", { tags }));
      tags.push({ key: "b", value: "2" });
      expect(await registry.find("s")).toEqual(liveEntry("s", { tags: [{ key: "a", value: "1" }] }));
    });

    it("loses none of many changes made at once", async () => {
      const increment = () =>
        registry.change("s", (current) => {
          const version = current?.state === "live" ? current.record.streamVersion + 1 : 0;
          return liveEntry("s", { streamVersion: version });
        });
      await Promise.all(Array.from({ length: 20 }, increment));
      expect(await registry.find("s")).toEqual(liveEntry("s", { streamVersion: 19 }));
    });

    it("counts the live ones", async () => {
      await create("a");
      await create("b");
      await remove("a");
      expect(await registry.count()).toBe(1);
    });

    it("tells listeners of committed changes until they are taken out", async () => {
      const heard: string[] = [];
      const undo = registry.onChange((streamId) => heard.push(streamId));
      await create("a");
      await remove("a");
      undo();
      await create("b");
      expect(heard).toEqual(["a", "a"]);
    });

    it("tells no listener of a change that failed", async () => {
      const heard: string[] = [];
      registry.onChange((streamId) => heard.push(streamId));
      const attempt = registry.change("a", () => {
        throw new Error("refused");
      });
      await expect(attempt).rejects.toThrow("refused");
      expect(heard).toEqual([]);
    });

    describe("listing", () => {
      it("goes by order of creation, either way, in full pages", async () => {
        for (const streamId of ["c", "a", "b", "e", "d"]) await create(streamId);
        expect(await listAll({ maxResults: 2, isAscendingOrder: true })).toEqual([["c", "a"], ["b", "e"], ["d"]]);
        expect(await listAll({ maxResults: 2, isAscendingOrder: false })).toEqual([["d", "e"], ["b", "a"], ["c"]]);
        expect(await listAll({ maxResults: 5, isAscendingOrder: true })).toEqual([["c", "a", "b", "e", "d"]]);
      });

      it("keeps the place of an updated stream and gives a resurrected one the last", async () => {
        for (const streamId of ["a", "b", "c"]) await create(streamId);
        await registry.change("b", () => liveEntry("b", { streamVersion: 1 }));
        await remove("a");
        await create("a");
        expect(await listAll({ maxResults: 250, isAscendingOrder: true })).toEqual([["b", "c", "a"]]);
      });

      it("skips and repeats nothing when streams come and go between pages", async () => {
        for (const streamId of ["a", "b", "c", "d"]) await create(streamId);
        const first = await registry.list({ maxResults: 2, isAscendingOrder: true });
        await remove("b");
        await remove("d");
        await create("e");
        const rest = { maxResults: 2, isAscendingOrder: true, nextToken: first.nextToken ?? "" };
        expect((await registry.list(rest)).streams.map((record) => record.streamId)).toEqual(["c", "e"]);
      });

      it("does not hide a new stream from a reader whose last one was deleted", async () => {
        for (const streamId of ["a", "b"]) await create(streamId);
        const first = await registry.list({ maxResults: 1, isAscendingOrder: true });
        await remove("b");
        await create("c");
        const rest = { maxResults: 9, isAscendingOrder: true, nextToken: first.nextToken ?? "" };
        expect((await registry.list(rest)).streams.map((record) => record.streamId)).toEqual(["c"]);
      });

      it("refuses tokens it did not give, and those of the other order", async () => {
        for (const streamId of ["a", "b"]) await create(streamId);
        const { nextToken } = await registry.list({ maxResults: 1, isAscendingOrder: true });
        for (const token of ["", "x", "%", `${nextToken}=`, `${nextToken}A`, "\u{1f680}"]) {
          const attempt = registry.list({ maxResults: 1, isAscendingOrder: true, nextToken: token });
          await expect(attempt, `token ${token}`).rejects.toBeInstanceOf(InvalidNextToken);
        }
        const reversed = registry.list({ maxResults: 1, isAscendingOrder: false, nextToken: nextToken ?? "" });
        await expect(reversed).rejects.toBeInstanceOf(InvalidNextToken);
      });
    });
  });
}
