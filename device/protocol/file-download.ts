/** The download of one file: what is missing, what is asked for under which token, and what was counted. No IO. */
import type { DescribedFile, GetRequest } from "../../shared/protocol/messages.ts";
import { type Arrival, BlockLedger, type Outstanding } from "./block-ledger.ts";
import type { FlowWindow } from "./flow-window.ts";
import { blocksPerAnswer, formatGet, planBlocks } from "./request-planner.ts";
import type { RetryTimer } from "./retry-timer.ts";
import type { FileProgress, RunArrived } from "./session-types.ts";

/** What most blocks lead to. */
const NO_REQUESTS: readonly GetRequest[] = [];

/** The part of a file's progress that is counted here. */
export type Counters = {
  -readonly [Key in "resumedBlocks" | "requests" | "duplicates" | "impossible" | "timeouts"]: FileProgress[Key];
};

/** What identifies the bytes that are fetched. */
export interface FileDownloadOptions {
  readonly file: DescribedFile;
  readonly streamVersion: number;
  readonly blockSizeBytes: number;
  /** Bitmap of the blocks in the store. */
  readonly held: Uint8Array;
  /** Begins every token of this download; an answer with another beginning is for other bytes. */
  readonly tokenPrefix: string;
  readonly window: FlowWindow;
  readonly timer: RetryTimer;
  /** What was counted for this file so far, when it is fetched again from the start. */
  readonly counters?: Counters | undefined;
}

/** A data message, without its bytes. */
export interface ArrivedBlock {
  readonly fileId: number;
  readonly blockId: number;
  readonly sizeBytes: number;
  readonly clientToken?: string | undefined;
}

/** How many blocks are asked for when nothing arrives; one alone could be the one that is lost again. */
const PROBE_BLOCKS = 2;

/** The books of one file from its opening to its verification. */
export class FileDownload {
  readonly file: DescribedFile;
  /** Whether the publisher has sent anything for this file yet: until then it may be waiting for its storage. */
  isFlowing = false;
  private readonly options: FileDownloadOptions;
  private ledger: BlockLedger;
  /** What was counted since the file was opened first. */
  readonly counters: Counters;

  constructor(options: FileDownloadOptions) {
    this.options = options;
    this.file = options.file;
    this.ledger = new BlockLedger(options.file.sizeBytes, options.blockSizeBytes, options.held);
    this.counters = options.counters ?? {
      resumedBlocks: this.ledger.heldCount,
      requests: 0,
      duplicates: 0,
      impossible: 0,
      timeouts: 0,
    };
  }

  get complete(): boolean {
    return this.ledger.complete;
  }

  progress(): FileProgress {
    const { fileId, sizeBytes } = this.file;
    const { blockCount: blocks, heldCount: heldBlocks } = this.ledger;
    return { fileId, sizeBytes, blocks, heldBlocks, ...this.counters };
  }

  /** Takes in a data message. `foreign`: of another file, or of bytes from before a change. */
  take({ fileId, blockId, sizeBytes, clientToken }: ArrivedBlock, nowMs: number): Arrival | "foreign" {
    const { tokenPrefix, window } = this.options;
    const request = clientToken === undefined ? undefined : this.ledger.findOutstanding(clientToken);
    const isLate = clientToken !== undefined && request === undefined;
    if (fileId !== this.file.fileId || (isLate && !clientToken.startsWith(tokenPrefix))) return "foreign";
    const arrival = this.ledger.arrive(blockId, sizeBytes, isLate ? "late" : request);
    if (arrival === "duplicate") this.counters.duplicates++;
    if (arrival === "impossible") this.counters.impossible++;
    if (arrival !== "impossible") this.isFlowing = true;
    if (arrival === "new") window.markDelivered(sizeBytes, request?.mark, nowMs);
    if (request !== undefined && !request.answered) this.noteAnswered(request, nowMs);
    return arrival;
  }

