/** Block checksums of files that devices asked for lately, so that a manifest is computed once for all of them. */
import { LRUCache } from "lru-cache";
import { blockChecksums } from "../shared/protocol/block-checksums.ts";
import { countBlocks } from "../shared/protocol/blocks.ts";

/** Most manifests kept: a file has one for each block size. The largest has 98,304 checksums, 384 KiB. */
const MAX_MANIFESTS = 64;

/** Computes manifests and keeps the last ones. */
export class ManifestCache {
  private readonly manifests = new LRUCache<string, Uint32Array>({ max: MAX_MANIFESTS });
  /** A name for the bytes of each file: the file cache hands out the same array as long as it keeps the file. */
  private readonly names = new WeakMap<Uint8Array, number>();
  private lastName = 0;

  /** The CRC-32 of every block of a file. */
  checksumsOf(fileBytes: Uint8Array, blockSizeBytes: number): Uint32Array {
    const key = `${this.nameOf(fileBytes)}/${blockSizeBytes}`;
    const known = this.manifests.get(key);
    if (known !== undefined) return known;
    const checksums = blockChecksums(fileBytes, blockSizeBytes, 0, countBlocks(fileBytes.length, blockSizeBytes));
    this.manifests.set(key, checksums);
    return checksums;
  }

  private nameOf(fileBytes: Uint8Array): number {
    const known = this.names.get(fileBytes);
    if (known !== undefined) return known;
    this.names.set(fileBytes, ++this.lastName);
    return this.lastName;
  }
}
