/** What an assembled file is checked against: the digests of the description and those the caller knows. No IO. */
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
    const message = `${name} of file ${file.fileId} is ${file[name]} according to the stream, not ${known[name]} as expected`;
    throw new OtaError("DigestMismatch", message);
  }
  const crc32 = known.crc32 ?? file.crc32;
  const sha256 = known.sha256 ?? file.sha256;
  return { ...(crc32 !== undefined && { crc32 }), ...(sha256 !== undefined && { sha256 }) };
}
