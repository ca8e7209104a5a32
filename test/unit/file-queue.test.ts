import { describe, expect, it } from "vitest";
import { FileQueue } from "../../device/protocol/file-queue.ts";

function version(streamVersion: number, ...fileIds: readonly number[]) {
  return { streamVersion, files: fileIds.map((fileId) => ({ fileId, sizeBytes: 1000 })) };
}

/** The ids of the files that are fetched from here on. */
function drain(queue: FileQueue): number[] {
  const fileIds: number[] = [];
  for (; queue.first !== undefined; queue.finishFirst()) fileIds.push(queue.first.fileId);
  return fileIds;
}

describe("a queue of files", () => {
  it("has nothing before the first description", () => {
    const queue = new FileQueue(undefined);
    expect(queue.first).toBeUndefined();
    expect(queue.isSameVersion(version(0, 1))).toBe(false);
    queue.finishFirst();
    expect(queue.first).toBeUndefined();
  });

  it("goes through the files in the order of the description", () => {
    const queue = new FileQueue(undefined);
    expect(queue.take(version(0, 9, 2, 5))).toBe(true);
    expect(drain(queue)).toEqual([9, 2, 5]);
  });

  it("has only the wanted file", () => {
    const queue = new FileQueue(2);
    expect(queue.take(version(0, 9, 2, 5))).toBe(true);
    expect(drain(queue)).toEqual([2]);
  });

  it.each([
    { wanted: 3, description: version(0, 9, 2) },
    { wanted: undefined, description: version(0) },
    { wanted: 0, description: version(0) },
  ])("says when no file of $description.files is wanted by $wanted", ({ wanted, description }) => {
    expect(new FileQueue(wanted).take(description)).toBe(false);
  });

  it("passes over finished files when the same version is described again", () => {
    const queue = new FileQueue(undefined);
    queue.take(version(4, 0, 1, 2));
    queue.finishFirst();
    expect(queue.isSameVersion(version(4, 0, 1, 2))).toBe(true);
    queue.take(version(4, 0, 1, 2));
    expect(drain(queue)).toEqual([1, 2]);
    expect(queue.take(version(4, 0, 1, 2))).toBe(true);
    expect(queue.first).toBeUndefined();
  });

  it("looks at every file again when another version is described", () => {
    const queue = new FileQueue(undefined);
    queue.take(version(4, 0, 1));
    queue.finishFirst();
    queue.take(version(5, 0, 1));
    expect(drain(queue)).toEqual([0, 1]);
    queue.take(version(4, 0, 1));
    expect(drain(queue)).toEqual([0, 1]);
  });
});
