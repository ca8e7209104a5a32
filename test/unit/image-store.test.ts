import { describe, expect, it } from "vitest";
import { seededRandom } from "../../shared/random.ts";
import { blockOf, digestsOf, finishImage, makeImage, openStore, receivedIds } from "../support/image-fixture.ts";
import { PowerCutDisk } from "../support/power-cut-disk.ts";

const FINAL = "/out/stream/7";

function newDisk(): PowerCutDisk {
  return new PowerCutDisk({ random: seededRandom(1) });
}

describe("image store", () => {
  it("hands a verified image over and leaves nothing beside it", async () => {
    const disk = newDisk();
    const image = makeImage();
    const store = await openStore(image, disk);
    expect(store.recovery).toEqual({ kind: "fresh", reason: "no earlier run left anything" });
    expect(store.complete).toBe(false);
    expect(await finishImage(store, image)).toBe(FINAL);
    expect(disk.paths()).toEqual([FINAL]);
    expect(disk.peek(FINAL)).toEqual(image.bytes);
  });

  it("does not keep the caller's buffer", async () => {
    const disk = newDisk();
    const image = makeImage();
    const store = await openStore(image, disk);
    const buffer = new Uint8Array(256);
    for (const blockId of [3, 0, 2, 1]) {
      const block = buffer.subarray(0, blockId === 3 ? 232 : 256);
      block.set(blockOf(image, blockId));
      void store.write(blockId, block);
      block.fill(0);
    }
    expect((await store.verify(image.identity)).ok).toBe(true);
    await store.commit();
    expect(disk.peek(FINAL)).toEqual(image.bytes);
  });

  it("resumes with the blocks an earlier run kept", async () => {
    const disk = newDisk();
    const image = makeImage();
    const first = await openStore(image, disk);
    await first.write(3, blockOf(image, 3));
    await first.write(1, blockOf(image, 1));
    await first.close();
    const second = await openStore(image, disk);
    expect(second.recovery).toEqual({ kind: "resumed", reason: "2 of 4 blocks were kept from an earlier run" });
    expect(receivedIds(second)).toEqual([1, 3]);
    await finishImage(second, image);
    expect(disk.peek(FINAL)).toEqual(image.bytes);
  });

  it("finds the finished image again, and writes nothing", async () => {
    const disk = newDisk();
    const image = makeImage();
    await finishImage(await openStore(image, disk), image);
    const again = await openStore(image, disk);
    expect(again.complete).toBe(true);
    expect(again.recovery.kind).toBe("complete");
    expect([...again.receivedBlocks]).toEqual([0b1111]);
    expect(await again.verify(image.identity)).toMatchObject({ ok: true, ...digestsOf(image.bytes) });
    expect(await again.verify({ sizeBytes: 1000, crc32: 1 })).toMatchObject({ ok: false, reason: "crc32" });
    await again.flush();
    expect(await again.commit()).toBe(FINAL);
    expect(disk.paths()).toEqual([FINAL]);
  });

  it("trusts a finished image without a digest only by the record of its verification", async () => {
    const disk = newDisk();
    const image = makeImage({ digests: false });
    await finishImage(await openStore(image, disk), image);
    expect(disk.paths()).toEqual([FINAL, `${FINAL}.journal`]);
    const again = await openStore(image, disk);
    expect(again.complete).toBe(true);
    await again.close();

    const other = makeImage({ digests: false, streamVersion: 1, seed: 2 });
    const next = await openStore(other, disk);
    expect(next.complete).toBe(false);
    expect(next.recovery.reason).toBe(
      "the journal is for another image: the stream version was 0 and is now 1; " +
        "the image already in place stays until then, because no digest is known to check it against",
    );
    expect(disk.peek(FINAL)).toEqual(image.bytes);
    await finishImage(next, other);
    expect(disk.peek(FINAL)).toEqual(other.bytes);
  });

  it("does not take a changed file for the finished image", async () => {
    for (const digests of [true, false]) {
      const disk = newDisk();
      const image = makeImage({ digests });
      await finishImage(await openStore(image, disk), image);
      const changed = image.bytes.slice();
      changed[500] = (changed[500] as number) ^ 1;
      disk.put(FINAL, changed);
      const again = await openStore(image, disk);
      expect(again.complete).toBe(false);
      expect(again.recovery.reason).toContain("its SHA-256 is another");
      await again.close();
      disk.put(FINAL, image.bytes.subarray(0, 999));
      expect((await openStore(image, disk)).recovery.reason).toContain("it has 999 bytes instead of 1000");
    }
  });

  it("refuses to commit what is missing, wrong or not verified", async () => {
    const disk = newDisk();
    const image = makeImage();
    const store = await openStore(image, disk);
    await expect(store.commit()).rejects.toThrow("only a verified image can be committed");
    for (const blockId of [0, 1, 3]) await store.write(blockId, blockOf(image, blockId));
    expect(await store.verify({ sizeBytes: 1000 })).toMatchObject({
      ok: false,
      reason: "missing",
      message: "1 of 4 blocks are missing, the first is 2",
    });
    await store.write(2, new Uint8Array(256));
    expect(await store.verify(image.identity)).toMatchObject({ ok: false, reason: "crc32", damagedBlocks: [] });
    expect(await store.verify({ sizeBytes: 1001 })).toMatchObject({ ok: false, reason: "size" });
    await expect(store.commit()).rejects.toThrow("only a verified image can be committed");
    store.forget([2]);
    expect((await store.verify(image.identity)).ok).toBe(false);
    await store.write(2, blockOf(image, 2));
    expect((await store.verify(image.identity)).ok).toBe(true);
    await store.write(1, blockOf(image, 1));
    await expect(store.commit()).rejects.toThrow("only a verified image can be committed");
    expect(disk.peek(FINAL)).toBeUndefined();
  });

  it("names the blocks that changed on the disk after they were received", async () => {
    for (const expected of [{ sizeBytes: 1000 }, makeImage().identity]) {
      const disk = newDisk();
      const image = makeImage({ digests: false });
      const store = await openStore(image, disk);
      for (let blockId = 0; blockId < 4; blockId++) await store.write(blockId, blockOf(image, blockId));
      await store.flush();
      const partial = await disk.openToUpdate(`${FINAL}.part`);
      partial.write(300, Uint8Array.of(1, 2, 3, 4));
      expect(await store.verify(expected)).toMatchObject({ ok: false, damagedBlocks: [1] });
    }
  });

  it("forgets a block durably", async () => {
    const disk = newDisk();
    const image = makeImage();
    const store = await openStore(image, disk);
    for (const blockId of [0, 1, 2]) await store.write(blockId, blockOf(image, blockId));
    store.forget([1, 3]);
    await store.close();
    expect(receivedIds(await openStore(image, disk))).toEqual([0, 2]);
  });

  it("discards what it kept, and not the finished image", async () => {
    const disk = newDisk();
    const image = makeImage();
    disk.put(FINAL, Uint8Array.of(1));
    const store = await openStore(image, disk);
    await store.write(0, blockOf(image, 0));
    await store.flush();
    await store.discard();
    expect(disk.paths()).toEqual([FINAL]);
    await store.close();
  });

  it("lets one at a time have an image", async () => {
    const disk = newDisk();
    const image = makeImage();
    const store = await openStore(image, disk);
    await expect(openStore(image, disk)).rejects.toMatchObject({
      code: "OutputNotWritable",
      retryable: true,
      message: `${FINAL} is already being downloaded by process 1; wait for it or choose another directory`,
    });
    await store.close();
    await (await openStore(image, disk)).close();
  });

  it.each([
    { streamId: ".." },
    { streamId: "a/b" },
    { streamId: "a\u0000b" },
    { fileId: -1 },
    { fileId: 0.5 },
    { fileId: "../../x" as unknown as number },
  ])("refuses ids that lead elsewhere: %o", async (ids) => {
    const disk = newDisk();
    await expect(openStore(makeImage(ids), disk)).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(disk.paths()).toEqual([]);
  });
});
