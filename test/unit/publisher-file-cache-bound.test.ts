/** What the file cache keeps, what it lets go of, and what it shares for as long as somebody else holds it. */
import { expect, it } from "vitest";
import { FileCache } from "../../publisher/file-cache.ts";
import { type ControlClock, createControlClock } from "../support/control-clock.ts";
import { collectGarbage } from "../support/publisher-garbage.ts";
import { HeldStore } from "../support/publisher-held-store.ts";
import { recordedFile } from "../support/publisher-stream.ts";

/** An image whose bytes are made anew for each read, so that only the cache and who loaded it hold them. */
function makeImage(index: number, sizeBytes = 400): { make: () => Uint8Array; file: ReturnType<typeof recordedFile> } {
  const make = (): Uint8Array => new Uint8Array(sizeBytes).fill(index);
  return { make, file: recordedFile(make(), { s3Location: { bucket: "b", key: `k${index}` } }) };
}
const images = [0, 1, 2].map((index) => makeImage(index));
type Image = ReturnType<typeof makeImage>;
const [first, second, third] = images as [Image, Image, Image];

/** A cache, a way to load an image into it, and which of the images are there once the garbage is collected. */
function open(maxBytes: number): {
  load: (image: Image) => Promise<Uint8Array>;
  held: () => Promise<number[]>;
  cache: FileCache;
  store: HeldStore;
  clock: ControlClock;
} {
  const store = new HeldStore();
  const clock = createControlClock(0);
  const cache = new FileCache({ store, clock, maxBytes, checkIntervalMs: 1000, serveStaleMs: 0 });
  const load = (image: Image): Promise<Uint8Array> => {
    const loading = cache.load(image.file);
    store.take().answer(image.make());
    return loading;
  };
  const held = async (): Promise<number[]> => {
    await collectGarbage();
    return images.flatMap(({ file }, index) => (cache.peek(file) === undefined ? [] : [index]));
  };
  return { load, held, cache, store, clock };
}

it("lets go of the file that was not served for longest", async () => {
  const { load, held, cache } = open(1000);
  await load(first);
  await load(second);
  cache.peek(first.file);
  await load(third);
  expect(await held()).toEqual([0, 2]);
});

it("keeps as many files as fit exactly, and not a byte more", async () => {
  const { load, held } = open(1200);
  for (const image of images) await load(image);
  expect(await held()).toEqual([0, 1, 2]);
  const tight = open(1199);
  for (const image of images) await tight.load(image);
  expect(await tight.held()).toEqual([1, 2]);
});

it("serves a file that is larger than the whole cache, without keeping it or letting go of others", async () => {
  const { load, held, store, cache } = open(450);
  await load(second);
  const large = makeImage(9, 451);
  expect(await load(large)).toEqual(large.make());
  await collectGarbage();
  expect(cache.peek(large.file)).toBeUndefined();
  expect(await load(large)).toEqual(large.make());
  expect(store.calls).toEqual(["read", "read", "read"]);
  expect(await held()).toEqual([1]);
});

it("keeps an empty file", async () => {
  const { load, cache } = open(450);
  const empty = makeImage(0, 0);
  await load(empty);
  await collectGarbage();
  expect(cache.peek(empty.file)).toHaveLength(0);
});

it.each([
  ["that was let go of", 1000],
  ["that is larger than the whole cache", 399],
])("shares a file %s while somebody holds its bytes, and checks it as any other", async (_name, maxBytes) => {
  const { load, cache, store, clock } = open(maxBytes);
  const owed = await load(first);
  await load(second);
  await load(third);
  await collectGarbage();
  expect(cache.peek(first.file)).toBe(owed);
  clock.advance(1001);
  expect(cache.peek(first.file)).toBeUndefined();
  const loading = cache.load(first.file);
  const check = store.take();
  expect(check.name).toBe("head");
  check.answer(first.make());
  expect(await loading).toBe(owed);
  expect(cache.peek(first.file)).toBe(owed);
});

it("keeps a file again that it let go of and found", async () => {
  const { load, held, cache } = open(1000);
  let owed: Uint8Array | undefined = await load(first);
  await load(second);
  await load(third);
  expect(cache.peek(first.file)).toBe(owed);
  owed = undefined;
  expect(await held()).toEqual([0, 2]);
});

it("does not keep a file that was found Changed", async () => {
  const { load, held, cache, store, clock } = open(1000);
  await load(first);
  clock.advance(1001);
  const loading = cache.load(first.file);
  store.take().answer(second.make());
  await expect(loading).rejects.toMatchObject({ failure: "Changed" });
  expect(await held()).toEqual([]);
  clock.advance(1001);
  const again = cache.load(first.file);
  expect(store.take().name).toBe("read");
  again.catch(() => undefined);
});
