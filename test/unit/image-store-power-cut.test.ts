import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ImageStore } from "../../device/image-store.ts";
import { randomInteger, seededRandom } from "../../shared/random.ts";
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

/** Checks that every block a store claims to hold has, on the disk, the bytes of the image. */
function expectTrueClaims(store: ImageStore, image: ImageFixture, disk: PowerCutDisk): void {
  const onDisk = disk.peek(store.complete ? FINAL : PARTIAL) as Uint8Array;
  for (const blockId of receivedIds(store)) {
    const start = blockId * image.identity.blockSizeBytes;
    const expected = blockOf(image, blockId);
    const actual = onDisk.subarray(start, start + expected.length);
    if (!Buffer.from(actual).equals(expected)) throw new Error(`block ${blockId} is held and wrong`);
  }
  if (store.complete) expect(onDisk).toEqual(image.bytes);
}

/** Checks that the final path has no file, or exactly one of these images. */
function expectNoWrongImage(disk: PowerCutDisk, images: ImageFixture[]): void {
  const inPlace = disk.peek(FINAL);
  if (inPlace === undefined) return;
  if (!images.some((image) => Buffer.from(inPlace).equals(image.bytes))) throw new Error("a wrong image is in place");
}

const settings = fc.record({
  blocks: fc.integer({ min: 1, max: 24 }),
  lastBlockBytes: fc.integer({ min: 1, max: 256 }),
  digests: fc.boolean(),
  durableDistanceBytes: fc.constantFrom(1, 300, 1024, 131_072),
  journalEveryBlocks: fc.integer({ min: 1, max: 16 }),
  seed: fc.nat(0xffff_ffff),
});

const actions = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("write" as const), blockId: fc.nat(23), wait: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("flush" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const), midway: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const), blockId: fc.nat(23) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("discard" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("update" as const), sameBytes: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("finish" as const) }) },
);
type Settings = typeof settings extends fc.Arbitrary<infer T> ? T : never;
type Action = typeof actions extends fc.Arbitrary<infer T> ? T : never;

/** Drives a store through actions, cuts included, and checks it whenever it is opened. */
class Trial {
  readonly #settings: Settings;
  readonly #disk: PowerCutDisk;
  readonly #images: ImageFixture[] = [];
  #image: ImageFixture;
  #store!: ImageStore;
  /** Blocks held now, and those of them that a power cut must not cost. */
  #held = new Set<number>();
  #durable = new Set<number>();

  constructor(given: Settings) {
    this.#settings = given;
    this.#disk = new PowerCutDisk({ random: seededRandom(given.seed) });
    this.#image = this.#makeImage(0, given.seed);
  }

