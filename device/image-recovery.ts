/** Finds out what an earlier run left of an image: the finished file, blocks to go on from, or nothing of use. */
import { setBit } from "../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../shared/protocol/blocks.ts";
import type { FileSystem } from "./file-system.ts";
import { readJournal, type StoredJournal } from "./image-journal.ts";
import type { ImagePaths } from "./image-paths.ts";
import {
  describeIdentityChange,
  describeSourceChange,
  type ImageDigests,
  type ImageIdentity,
} from "./protocol/image-identity.ts";
import { digestFile, findIntactBlocks } from "./verifier.ts";

/**
 * What was found on opening. `complete`: the finished image. `resumed`: blocks to go on from. `fresh`: nothing.
 * `discarded`: something that must not be used. `reason` is a sentence without its full stop.
 */
export interface Recovery {
  kind: "fresh" | "resumed" | "complete" | "discarded";
  reason: string;
}

/** The result of looking: the claims are those of blocks whose bytes were just read and are what was received. */
export interface RecoveredImage {
  recovery: Recovery;
  /** The digests of the finished image; undefined unless it is complete. */
  finished: ImageDigests | undefined;
  heldBlocks: Uint8Array;
  claims: Map<number, number>;
}

/** Looks at the final file, the journal and the partial file. Changes nothing on the disk. */
export async function recoverImage(
  fileSystem: FileSystem,
  paths: ImagePaths,
  identity: ImageIdentity,
): Promise<RecoveredImage> {
  const journal = await readJournal(fileSystem, paths.journal);
  const inPlace = await inspectFinalImage(fileSystem, paths.final, identity, journal);
  const blockCount = countBlocks(identity.sizeBytes, identity.blockSizeBytes);
  const heldBlocks = new Uint8Array(Math.ceil(blockCount / 8));
  if (inPlace.digests !== undefined) {
    for (let blockId = 0; blockId < blockCount; blockId++) setBit(heldBlocks, blockId);
    const recovery: Recovery = { kind: "complete", reason: inPlace.reason };
    return { recovery, finished: inPlace.digests, heldBlocks, claims: new Map() };
  }
  const recovered = await recoverBlocks(fileSystem, paths, identity, journal);
  if (inPlace.reason !== "") recovered.recovery.reason += `; ${inPlace.reason}`;
  return recovered;
}

async function inspectFinalImage(
  fileSystem: FileSystem,
  path: string,
  identity: ImageIdentity,
  journal: StoredJournal | { ok: false } | undefined,
): Promise<{ digests?: ImageDigests; reason: string }> {
  const file = await fileSystem.openToRead(path);
  if (file === undefined) return { reason: "" };
  const staysFor = (why: string) => ({ reason: `the image already in place stays until then, because ${why}` });
  try {
    const sizeBytes = await file.sizeBytes();
    if (sizeBytes !== identity.sizeBytes) return staysFor(`it has ${sizeBytes} bytes instead of ${identity.sizeBytes}`);
    const recorded = journal?.ok && describeSourceChange(journal.identity, identity) === undefined && journal.finished;
    const known = identity.crc32 !== undefined || identity.sha256 !== undefined;
    if (!known && !recorded) return staysFor("no digest is known to check it against");
    const expected = known ? identity : (recorded as ImageDigests);
    const { crc32, sha256 } = await digestFile(file);
    if (expected.sha256 !== undefined && expected.sha256 !== sha256) return staysFor("its SHA-256 is another");
    if (expected.crc32 !== undefined && expected.crc32 !== crc32) return staysFor("its CRC-32 is another");
    return { digests: { crc32, sha256 }, reason: "the finished image is in place and was verified again" };
  } finally {
    await file.close();
  }
}

async function recoverBlocks(
  fileSystem: FileSystem,
  paths: ImagePaths,
  identity: ImageIdentity,
  journal: StoredJournal | { ok: false; reason: string } | undefined,
): Promise<RecoveredImage> {
  const partial = await fileSystem.openToRead(paths.partial);
  try {
    if (journal === undefined) {
      if (partial === undefined) return nothingKept("fresh", "no earlier run left anything", identity);
      return nothingKept("discarded", "the partial file has no journal", identity);
    }
    if (!journal.ok) return nothingKept("discarded", `the journal is unusable: ${journal.reason}`, identity);
    const change = describeIdentityChange(journal.identity, identity);
    if (change !== undefined) return nothingKept("discarded", `the journal is for another image: ${change}`, identity);
    const defects = describeJournalDefects(journal);
    if (partial === undefined || journal.claims.size === 0) {
      if (partial === undefined && journal.claims.size > 0) defects.push("the partial file is gone");
      const kind = defects.length === 0 ? "fresh" : "discarded";
      return nothingKept(kind, ["an earlier run kept no block", ...defects].join(", "), identity);
    }
    const presentBytes = await partial.sizeBytes();
    const heldBlocks = await findIntactBlocks(partial, identity, (blockId) => journal.claims.get(blockId));
    return {
      ...describeHeldBlocks(identity, journal, heldBlocks, presentBytes, defects),
      finished: undefined,
      heldBlocks,
    };
  } finally {
    await partial?.close();
  }
}

function nothingKept(kind: "fresh" | "discarded", reason: string, identity: ImageIdentity): RecoveredImage {
  const blockCount = countBlocks(identity.sizeBytes, identity.blockSizeBytes);
  const heldBlocks = new Uint8Array(Math.ceil(blockCount / 8));
  return { recovery: { kind, reason }, finished: undefined, heldBlocks, claims: new Map() };
}

function describeJournalDefects(journal: StoredJournal): string[] {
  const defects: string[] = [];
  if (journal.missingBytes > 0) defects.push(`the journal is truncated by ${journal.missingBytes} bytes`);
  if (journal.garbledClaims > 0) defects.push(`${journal.garbledClaims} entries of the journal are garbled`);
  return defects;
}

function describeHeldBlocks(
  identity: ImageIdentity,
  journal: StoredJournal,
  heldBlocks: Uint8Array,
  presentBytes: number,
  defects: string[],
): Pick<RecoveredImage, "recovery" | "claims"> {
  const { sizeBytes, blockSizeBytes } = identity;
  const claims = new Map<number, number>();
  let pastTheEnd = 0;
  let changed = 0;
  for (const [blockId, claim] of journal.claims) {
    const end = blockId * blockSizeBytes + blockLength(blockId, sizeBytes, blockSizeBytes);
    if (((heldBlocks[blockId >>> 3] as number) & (1 << (blockId & 7))) !== 0) claims.set(blockId, claim);
    else if (end > presentBytes) pastTheEnd++;
    else changed++;
  }
  if (pastTheEnd > 0) defects.push(`the partial file is shorter than the journal says: ${pastTheEnd} blocks are gone`);
  if (changed > 0) defects.push(`${changed} blocks are not on the disk as they were received`);
  const kept = `${claims.size} of ${countBlocks(sizeBytes, blockSizeBytes)} blocks were kept from an earlier run`;
  const reason = [kept, ...defects].join(", ");
  return { recovery: { kind: claims.size > 0 ? "resumed" : "discarded", reason }, claims };
}
