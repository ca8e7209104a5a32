/** Opens the store of an image: finds what an earlier run left, and takes the lock that keeps other processes out. */
import { OtaError } from "../shared/protocol/errors.ts";
import { asOutputError, type FileLock, type FileSystem, type OpenFile } from "./file-system.ts";
import { ImageJournal } from "./image-journal.ts";
import { type ImagePaths, imagePaths } from "./image-paths.ts";
import { type RecoveredImage, recoverImage } from "./image-recovery.ts";
import { ImageStore, type ImageStoreOptions } from "./image-store.ts";
import { describeIdentityFault } from "./protocol/image-identity.ts";

/**
 * Opens the store of one image: finds what an earlier run left, checks it, and takes the lock that keeps other processes
 * out. Throws OtaError: `InvalidArgument` for an identity out of range, `OutputNotWritable` (`retryable` when another
 * process has the image), `DiskFull`.
 */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const { identity, fileSystem, log } = options;
  const fault = describeIdentityFault(identity);
  if (fault !== undefined) throw new OtaError("InvalidArgument", fault);
  const paths = imagePaths(options.directory, identity);
  const opened: { lock?: FileLock; data?: OpenFile } = {};
  try {
    await fileSystem.createDirectory(paths.directory);
    opened.lock = await takeLock(fileSystem, paths);
    const recovered = await recoverImage(fileSystem, paths, identity);
    log[recovered.recovery.kind === "discarded" ? "warn" : "info"]("image store opened", {
      path: paths.final,
      found: recovered.recovery.kind,
      reason: recovered.recovery.reason,
    });
    if (recovered.finished !== undefined) {
      const store = new ImageStore(options, paths, recovered, { lock: opened.lock });
      await store.removeLeftovers();
      return store;
    }
    opened.data = await openPartial(fileSystem, paths, recovered, identity.sizeBytes);
    const journal = await ImageJournal.replace(fileSystem, paths.journal, identity, recovered.claims);
    return new ImageStore(options, paths, recovered, { lock: opened.lock, data: opened.data, journal });
  } catch (error) {
    await opened.data?.close().catch(() => {});
    await opened.lock?.release().catch(() => {});
    throw asOutputError(error, paths.final);
  }
}

async function takeLock(fileSystem: FileSystem, paths: ImagePaths): Promise<FileLock> {
  const lock = await fileSystem.lock(paths.lock);
  if (!("heldBy" in lock)) return lock;
  const message = `${paths.final} is already being downloaded by ${lock.heldBy}; wait for it or choose another directory`;
  throw new OtaError("OutputNotWritable", message, { retryable: true });
}

async function openPartial(fileSystem: FileSystem, paths: ImagePaths, recovered: RecoveredImage, sizeBytes: number) {
  if (recovered.recovery.kind !== "resumed") return fileSystem.openEmpty(paths.partial);
  const data = await fileSystem.openToUpdate(paths.partial);
  if ((await data.sizeBytes()) > sizeBytes) await data.truncate(sizeBytes);
  return data;
}
