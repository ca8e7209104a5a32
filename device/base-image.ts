/** Takes the blocks of an image that did not change from an older one at hand. */
import { nextClearBit } from "../shared/protocol/bitmap.ts";
import { checksum } from "../shared/protocol/block-checksums.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import type { FileSystem } from "./file-system.ts";
import type { ImageStore } from "./image-store.ts";

/** What {@link copyUnchangedBlocks} needs. */
export interface BaseImageOptions {
  readonly fileSystem: FileSystem;
  readonly basePath: string;
  readonly blockSizeBytes: number;
  readonly store: ImageStore;
  /** The CRC-32 of every block of the new image. */
  readonly checksums: Uint32Array;
}

/**
 * Copies every block that the store lacks and that the base image has at the same place, as its CRC-32 says; returns how
 * many. The digest of the whole image decides in the end. Rejects with OtaError `FileNotReadable`.
 */
export async function copyUnchangedBlocks(options: BaseImageOptions): Promise<number> {
  const { fileSystem, basePath, blockSizeBytes, store, checksums } = options;
  const base = await fileSystem.openToRead(basePath).catch((error: unknown) => fail(basePath, error));
  if (base === undefined) throw new OtaError("FileNotReadable", `there is no base image ${basePath}`);
  try {
    let copied = 0;
    const buffer = new Uint8Array(blockSizeBytes);
    // A copy; what is written meanwhile is behind the search.
    const held = store.heldBlocks;
    const missing = (from: number): number => nextClearBit(held, from, checksums.length);
    for (let blockId = missing(0); blockId >= 0; blockId = missing(blockId + 1)) {
      const block = buffer.subarray(0, store.lengthOf(blockId));
      const bytes = await base.read(blockId * blockSizeBytes, block);
      if (bytes < block.length || checksum(block) !== checksums[blockId]) continue;
      await store.write(blockId, block);
      copied++;
    }
    return copied;
  } catch (error) {
    return fail(basePath, error);
  } finally {
    await base.close();
  }
}

/** What has a code already is of the store that is written to; a folder, for one, fails only when it is read. */
function fail(basePath: string, error: unknown): never {
  if (error instanceof OtaError) throw error;
  throw new OtaError("FileNotReadable", `the base image ${basePath} cannot be read`, { cause: error });
}
