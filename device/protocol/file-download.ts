/** The download of one file: what is missing, what is asked for under which token, and what was counted. No IO. */
import type { DescribedFile, GetRequest } from "../../shared/protocol/messages.ts";
import { type Arrival, BlockLedger } from "./block-ledger.ts";
import { formatGet, planBlocks } from "./request-planner.ts";
import type { FileProgress } from "./session-types.ts";

/** What identifies the bytes that are fetched. */
export interface FileDownloadOptions {
  readonly file: DescribedFile;
  readonly streamVersion: number;
  readonly blockSizeBytes: number;
  /** Bitmap of the blocks in the store. */
  readonly held: Uint8Array;
  /** Begins every token of this download; an answer with another beginning is for other bytes. */
  readonly tokenPrefix: string;
}

/** A data message, without its bytes. */
export interface ArrivedBlock {
  readonly fileId: number;
  readonly blockId: number;
  readonly sizeBytes: number;
  readonly clientToken?: string | undefined;
}

/** The part of a file's progress that is counted here. */
type Counters = {
  -readonly [Key in "resumedBlocks" | "requests" | "duplicates" | "impossible" | "timeouts"]: FileProgress[Key];
};

/** The books of one file from its opening to its verification. */
export class FileDownload {
  readonly file: DescribedFile;
  private readonly options: FileDownloadOptions;
  private readonly ledger: BlockLedger;
  private readonly counters: Counters;

  constructor(options: FileDownloadOptions) {
    this.options = options;
    this.file = options.file;
    this.ledger = new BlockLedger(options.file.sizeBytes, options.blockSizeBytes, options.held);
    this.counters = { resumedBlocks: this.ledger.heldCount, requests: 0, duplicates: 0, impossible: 0, timeouts: 0 };
  }

  get complete(): boolean {
    return this.ledger.complete;
  }

  progress(): FileProgress {
    const { fileId, sizeBytes } = this.file;
    const { blockCount: blocks, heldCount: heldBlocks } = this.ledger;
    return { fileId, sizeBytes, blocks, heldBlocks, ...this.counters };
  }

  /** Takes in a data message; `foreign` is one for another file, or for bytes from before a change. */
  take({ fileId, blockId, sizeBytes, clientToken }: ArrivedBlock): Arrival | "foreign" {
    const ours = clientToken === undefined || clientToken.startsWith(this.options.tokenPrefix);
    if (fileId !== this.file.fileId || !ours) return "foreign";
    const arrival = this.ledger.arrive(blockId, sizeBytes);
    if (arrival === "duplicate") this.counters.duplicates++;
    if (arrival === "impossible") this.counters.impossible++;
    return arrival;
  }

  /** The round trip that the first answer to a request measures, in milliseconds; undefined for any other message. */
  takeRoundTripMs(clientToken: string | undefined, nowMs: number): number | undefined {
    const sentAtMs = clientToken === undefined ? undefined : this.ledger.takeSentAtMs(clientToken);
    return sentAtMs === undefined ? undefined : nowMs - sentAtMs;
  }

  /** Says whether a request with this token is not fully answered. */
  isOutstanding(clientToken: string): boolean {
    return this.ledger.isOutstanding(clientToken);
  }

  /** The requests that the window has room for; they count as sent. `tokenSuffix` gives a new one each time. */
  nextRequests(windowBytes: number, urgent: boolean, nowMs: number, tokenSuffix: () => string): GetRequest[] {
    const { file, streamVersion, blockSizeBytes, tokenPrefix } = this.options;
    const requests: GetRequest[] = [];
    for (;;) {
      const blockIds = planBlocks(this.ledger, Math.max(windowBytes, blockSizeBytes), urgent);
      if (blockIds.length === 0) return requests;
      const token = tokenPrefix + tokenSuffix();
      this.ledger.ask(token, blockIds, nowMs);
      this.counters.requests++;
      requests.push(formatGet({ fileId: file.fileId, streamVersion, blockSizeBytes }, token, blockIds));
    }
  }

  /** Gives up the blocks that later ones overtook; says whether there were any. */
  giveUpOvertaken(): boolean {
    return this.ledger.giveUpOvertaken() > 0;
  }

  /** Gives up everything that is asked for; the blocks are missing again. */
  giveUpAll(): void {
    this.ledger.giveUpAll();
  }

  countTimeout(): void {
    this.counters.timeouts++;
  }
}
