/** What an assembled file is checked against: the digests of the description and those the caller knows. No IO. */
import { formatChecksum } from "../../shared/protocol/block-checksums.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { DescribedFile } from "../../shared/protocol/messages.ts";

/** Digests of a file that somebody vouches for. */
export interface ExpectedDigests {
  /** Unsigned 32-bit. */
  readonly crc32?: number;
  /** 64 lowercase hex digits. */
  readonly sha256?: string;
}

/**
 * Joins both sources. Throws OtaError `DigestMismatch` where they contradict each other: then no download can succeed,
 * and it is better known before it is made.
 */
export function reconcileDigests(file: DescribedFile, known: ExpectedDigests = {}): ExpectedDigests {
  for (const name of ["crc32", "sha256"] as const) {
    if (file[name] === undefined || known[name] === undefined || file[name] === known[name]) continue;
    const [said, expected] = [file[name], known[name]].map(formatDigest);
    const message = `${name} of file ${file.fileId} is ${said} according to the stream, not ${expected} as expected`;
    throw new OtaError("DigestMismatch", message);
  }
  const crc32 = known.crc32 ?? file.crc32;
  const sha256 = known.sha256 ?? file.sha256;
  return { ...(crc32 !== undefined && { crc32 }), ...(sha256 !== undefined && { sha256 }) };
}

/** A CRC-32 as people write it, 8 hex digits; a SHA-256 is one already. */
function formatDigest(digest: number | string | undefined): string {
  return typeof digest === "number" ? formatChecksum(digest) : `${digest}`;
}
