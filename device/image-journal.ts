/** The journal of one image on disk: reads what an earlier run left, and keeps the claims of this one. */
import { crc32 } from "../shared/crc32.ts";
import { countBlocks } from "../shared/protocol/blocks.ts";
import type { FileSystem, OpenFile } from "./file-system.ts";
import type { ImageDigests, ImageIdentity } from "./protocol/image-identity.ts";
import {
  CLAIM_BYTES,
  CLAIMS_OFFSET,
  decodeClaim,
  decodeFinishedRecord,
  decodeJournalHeader,
  encodeClaim,
  encodeFinishedRecord,
  encodeJournalHeader,
  FINISHED_RECORD_BYTES,
  FINISHED_RECORD_OFFSET,
  JOURNAL_HEADER_BYTES,
  journalSizeBytes,
} from "./protocol/journal-format.ts";

/** What a journal on disk says; the claims are yet to be checked against the data. */
export interface StoredJournal {
  ok: true;
  identity: ImageIdentity;
  /** The digests of the image that was handed over, when it was. */
  finished: ImageDigests | undefined;
  /** The claimed CRC-32 of each block; blocks not claimed are absent. */
  claims: Map<number, number>;
  /** Claims that were damaged and do not count. */
  garbledClaims: number;
  /** How many bytes the journal is short of its full length. */
  missingBytes: number;
}

/** Reads a journal; undefined when there is none, and a reason when its bytes cannot be understood. */
export async function readJournal(
  fileSystem: FileSystem,
  path: string,
): Promise<StoredJournal | { ok: false; reason: string } | undefined> {
  const file = await fileSystem.openToRead(path);
  if (file === undefined) return undefined;
  try {
    const fixed = new Uint8Array(CLAIMS_OFFSET);
    const fixedLength = await file.read(0, fixed);
    const header = decodeJournalHeader(fixed.subarray(0, fixedLength), crc32);
    if (!header.ok) return header;
    const { identity, key } = header;
    const fullBytes = journalSizeBytes(identity);
    const presentBytes = Math.min(fullBytes, await file.sizeBytes());
    const table = new Uint8Array(Math.max(0, presentBytes - CLAIMS_OFFSET));
    const tableLength = await file.read(CLAIMS_OFFSET, table);
    const claims = new Map<number, number>();
    let garbledClaims = 0;
    for (let blockId = 0; blockId * CLAIM_BYTES < tableLength; blockId++) {
      const claim = decodeClaim(table.subarray(0, tableLength), blockId * CLAIM_BYTES, { key, blockId }, crc32);
      if (claim === "garbled") garbledClaims++;
      else if (claim !== "none") claims.set(blockId, claim);
    }
    const record = fixed.subarray(FINISHED_RECORD_OFFSET, Math.min(CLAIMS_OFFSET, fixedLength));
    const finished = decodeFinishedRecord(record.subarray(0, FINISHED_RECORD_BYTES), key, crc32);
    return { ok: true, identity, finished, claims, garbledClaims, missingBytes: fullBytes - presentBytes };
  } finally {
    await file.close();
  }
}

/** Keeps the claims of one image, in memory and on disk. Nothing it wrote is durable before {@link ImageJournal.sync}. */
export class ImageJournal {
  readonly #file: OpenFile;
  readonly #key: number;
  readonly #table: Uint8Array;
  #changed: number[] = [];

  private constructor(file: OpenFile, key: number, table: Uint8Array) {
    this.#file = file;
    this.#key = key;
    this.#table = table;
  }

  /**
   * Puts a new journal with these claims in the place of the one at `path`, in one step. It has its full length from the
   * start, so that a disk that fills up later does not stop it. Claims carried over are durable before the old journal goes.
   */
  static async replace(
    fileSystem: FileSystem,
    path: string,
    identity: ImageIdentity,
    claims: ReadonlyMap<number, number>,
  ): Promise<ImageJournal> {
    const { bytes: header, key } = encodeJournalHeader(identity, crc32);
    const table = new Uint8Array(CLAIM_BYTES * countBlocks(identity.sizeBytes, identity.blockSizeBytes));
    for (const [blockId, blockCrc32] of claims) {
      encodeClaim(table, blockId * CLAIM_BYTES, { key, blockId, blockCrc32 }, crc32);
    }
    const newPath = newJournalPath(path);
    const file = await fileSystem.openEmpty(newPath);
    try {
      file.write(0, header);
      file.write(JOURNAL_HEADER_BYTES, new Uint8Array(CLAIMS_OFFSET - JOURNAL_HEADER_BYTES));
      file.write(CLAIMS_OFFSET, table);
      if (claims.size > 0) await file.syncData();
      await fileSystem.rename(newPath, path);
      return new ImageJournal(file, key, table);
    } catch (error) {
      await file.close();
      await fileSystem.remove(newPath).catch(() => {});
      throw error;
    }
  }

  /** Removes the journal at `path`, and what an interrupted {@link ImageJournal.replace} may have left. */
  static async remove(fileSystem: FileSystem, path: string): Promise<void> {
    await fileSystem.remove(path);
    await fileSystem.remove(newJournalPath(path));
  }

  /** How many claims were made or taken back since {@link ImageJournal.writeChanges}. */
  get changes(): number {
    return this.#changed.length;
  }

  /** Claims a block whose bytes have this CRC-32; the file learns of it with {@link ImageJournal.writeChanges}. */
  claim(blockId: number, blockCrc32: number): void {
    encodeClaim(this.#table, blockId * CLAIM_BYTES, { key: this.#key, blockId, blockCrc32 }, crc32);
    this.#changed.push(blockId);
  }

  /** Takes a claim back; the file learns of it with {@link ImageJournal.writeChanges}. */
  forget(blockId: number): void {
    this.#table.fill(0, blockId * CLAIM_BYTES, (blockId + 1) * CLAIM_BYTES);
    this.#changed.push(blockId);
  }

  /** The claimed CRC-32 of a block; undefined when it is not claimed. */
  claimOf(blockId: number): number | undefined {
    const claim = decodeClaim(this.#table, blockId * CLAIM_BYTES, { key: this.#key, blockId }, crc32);
    return typeof claim === "number" ? claim : undefined;
  }

  /** Writes out every change that is still only in memory. */
  writeChanges(): void {
    const changed = this.#changed.sort((left, right) => left - right);
    let start = 0;
    for (let index = 1; index <= changed.length; index++) {
      const previous = changed[index - 1] as number;
      if (index < changed.length && (changed[index] as number) <= previous + 1) continue;
      const from = (changed[start] as number) * CLAIM_BYTES;
      this.#file.write(CLAIMS_OFFSET + from, this.#table.subarray(from, (previous + 1) * CLAIM_BYTES));
      start = index;
    }
    this.#changed = [];
  }

  /** Makes everything {@link ImageJournal.writeChanges} wrote durable. */
  sync(): Promise<void> {
    return this.#file.syncData();
  }

  /** Records, durably, that the whole image was verified and has these digests. */
  async recordFinished(digests: ImageDigests): Promise<void> {
    this.#file.write(FINISHED_RECORD_OFFSET, encodeFinishedRecord(digests, this.#key, crc32));
    await this.#file.syncData();
  }

  /** Closes the file; changes not written out are lost. */
  close(): Promise<void> {
    return this.#file.close();
  }
}

function newJournalPath(path: string): string {
  return `${path}.new`;
}