  /**
   * Takes in data messages that came at once, when they answer one outstanding request and each is new; says whether it
   * was so. Not those of the very first answer: with each of its blocks the window opens, and what is asked for meanwhile
   * is little. A fleet that begins together would wait longer for full answers to all than its timers know from the first.
   */
  takeRun({ fileId, blockId, blockCount, sizeBytes, clientToken }: RunArrived, nowMs: number): boolean {
    const request = clientToken === undefined ? undefined : this.ledger.findOutstanding(clientToken);
    if (request === undefined || request.mark.deliveredBytes === 0 || fileId !== this.file.fileId) return false;
    if (!this.ledger.arriveRun(blockId, blockCount, sizeBytes, request)) return false;
    const { window } = this.options;
    this.isFlowing = true;
    // As one by one: the first block ends the round trip, and the others come behind it.
    let blocksLeft = blockCount;
    if (!request.answered) {
      window.markDelivered(sizeBytes, request.mark, nowMs);
      this.noteAnswered(request, nowMs);
      blocksLeft--;
    }
    if (blocksLeft > 0) window.markDelivered(blocksLeft * sizeBytes, request.mark, nowMs);
    return true;
  }

  /** Says whether a request with this token is not fully answered. */
  isOutstanding(clientToken: string): boolean {
    return this.ledger.findOutstanding(clientToken) !== undefined;
  }

  /** The requests that the window has room for; they count as sent. `tokenSuffix` gives a new one each time. */
  nextRequests(urgent: boolean, nowMs: number, tokenSuffix: () => string): readonly GetRequest[] {
    let requests: GetRequest[] | undefined;
    for (;;) {
      const blockIds = planBlocks(this.ledger, this.options.window.bytes, urgent);
      if (blockIds.length === 0) return requests ?? NO_REQUESTS;
      requests ??= [];
      requests.push(this.send(blockIds, nowMs, tokenSuffix(), false));
    }
  }

  /**
   * Asks again for the blocks that were asked for first and did not come, or for the next ones when none are asked for.
   * They are few: if the answers are only late, this is all that comes twice, and if they are lost, its answer shows it.
   */
  probe(nowMs: number, tokenSuffix: () => string): readonly GetRequest[] {
    this.counters.timeouts++;
    const most = Math.min(PROBE_BLOCKS, blocksPerAnswer(this.options.blockSizeBytes));
    const blockIds = this.ledger.findOldestAsked(most);
    if (blockIds.length === 0) return this.nextRequests(true, nowMs, tokenSuffix);
    return [this.send(blockIds, nowMs, tokenSuffix(), true)];
  }

  /** Gives up the blocks that later ones overtook; says whether there were any. */
  giveUpOvertaken(): boolean {
    return this.ledger.giveUpOvertaken() > 0;
  }

  /** Gives up everything that is asked for; the blocks are missing again. */
  giveUpAll(): void {
    this.ledger.giveUpAll();
  }

  /** Starts the books again from the blocks that are in the store now; what was counted stays. */
  replaceHeld(held: Uint8Array): void {
    this.ledger = new BlockLedger(this.file.sizeBytes, this.options.blockSizeBytes, held);
  }

  /** Takes the time to the first answer of a request as a round trip. */
  private noteAnswered(request: Outstanding, nowMs: number): void {
    const { window, timer } = this.options;
    const roundTripMs = nowMs - request.mark.sentAtMs;
    request.answered = true;
    window.measureRoundTrip(roundTripMs, request.mark);
    timer.measure(roundTripMs);
  }

  private send(blockIds: readonly number[], nowMs: number, tokenSuffix: string, isProbe: boolean): GetRequest {
    const { file, streamVersion, blockSizeBytes, tokenPrefix, window } = this.options;
    const token = tokenPrefix + tokenSuffix;
    this.ledger.ask(token, blockIds, window.markSent(nowMs, this.ledger.askedBytes === 0), isProbe);
    this.counters.requests++;
    return formatGet({ fileId: file.fileId, streamVersion, blockSizeBytes }, token, blockIds);
  }
}