  async run(script: Action[]): Promise<void> {
    await this.#open();
    for (const action of script) await this.#perform(action);
    await this.#close();
    await this.#open();
    await finishImage(this.#store, this.#image);
    expect(this.#disk.peek(FINAL)).toEqual(this.#image.bytes);
  }

  #makeImage(streamVersion: number, seed: number): ImageFixture {
    const { blocks, lastBlockBytes, digests } = this.#settings;
    const sizeBytes = (blocks - 1) * 256 + lastBlockBytes;
    const image = makeImage({ seed, sizeBytes, streamVersion, digests });
    this.#images.push(image);
    return image;
  }

  async #open(): Promise<void> {
    expectNoWrongImage(this.#disk, this.#images);
    this.#store = await openStore(this.#image, this.#disk, this.#settings);
    expectTrueClaims(this.#store, this.#image, this.#disk);
    const received = new Set(receivedIds(this.#store));
    for (const blockId of this.#durable) {
      if (!received.has(blockId)) throw new Error(`block ${blockId} was durable and is lost`);
    }
    this.#held = received;
  }

  async #close(): Promise<void> {
    await this.#store.close();
    this.#durable = new Set(this.#held);
  }

  async #perform(action: Action): Promise<void> {
    const store = this.#store;
    if (action.do === "cut") {
      if (action.midway && !store.complete) {
        for (let blockId = 0; blockId < store.blockCount; blockId += 3) void this.#write(blockId);
      }
      this.#disk.powerCut();
      this.#disk.restart();
      await store.close().catch(() => {});
      await this.#open();
    } else if (action.do === "kill") {
      this.#disk.killProcess();
      await store.close().catch(() => {});
      await this.#open();
    } else if (action.do === "reopen") {
      await this.#close();
      await this.#open();
    } else if (action.do === "update") {
      const { seed } = this.#settings;
      const version = this.#image.identity.streamVersion + 1;
      await this.#close();
      this.#image = this.#makeImage(version, action.sameBytes ? seed : seed ^ version);
      this.#durable.clear();
      await this.#open();
    } else if (action.do === "finish") {
      for (let blockId = 0; blockId < store.blockCount; blockId++)
        if (!this.#held.has(blockId)) await this.#write(blockId);
      expect(await finishImage(store, this.#image)).toBe(FINAL);
      this.#durable = new Set(Array.from({ length: store.blockCount }, (_, blockId) => blockId));
      await this.#open();
      expect(this.#store.complete).toBe(true);
    } else if (!store.complete) {
      await this.#change(action);
    }
  }

  async #change(action: Extract<Action, { do: "write" | "flush" | "forget" | "discard" }>): Promise<void> {
    const store = this.#store;
    if (action.do === "write") {
      const wait = this.#write(action.blockId % store.blockCount);
      if (action.wait) await wait;
    } else if (action.do === "flush") {
      await store.flush();
      this.#durable = new Set(this.#held);
    } else if (action.do === "forget") {
      const blockId = action.blockId % store.blockCount;
      store.forget([blockId]);
      this.#held.delete(blockId);
      this.#durable.delete(blockId);
    } else {
      await store.discard();
      this.#durable.clear();
      await this.#open();
    }
  }

  /** A block written over is not durable until the next flush, whatever it was before. */
  #write(blockId: number): Promise<void> | undefined {
    this.#durable.delete(blockId);
    this.#held.add(blockId);
    return this.#store.write(blockId, blockOf(this.#image, blockId));
  }
}

describe("image store under power cuts", () => {
  it("never holds a wrong block, never loses a durable one, and always finishes", async () => {
    await fc.assert(
      fc.asyncProperty(settings, fc.array(actions, { maxLength: 60 }), (given, script) => new Trial(given).run(script)),
      { numRuns: 400 },
    );
  });

  it("survives a cut at every single operation, whatever part of the unsynced writes stays", async () => {
    let cuts = 0;
    for (const digests of [true, false]) {
      for (let seed = 1; seed <= 6; seed++) {
        const journalEveryBlocks = seed % 2 === 0 ? 3 : 1;
        let operation = 1;
        while (await surviveCuts({ digests, journalEveryBlocks, seed: seed * 1000 + operation, operation }))
          operation++;
        cuts += operation - 1;
      }
    }
    expect(cuts).toBeGreaterThan(200);
  });

  it("loses at most what two durable distances hold, when the writer waits", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const disk = new PowerCutDisk({ random: seededRandom(seed) });
      const image = makeImage({ sizeBytes: 60 * 256, seed });
      const store = await openStore(image, disk, { durableDistanceBytes: 1024 });
      for (let blockId = 0; blockId < seed; blockId++) await store.write(blockId, blockOf(image, blockId));
      disk.powerCut();
      disk.restart();
      const received = receivedIds(await openStore(image, disk));
      expect(received.length).toBeGreaterThanOrEqual(seed - 8);
    }
  });

  it("is in the right place when commit returns, and stays there", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const disk = new PowerCutDisk({ random: seededRandom(seed) });
      const image = makeImage({ digests: seed % 2 === 0 });
      await finishImage(await openStore(image, disk), image);
      disk.powerCut();
      disk.restart();
      expect(disk.peek(FINAL)).toEqual(image.bytes);
      expect((await openStore(image, disk)).complete).toBe(true);
    }
  });

  it("makes durable what a killed process wrote, when the next one has nothing to add", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const disk = new PowerCutDisk({ random: seededRandom(seed) });
      const image = makeImage();
      const first = await openStore(image, disk, { journalEveryBlocks: 1 });
      for (let blockId = 0; blockId < 4; blockId++) await first.write(blockId, blockOf(image, blockId));
      disk.killProcess();
      const second = await openStore(image, disk);
      expect(receivedIds(second)).toEqual([0, 1, 2, 3]);
      await finishImage(second, image);
      disk.powerCut();
      disk.restart();
      expect(disk.peek(FINAL)).toEqual(image.bytes);
    }
  });
});

/**
 * Downloads over an older image with a cut during one operation, then with two more at random ones, then to the end.
 * Says whether the download was long enough for the first cut.
 */
async function surviveCuts(given: {
  digests: boolean;
  journalEveryBlocks: number;
  seed: number;
  operation: number;
}): Promise<boolean> {
  const { digests, journalEveryBlocks, seed, operation } = given;
  const random = seededRandom(seed);
  const disk = new PowerCutDisk({ random });
  const image = makeImage({ digests, sizeBytes: 4 * 256 - 7 });
  const old = makeImage({ digests, sizeBytes: 700, seed: 2, streamVersion: 65_535 });
  disk.put(FINAL, old.bytes);
  disk.cutDuringOperation(operation);
  if (!(await isCut(disk, image, journalEveryBlocks))) return false;
  for (const again of [randomInteger(random, 1, 30), randomInteger(random, 1, 30)]) {
    disk.restart();
    disk.cutDuringOperation(again);
    expectNoWrongImage(disk, [old, image]);
    await isCut(disk, image, journalEveryBlocks);
  }
  disk.restart();
  expectNoWrongImage(disk, [old, image]);
  disk.killProcess();
  expect(await isCut(disk, image, journalEveryBlocks)).toBe(false);
  expect(disk.peek(FINAL)).toEqual(image.bytes);
  expect(disk.paths()).toEqual(digests ? [FINAL] : [FINAL, `${FINAL}.journal`]);
  return true;
}

/** Downloads until done or until the power goes; says whether it went. */
async function isCut(disk: PowerCutDisk, image: ImageFixture, journalEveryBlocks: number): Promise<boolean> {
  try {
    const store = await openStore(image, disk, { durableDistanceBytes: 256, journalEveryBlocks });
    expectTrueClaims(store, image, disk);
    await finishImage(store, image);
  } catch (error) {
    if (disk.hasPower) throw error;
  }
  return !disk.hasPower;
}
