/** Where an image and what belongs to it lie under the output directory. */
import assert from "node:assert/strict";
import { join, resolve, sep } from "node:path";
import type { ImageIdentity } from "./protocol/image-identity.ts";

/** The absolute paths of one image's files. */
export interface ImagePaths {
  /** `<out>/<streamId>`. */
  directory: string;
  /** `<out>/<streamId>/<fileId>`: here only ever is a verified image. */
  final: string;
  partial: string;
  journal: string;
  lock: string;
}

/** Lays out the paths of an image whose identity is valid; the ids cannot lead out of `out`. */
export function imagePaths(out: string, identity: ImageIdentity): ImagePaths {
  const root = resolve(out);
  const directory = join(root, identity.streamId);
  const final = join(directory, String(identity.fileId));
  assert(final.startsWith(root.endsWith(sep) ? root : root + sep), "an image path leads out of its directory");
  assert(final.startsWith(directory + sep), "an image path leads out of its stream's directory");
  return { directory, final, partial: `${final}.part`, journal: `${final}.journal`, lock: `${final}.lock` };
}
