/** What is known of the stream under test, and what the rules need of its files. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** One file of the stream, with its original bytes. */
export interface FactFile {
  readonly fileId: number;
  readonly bytes: Uint8Array;
  readonly crc32: number;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
}

/** Everything the rules are written in terms of. */
export interface StreamFacts {
  readonly thing: string;
  readonly streamId: string;
  readonly streamVersion: number;
  readonly description: string | undefined;
  readonly profile: "strict" | "lenient";
  /** In the order of the description. */
  readonly files: readonly FactFile[];
  readonly large: FactFile;
  readonly exact: FactFile;
  readonly small: FactFile;
  /** A file id that the stream does not have. */
  readonly absentFileId: number;
}

/** What is known before the files are looked at. */
export type StreamBasics = Pick<StreamFacts, "thing" | "streamId" | "streamVersion" | "description" | "profile">;

/** Files that meet every need, for a stream of one's own: sizes in bytes by file id. */
export const SUITABLE_SIZES: ReadonlyMap<number, number> = new Map([
  [0, 1_052_673],
  [24, 131_072],
  [255, 5_000],
]);

const NEEDS = [
  { role: "large", words: "at least 131073 bytes, one more than a multiple of 4096", fits: isLarge },
  { role: "exact", words: "exactly 131072 bytes", fits: isExact },
  { role: "small", words: "2072 to 32768 bytes, 24 to 255 more than a multiple of 256", fits: isSmall },
] as const;

/** The needs as lines of text. */
export const NEED_LINES: readonly string[] = NEEDS.map(({ role, words }) => `${role}: ${words}`);

/** The roles for which no size fits, each with what it needs. */
export function unmetNeeds(sizes: readonly number[]): string[] {
  return NEEDS.filter(({ fits }) => !sizes.some(fits)).map(({ role, words }) => `${role}: ${words}`);
}

/** Looks through the files for their roles; throws when one has none. */
export function gatherFacts(
  basics: StreamBasics,
  files: readonly { readonly fileId: number; readonly bytes: Uint8Array }[],
): StreamFacts {
  const unmet = unmetNeeds(files.map(({ bytes }) => bytes.length));
  if (unmet.length > 0) throw new Error(`stream ${basics.streamId} lacks a file: ${unmet.join("; ")}`);
  const known = files.map(({ fileId, bytes }) => ({
    fileId,
    bytes,
    crc32: crc32(bytes),
    sha256: createHash("sha256").update(bytes).digest(),
  }));
  const ofSize = (fits: (sizeBytes: number) => boolean): FactFile =>
    known.find(({ bytes }) => fits(bytes.length)) as FactFile;
  const ids = new Set(known.map(({ fileId }) => fileId));
  const absentFileId = Array.from({ length: 256 }, (_, id) => 255 - id).find((id) => !ids.has(id)) as number;
  return {
    ...basics,
    files: known,
    large: ofSize(isLarge),
    exact: ofSize(isExact),
    small: ofSize(isSmall),
    absentFileId,
  };
}

/** Bytes in which no two blocks are alike; the same for the same size. */
export function patternBytes(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = sizeBytes >>> 0;
  for (let index = 0; index < sizeBytes; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

function isLarge(sizeBytes: number): boolean {
  return sizeBytes >= 131_073 && sizeBytes % 4096 === 1;
}

function isExact(sizeBytes: number): boolean {
  return sizeBytes === 131_072;
}

function isSmall(sizeBytes: number): boolean {
  return sizeBytes >= 2072 && sizeBytes <= 32_768 && sizeBytes % 256 >= 24;
}
