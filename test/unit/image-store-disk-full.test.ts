import { describe, expect, it } from "vitest";
import { seededRandom } from "../../shared/random.ts";
import { blockOf, finishImage, makeImage, openStore, receivedIds } from "../support/image-fixture.ts";
import { PowerCutDisk } from "../support/power-cut-disk.ts";

const PARTIAL = "/out/stream/7.part";

describe("image store on a disk that fails", () => {
  it("says that the disk is full, keeps what it has, and goes on when there is room", async () => {
    const image = makeImage({ sizeBytes: 10_000 });
    const disk = new PowerCutDisk({ random: seededRandom(1), capacityBytes: 3000 });
    const store = await openStore(image, disk);
    const fill = () => {
      for (let blockId = 0; blockId < store.blockCount; blockId++) void store.write(blockId, blockOf(image, blockId));
    };
    expect(fill).toThrow(
      expect.objectContaining({
        code: "DiskFull",
        message: `cannot write ${PARTIAL}: no space is left on the disk (ENOSPC)`,
      }),
    );
    await store.close();
    disk.powerCut();
    disk.restart();

    disk.capacityBytes = 100_000;
    const again = await openStore(image, disk);
    expect(receivedIds(again)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await finishImage(again, image);
    expect(disk.peek("/out/stream/7")).toEqual(image.bytes);
  });

  it("does not count a block whose rewriting failed", async () => {
    const image = makeImage();
    const disk = new PowerCutDisk({ random: seededRandom(1) });
    const store = await openStore(image, disk, { journalEveryBlocks: 1 });
    for (let blockId = 0; blockId < 4; blockId++) await store.write(blockId, blockOf(image, blockId));
    disk.capacityBytes = 0;
    expect(() => store.write(1, blockOf(image, 1))).toThrow(expect.objectContaining({ code: "DiskFull" }));
    expect(await store.verify(image.identity)).toMatchObject({ ok: false, reason: "missing" });
  });

  it("tells the next caller what could not be written in the background, and counts it as not held", async () => {
    const image = makeImage();
    const disk = new PowerCutDisk({ random: seededRandom(1) });
    const store = await openStore(image, disk, { durableDistanceBytes: 256 });
    disk.capacityBytes = 0;
    void store.write(0, blockOf(image, 0));
    expect([...store.heldBlocks]).toEqual([0]);
    const full = expect.objectContaining({ code: "DiskFull" });
    expect(() => store.write(1, blockOf(image, 1))).toThrow(full);
    disk.capacityBytes = 100_000;
    expect(await store.verify(image.identity)).toMatchObject({ ok: false, reason: "missing" });
    await finishImage(store, image);
    expect(disk.peek("/out/stream/7")).toEqual(image.bytes);
  });

  it("says so when what is in memory cannot be written on closing, and lets go of the image all the same", async () => {
    const image = makeImage();
    const disk = new PowerCutDisk({ random: seededRandom(1) });
    const store = await openStore(image, disk);
    void store.write(0, blockOf(image, 0));
    disk.capacityBytes = 0;
    await expect(store.close()).rejects.toMatchObject({ code: "DiskFull" });
    disk.capacityBytes = 100_000;
    const again = await openStore(image, disk);
    expect(receivedIds(again)).toEqual([]);
    await finishImage(again, image);
  });

  it("reports a failed sync to the next caller, and to all after it", async () => {
    const image = makeImage();
    const disk = new PowerCutDisk({ random: seededRandom(1) });
    const store = await openStore(image, disk, { durableDistanceBytes: 256 });
    void store.write(0, blockOf(image, 0));
    disk.killProcess();
    await expect(store.flush()).rejects.toMatchObject({ code: "OutputNotWritable" });
    expect(() => store.write(1, blockOf(image, 1))).toThrow(expect.objectContaining({ code: "OutputNotWritable" }));
    await expect(store.flush()).rejects.toMatchObject({
      message: `cannot write ${PARTIAL}: the disk reports an error (EIO)`,
    });
    await store.close();
  });

  it("slows a writer that is two distances ahead of the disk", async () => {
    const image = makeImage({ sizeBytes: 256 * 40 });
    const disk = new PowerCutDisk({ random: seededRandom(1) });
    const store = await openStore(image, disk, { durableDistanceBytes: 512 });
    const waits = Array.from({ length: 8 }, (_, blockId) => store.write(blockId, blockOf(image, blockId)));
    expect(waits.map((wait) => wait !== undefined)).toEqual([false, false, false, true, true, true, true, true]);
    await Promise.all(waits);
    await store.close();
  });
});
