import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { encodeJournalHeader } from "../../device/protocol/journal-format.ts";
import { seededRandom } from "../../shared/random.ts";
import {
  blockOf,
  finishImage,
  type ImageFixture,
  makeImage,
  openStore,
  receivedIds,
} from "../support/image-fixture.ts";
import { PowerCutDisk } from "../support/power-cut-disk.ts";

const FINAL = "/out/stream/7";
const PARTIAL = `${FINAL}.part`;
const JOURNAL = `${FINAL}.journal`;

/** A disk on which an earlier run kept blocks 0, 1 and 3 of four. */
async function interruptedDisk(image: ImageFixture): Promise<PowerCutDisk> {
  const disk = new PowerCutDisk({ random: seededRandom(1) });
  const store = await openStore(image, disk);
  for (const blockId of [0, 1, 3]) await store.write(blockId, blockOf(image, blockId));
  await store.close();
  return disk;
}

function bytesAt(disk: PowerCutDisk, path: string): Uint8Array {
  const bytes = disk.peek(path);
  if (bytes === undefined) throw new Error(`no file ${path}`);
  return bytes;
}

/** Opens, reports what was found, and finishes the image from there. */
async function recover(disk: PowerCutDisk, image: ImageFixture) {
  const store = await openStore(image, disk);
  const found = { ...store.recovery, received: receivedIds(store) };
  await finishImage(store, image);
  expect(bytesAt(disk, FINAL)).toEqual(image.bytes);
  return found;
}

describe("recovery of an interrupted download", () => {
  it("discards a journal cut inside its header, and counts on what is left of one cut behind it", async () => {
    const image = makeImage();
    for (const [length, kind, received] of [
      [0, "discarded", []],
      [255, "discarded", []],
      [256, "discarded", []],
      [512 + 8, "resumed", [0]],
      [512 + 31, "resumed", [0, 1]],
    ] as const) {
      const disk = await interruptedDisk(image);
      disk.put(JOURNAL, bytesAt(disk, JOURNAL).subarray(0, length));
      const found = await recover(disk, image);
      expect(found).toMatchObject({ kind, received });
      expect(found.reason).toContain("truncated");
    }
  });

  it("does not count garbled entries", async () => {
    const image = makeImage();
    const disk = await interruptedDisk(image);
    const journal = bytesAt(disk, JOURNAL);
    journal.fill(0xa5, 512, 516);
    journal.fill(0xa5, 512 + 16, 512 + 24);
    disk.put(JOURNAL, journal);
    expect(await recover(disk, image)).toEqual({
      kind: "resumed",
      reason: "2 of 4 blocks were kept from an earlier run, 2 entries of the journal are garbled",
      received: [1, 3],
    });
  });

  it("discards a garbled journal, a foreign file, and a partial file without a journal", async () => {
    const image = makeImage();
    const disk = await interruptedDisk(image);
    const journal = bytesAt(disk, JOURNAL);
    journal[9] = 7;
    disk.put(JOURNAL, journal);
    expect(await recover(disk, image)).toMatchObject({ kind: "discarded", reason: "the journal is unusable: garbled" });

    const foreign = await interruptedDisk(image);
    foreign.put(JOURNAL, new Uint8Array(600));
    expect((await recover(foreign, image)).reason).toBe("the journal is unusable: not a journal");

    const bare = await interruptedDisk(image);
    bare.put(JOURNAL, undefined);
    expect((await recover(bare, image)).reason).toBe("the partial file has no journal");
  });

  it("believes the data rather than the journal", async () => {
    const image = makeImage();
    const disk = await interruptedDisk(image);
    const partial = bytesAt(disk, PARTIAL);
    partial[300] = (partial[300] as number) ^ 1;
    disk.put(PARTIAL, partial);
    expect(await recover(disk, image)).toEqual({
      kind: "resumed",
      reason: "2 of 4 blocks were kept from an earlier run, 1 blocks are not on the disk as they were received",
      received: [0, 3],
    });

    const shorter = await interruptedDisk(image);
    shorter.put(PARTIAL, bytesAt(shorter, PARTIAL).subarray(0, 999));
    const found = await recover(shorter, image);
    expect(found.received).toEqual([0, 1]);
    expect(found.reason).toContain("the partial file is shorter than the journal says: 1 blocks are gone");

    const gone = await interruptedDisk(image);
    gone.put(PARTIAL, undefined);
    expect(await recover(gone, image)).toMatchObject({
      kind: "discarded",
      reason: "an earlier run kept no block, the partial file is gone",
    });
  });

  it("cuts a partial file that is too long", async () => {
    const image = makeImage();
    const disk = await interruptedDisk(image);
    disk.put(PARTIAL, Uint8Array.from([...bytesAt(disk, PARTIAL), 1, 2, 3]));
    expect((await recover(disk, image)).received).toEqual([0, 1, 3]);
  });

  it("starts over for another version, size, block size or content, and says so", async () => {
    const image = makeImage({ digests: false });
    for (const [other, why] of [
      [makeImage({ digests: false, streamVersion: 1, seed: 2 }), "the stream version was 0 and is now 1"],
      [makeImage({ digests: false, sizeBytes: 999 }), "the file size was 1000 and is now 999"],
      [makeImage({ digests: false, blockSizeBytes: 512 }), "the block size was 256 and is now 512"],
    ] as const) {
      const disk = await interruptedDisk(image);
      expect(await recover(disk, other)).toEqual({
        kind: "discarded",
        reason: `the journal is for another image: ${why}`,
        received: [],
      });
    }
    const known = makeImage();
    const disk = await interruptedDisk(known);
    expect((await recover(disk, makeImage({ seed: 2 }))).reason).toContain("the SHA-256 was");
  });

  it("keeps the blocks for a new version with the same SHA-256", async () => {
    const image = makeImage();
    const disk = await interruptedDisk(image);
    const next = makeImage({ streamVersion: 1 });
    const store = await openStore(next, disk);
    expect(receivedIds(store)).toEqual([0, 1, 3]);
    await store.close();
    expect(await recover(disk, next)).toMatchObject({ kind: "resumed", received: [0, 1, 3] });
  });

  it("does not count an earlier version's entries under a later version's header", async () => {
    const image = makeImage({ digests: false });
    const disk = await interruptedDisk(image);
    const next = makeImage({ digests: false, streamVersion: 1, seed: 2 });
    const { bytes: header } = encodeJournalHeader(next.identity, crc32);
    disk.put(JOURNAL, Uint8Array.from([...header, ...bytesAt(disk, JOURNAL).subarray(header.length)]));
    expect(await recover(disk, next)).toMatchObject({
      kind: "discarded",
      reason: "an earlier run kept no block, 3 entries of the journal are garbled",
    });
  });

  it("removes what a power cut left beside a finished image", async () => {
    const image = makeImage();
    const disk = await interruptedDisk(image);
    disk.put(FINAL, image.bytes);
    disk.put(`${JOURNAL}.new`, new Uint8Array(3));
    const store = await openStore(image, disk);
    expect(store.complete).toBe(true);
    await store.close();
    expect(disk.paths()).toEqual([FINAL]);
  });
});
