/** What the file cache keeps, and what it lets go of. */
import { expect, it } from "vitest";
import { FileCache } from "../../publisher/file-cache.ts";
import { createControlClock } from "../support/control-clock.ts";
import { HeldStore } from "../support/publisher-held-store.ts";
import { recordedFile } from "../support/publisher-stream.ts";

const images = [0, 1, 2].map((index) => {
  const bytes = Buffer.alloc(400, index);
  return { bytes, file: recordedFile(bytes, { s3Location: { bucket: "b", key: `k${index}` } }) };
});
type Image = (typeof images)[number];

/** A cache, a way to load an image into it, and which of the images it holds. */
function open(maxBytes: number): {
  load: (image: Image) => Promise<Uint8Array>;
  held: () => number[];
  cache: FileCache;
  store: HeldStore;
} {
  const store = new HeldStore();
  const clock = createControlClock(0);
  const cache = new FileCache({ store, clock, maxBytes, checkIntervalMs: 1000, serveStaleMs: 0 });
  const load = (image: Image): Promise<Uint8Array> => {
    const loading = cache.load(image.file);
    store.take().answer(image.bytes);
    return loading;
  };
  const held = (): number[] => images.flatMap(({ file }, index) => (cache.peek(file) === undefined ? [] : [index]));
  return { load, held, cache, store };
}

it("lets go of the file that was not served for longest", async () => {
  const { load, held, cache } = open(1000);
  for (const image of images.slice(0, 2)) await load(image);
  cache.peek((images[0] as Image).file);
  await load(images[2] as Image);
  expect(held()).toEqual([0, 2]);
});

it("keeps as many files as fit exactly, and not a byte more", async () => {
  const { load, held } = open(1200);
  for (const image of images) await load(image);
  expect(held()).toEqual([0, 1, 2]);
  const tight = open(1199);
  for (const image of images) await tight.load(image);
  expect(tight.held()).toEqual([1, 2]);
});

it("serves a file that is larger than the whole cache, without keeping it or letting go of others", async () => {
  const { load, held, store } = open(450);
  await load(images[1] as Image);
  const bytes = Buffer.alloc(451, 9);
  const large = { bytes, file: recordedFile(bytes) };
  expect(await load(large)).toBe(bytes);
  expect(await load(large)).toBe(bytes);
  expect(store.calls).toEqual(["read", "read", "read"]);
  expect(held()).toEqual([1]);
});

it("keeps an empty file", async () => {
  const { load, cache } = open(450);
  const bytes = new Uint8Array(0);
  const empty = { bytes: Buffer.from(bytes), file: recordedFile(bytes) };
  await load(empty);
  expect(cache.peek(empty.file)).toHaveLength(0);
});
