/** The download of a file's manifest: the CRC-32 of every block, in as many messages as it takes. No IO. */
import { countBlocks } from "../../shared/protocol/blocks.ts";
import type { ChecksumsMessage, DescribedFile, ManifestRequest } from "../../shared/protocol/messages.ts";

/** Asks for the checksums of one file, from the first block to the last, one request at a time. */
export class ManifestDownload {
  readonly checksums: Uint32Array;
  private readonly file: DescribedFile;
  private readonly streamVersion: number;
  private readonly blockSizeBytes: number;
  private received = 0;
  /** Of every request: the answer to an earlier one, which came late, says the same. */
  private readonly tokens = new Set<string>();

  constructor(file: DescribedFile, streamVersion: number, blockSizeBytes: number) {
    this.file = file;
    this.streamVersion = streamVersion;
    this.blockSizeBytes = blockSizeBytes;
    this.checksums = new Uint32Array(countBlocks(file.sizeBytes, blockSizeBytes));
  }

  get complete(): boolean {
    return this.received === this.checksums.length;
  }

  /** The request for what is missing; the publisher sends as much of it as one message holds. */
  nextRequest(token: string): ManifestRequest {
    this.tokens.add(token);
    return {
      clientToken: token,
      streamVersion: this.streamVersion,
      fileId: this.file.fileId,
      blockSizeBytes: this.blockSizeBytes,
      blockOffset: this.received,
      blockCount: this.checksums.length - this.received,
    };
  }

  /** Says whether a token is of one of the requests. */
  isOutstanding(token: string): boolean {
    return this.tokens.has(token);
  }

  /** Takes in checksums; says whether they were the missing ones of this file. */
  take(message: ChecksumsMessage): boolean {
    const { fileId, blockSizeBytes, blockOffset, checksums, clientToken } = message;
    if (clientToken === undefined || !this.tokens.has(clientToken)) return false;
    if (fileId !== this.file.fileId || blockSizeBytes !== this.blockSizeBytes) return false;
    if (blockOffset !== this.received || checksums.length > this.checksums.length - this.received) return false;
    this.checksums.set(checksums, this.received);
    this.received += checksums.length;
    return true;
  }
}
