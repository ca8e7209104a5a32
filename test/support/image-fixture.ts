/** Images and stores for the tests of the image store. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { FileSystem } from "../../device/file-system.ts";
import type { ImageStore, ImageStoreOptions } from "../../device/image-store.ts";
import { openImageStore } from "../../device/open-image-store.ts";
import type { ImageIdentity } from "../../device/protocol/image-identity.ts";
import { silentLog } from "../../shared/log.ts";
import { hasBit } from "../../shared/protocol/bitmap.ts";
import { seededRandom } from "../../shared/random.ts";

/** An image's bytes and identity. */
export interface ImageFixture {
  bytes: Uint8Array;
  identity: ImageIdentity;
}

/** Makes an image of seeded random bytes; without `digests`, its identity names none. */
export function makeImage(
  options: { seed?: number; sizeBytes?: number; digests?: boolean } & Partial<ImageIdentity> = {},
): ImageFixture {
  const { seed = 1, digests = true, sizeBytes = 1000, ...rest } = options;
  const random = seededRandom(seed);
  const bytes = Uint8Array.from({ length: sizeBytes }, () => random.uint32() & 0xff);
  const sums = digests ? digestsOf(bytes) : {};
  return {
    bytes,
    identity: { streamId: "stream", fileId: 7, streamVersion: 0, sizeBytes, blockSizeBytes: 256, ...sums, ...rest },
  };
}

/** The CRC-32 and SHA-256 of some bytes. */
export function digestsOf(bytes: Uint8Array): { crc32: number; sha256: string } {
  return { crc32: crc32(bytes), sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** The bytes of one block. */
export function blockOf(image: ImageFixture, blockId: number): Uint8Array {
  const start = blockId * image.identity.blockSizeBytes;
  return image.bytes.subarray(start, start + image.identity.blockSizeBytes);
}

/** Opens the store of an image with a quiet log. */
export function openStore(
  image: ImageFixture,
  fileSystem: FileSystem,
  options: Partial<ImageStoreOptions> = {},
): Promise<ImageStore> {
  return openImageStore({ directory: "/out", identity: image.identity, fileSystem, log: silentLog, ...options });
}

/** The ids of the blocks a store held when it was opened. */
export function receivedIds(store: ImageStore): number[] {
  return Array.from({ length: store.blockCount }, (_, blockId) => blockId).filter((id) =>
    hasBit(store.receivedBlocks, id),
  );
}

/** Writes every block that was not held on opening, verifies, and hands the image over. */
export async function finishImage(store: ImageStore, image: ImageFixture): Promise<string> {
  if (!store.complete) {
    for (let blockId = 0; blockId < store.blockCount; blockId++) {
      if (!hasBit(store.receivedBlocks, blockId)) await store.write(blockId, blockOf(image, blockId));
    }
  }
  const verification = await store.verify(image.identity);
  if (!verification.ok) throw new Error(`not verified: ${verification.message}`);
  return store.commit();
}
