import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import { openSqliteRegistry } from "../../publisher/registry/sqlite-registry.ts";
import { liveEntry } from "../support/control-stream-entry.ts";
import { describeStreamRegistry } from "./stream-registry.ts";

/** The program that the kill -9 test runs. */
const WRITER = fileURLToPath(new URL("../support/control-registry-writer.ts", import.meta.url));

describeStreamRegistry("memory", async () => {
  const registry = openMemoryRegistry();
  return { registry, dispose: () => registry.close() };
});

describeStreamRegistry("sqlite", async () => {
  const directory = await mkdtemp(join(tmpdir(), "otastream-registry-"));
  const registry = openSqliteRegistry(join(directory, "streams.db"));
  return {
    registry,
    async dispose() {
      await registry.close();
      await rm(directory, { recursive: true });
    },
  };
});

describe("the sqlite registry's file", () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "otastream-registry-"));
    path = join(directory, "deep", "er", "streams.db");
  });
  afterEach(() => rm(directory, { recursive: true }));

  const refused = (reason: RegExp) =>
    expect(() => openSqliteRegistry(path)).toThrow(
      expect.objectContaining({ code: "DataDirNotUsable", message: expect.stringMatching(reason) }),
    );

  it("keeps everything over a close and a reopening", async () => {
    const first = openSqliteRegistry(path);
    for (const streamId of ["b", "a"]) await first.change(streamId, () => liveEntry(streamId));
    const { nextToken } = await first.list({ maxResults: 1, isAscendingOrder: true });
    await first.close();
    await first.close();
    const second = openSqliteRegistry(path);
    expect(await second.find("a")).toEqual(liveEntry("a"));
    const page = await second.list({ maxResults: 1, isAscendingOrder: true, nextToken: nextToken ?? "" });
    expect(page.streams.map((record) => record.streamId)).toEqual(["a"]);
    await second.close();
  });

  it("may be open twice; each sees the other's changes", async () => {
    const left = openSqliteRegistry(path);
    const right = openSqliteRegistry(path);
    await left.change("a", () => liveEntry("a"));
    expect(await right.find("a")).toEqual(liveEntry("a"));
    await right.change("a", () => liveEntry("a", { streamVersion: 1 }));
    expect(await left.find("a")).toEqual(liveEntry("a", { streamVersion: 1 }));
    await Promise.all([left.close(), right.close()]);
  });

  it("writes ahead and carries its schema version", async () => {
    const registry = openSqliteRegistry(path);
    const db = new DatabaseSync(path);
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    expect(db.prepare("PRAGMA user_version").get()).toEqual({ user_version: 1 });
    db.close();
    await registry.close();
  });

  it("is refused when it is not a database", async () => {
    await mkdir(join(directory, "deep", "er"), { recursive: true });
    await writeFile(path, "this is not a database, and it is long enough to be looked at".repeat(20));
    refused(/not a database/);
    expect(await readFile(path, "utf8")).toContain("this is not a database");
  });

  it("is refused when it is another program's database", async () => {
    await mkdir(join(directory, "deep", "er"), { recursive: true });
    const db = new DatabaseSync(path);
    db.exec("CREATE TABLE other (x)");
    db.close();
    refused(/database of another program/);
  });

  it("is refused when a newer version wrote it", async () => {
    await openSqliteRegistry(path).close();
    const db = new DatabaseSync(path);
    db.exec("PRAGMA user_version = 2");
    db.close();
    refused(/schema version 2 and this program knows up to 1/);
  });

  it("is refused when it is damaged", async () => {
    const registry = openSqliteRegistry(path);
    await registry.change("a", () => liveEntry("a"));
    await registry.close();
    await truncate(path, 4096);
    refused(/cannot be used/);
  });

  it("is refused when it is a folder, or lies under a file", async () => {
    await mkdir(path, { recursive: true });
    refused(/unable to open/);
    path = join(directory, "file", "streams.db");
    await writeFile(join(directory, "file"), "");
    refused(/unable to open|ENOTDIR/);
  });

  it("is refused when its folder cannot be made", () => {
    path = "/proc/otastream/streams.db";
    refused(/ENOENT|EACCES/);
  });
});

describe("SIGKILL", () => {
  it("loses no acknowledged stream, however often it strikes", async () => {
    const directory = await mkdtemp(join(tmpdir(), "otastream-registry-"));
    const path = join(directory, "streams.db");
    const acknowledged: string[] = [];
    for (const round of [1, 2, 3]) {
      const child = spawn(process.execPath, [WRITER, path, `r${round}`]);
      acknowledged.push(...(await killAfter(child, 40 * round)));
      const registry = openSqliteRegistry(path);
      for (const streamId of acknowledged) expect(await registry.find(streamId)).toEqual(liveEntry(streamId));
      expect(await registry.count()).toBeGreaterThanOrEqual(acknowledged.length);
      await registry.close();
    }
    await rm(directory, { recursive: true });
  });
});

async function killAfter(child: ChildProcess, count: number): Promise<string[]> {
  const closed = once(child, "close");
  const lines: string[] = [];
  if (child.stdout === null) throw new Error("the child has no stdout");
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === count) child.kill("SIGKILL");
  }
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
  return lines;
}
