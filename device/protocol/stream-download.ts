/** What a download session does in each step: what to ask for, when to ask again, when to give up. No IO. */
import type {
  ChecksumsMessage,
  DescribedFile,
  Description,
  GetRequest,
  RejectedMessage,
} from "../../shared/protocol/messages.ts";
import { type Counters, FileDownload } from "./file-download.ts";
import { FileQueue } from "./file-queue.ts";
import { ManifestDownload } from "./manifest-download.ts";
import { reactTo, requestIn } from "./rejection-policy.ts";
import { SessionCore } from "./session-core.ts";
import { fileNotFound, requestRejected } from "./session-failures.ts";
import type {
  BlockArrived,
  FileProgress,
  RunArrived,
  SessionCommand,
  SessionInput,
  SessionOptions,
} from "./session-types.ts";

type InputOf<On extends SessionInput["on"]> = Extract<SessionInput, { on: On }>;

type KeepBlock = { -readonly [Key in keyof KeepCommand]: KeepCommand[Key] };
type KeepCommand = Extract<SessionCommand, { do: "keepBlock" }>;

/** How often single blocks of a file are repaired before all of it is fetched again. */
const MAX_REPAIRS = 3;

/** The download of the files of a stream, one after another; which step is due when is the session's to say. */
export class StreamDownload extends SessionCore {
  private readonly files: FileQueue;
  private current: FileDownload | undefined;
  /** Rises when what is downloaded changes, so that an answer to a request from before it can be told. */
  private epoch = 0;
  private describeToken = "";
  private describeSentAtMs = 0;
  private manifest: ManifestDownload | undefined;
  /** What was counted for a file that is fetched again from the start. */
  private counters: Counters | undefined;
  private restarts = 0;
  private repairs = 0;
  /** Made once: every block may lead to a request. */
  private readonly tokenSuffix = (): string => this.nextNumber();
  /** Used again for each block, since commands are performed before the next input. */
  private readonly keepBlock: KeepBlock = { do: "keepBlock", fileId: 0, blockId: 0 };
  private readonly keepBlockOnly: readonly SessionCommand[] = [this.keepBlock];

  constructor(options: SessionOptions) {
    super(options);
    this.files = new FileQueue(options.fileId);
  }

  override progress(): FileProgress | undefined {
    return this.current?.progress();
  }

  protected override get isFlowing(): boolean {
    return this.current?.isFlowing === true;
  }

  startDescribing(nowMs: number): void {
    this.online = true;
    this.describe(nowMs);
  }

  override loseConnection(nowMs: number): void {
    super.loseConnection(nowMs);
    this.current?.giveUpAll();
  }

  retryDescribe(nowMs: number): void {
    if (!this.isConnectionOverdue() && this.countFruitlessRound("DescribeStream")) this.describe(nowMs);
  }

  retryManifest(nowMs: number): void {
    if (this.isConnectionOverdue() || !this.countFruitlessRound("manifest")) return;
    this.timer.backOff();
    this.fetchManifest(nowMs);
  }

  retryBlocks(nowMs: number): void {
    if (this.isConnectionOverdue() || !this.countFruitlessRound("GetStream")) return;
    this.timer.backOff();
    // One lost message is no news; a second silence may be another link.
    if (this.fruitlessRounds > 1) this.window.forget();
    this.publish(this.current?.probe(nowMs, this.tokenSuffix) ?? [], nowMs);
  }

  private describe(nowMs: number): void {
    this.stage = "describing";
    this.describeToken = `${this.tokenPrefix}d${this.nextNumber()}`;
    this.describeSentAtMs = nowMs;
    this.armTimer(nowMs);
    this.timer.backOff();
    this.command({ do: "publishDescribe", request: { clientToken: this.describeToken } });
  }

  takeDescription(description: Description, nowMs: number): void {
    // A late answer to an earlier describe may be of an earlier version.
    const isLate = description.clientToken !== undefined && description.clientToken !== this.describeToken;
    if (!this.online || isLate) return;
    if (description.clientToken !== undefined) this.timer.measure(nowMs - this.describeSentAtMs);
    if (this.files.isSameVersion(description) && this.current !== undefined) {
      if (this.manifest !== undefined) this.fetchManifest(nowMs);
      else this.ask(nowMs, true);
      return;
    }
    this.noteProgress();
    if (this.files.take(description)) this.openNextFile(false);
    else this.fail(fileNotFound(this.options, description));
  }

  private openNextFile(afresh: boolean): void {
    const file = this.files.first;
    this.epoch++;
    this.current = undefined;
    this.manifest = undefined;
    this.disarmTimer();
    if (file === undefined) {
      this.stage = "done";
      this.deadlineMs = undefined;
      this.command({ do: "finish" });
      return;
    }
    this.stage = "opening";
    this.command({ do: "openFile", file, streamVersion: this.streamVersion, afresh });
  }

  startDownload({ held, complete }: InputOf<"fileOpened">, nowMs: number): void {
    this.current = new FileDownload({
      file: this.files.first as DescribedFile,
      streamVersion: this.streamVersion,
      blockSizeBytes: this.options.blockSizeBytes,
      held,
      tokenPrefix: `${this.tokenPrefix}${this.epoch.toString(36)}-`,
      window: this.window,
      timer: this.timer,
      counters: this.counters,
    });
    this.counters = undefined;
    // A base that led to a wrong image is not tried twice.
    const useBase = this.options.hasBase === true && this.restarts === 0 && !this.current.complete;
    if (complete) this.finishFile();
    else if (useBase && this.files.description?.hasManifest) this.startManifest(nowMs);
    else this.ask(nowMs, true);
  }

  private startManifest(nowMs: number): void {
    const { file } = this.current as FileDownload;
    this.manifest = new ManifestDownload(file, this.streamVersion, this.options.blockSizeBytes);
    this.fetchManifest(nowMs);
  }

  private fetchManifest(nowMs: number): void {
    this.stage = "fetchingManifest";
    if (!this.online) return;
    const request = this.manifest?.nextRequest(`${this.tokenPrefix}m${this.nextNumber()}`);
    if (request !== undefined) this.command({ do: "publishManifest", request });
    this.armTimer(nowMs);
  }

  takeChecksums(message: ChecksumsMessage, nowMs: number): void {
    const { current, manifest } = this;
    if (manifest === undefined || current === undefined || !manifest.take(message)) return;
    this.noteProgress();
    if (!manifest.complete) {
      this.fetchManifest(nowMs);
      return;
    }
    this.stage = "matching";
    this.disarmTimer();
    this.command({ do: "matchBlocks", fileId: current.file.fileId, checksums: manifest.checksums });
  }

  resumeMatched(held: Uint8Array, nowMs: number): void {
    this.manifest = undefined;
    this.current?.replaceHeld(held);
    // Every block agrees: if the whole still does not, no further block will mend it.
    if (this.current?.complete) this.repairs = MAX_REPAIRS;
    this.ask(nowMs, true);
  }

  /**
   * The cheapest sufficient repair, within bounds: blocks that changed on the disk are fetched again; if none did, the
   * manifest says which blocks came wrong; without one, or when that did not help, everything is fetched again.
   */
  repairFile({ failure, held }: InputOf<"mismatched">, nowMs: number): void {
    const { current } = this;
    if (current === undefined) return;
    current.replaceHeld(held);
    if (this.repairs++ < MAX_REPAIRS && (!current.complete || this.files.description?.hasManifest)) {
      if (current.complete) this.startManifest(nowMs);
      else this.ask(nowMs, true);
    } else if (this.restarts++ < this.bounds.maxRestarts) {
      this.repairs = 0;
      this.counters = { ...current.counters, resumedBlocks: 0 };
      this.openNextFile(true);
    } else {
      this.fail(failure);
    }
  }

  takeBlock(input: BlockArrived, nowMs: number): void {
    if (this.keepIfNew(input, nowMs)) this.goOn(nowMs);
  }

  /** Takes blocks that came at once, if every one of them is new; says whether it was so. */
  takeRun(run: RunArrived, nowMs: number): boolean {
    const isTaken = this.current?.takeRun(run, nowMs) === true;
    if (isTaken) this.goOn(nowMs);
    return isTaken;
  }

  private goOn(nowMs: number): void {
    this.noteProgress();
    this.ask(nowMs, this.current?.giveUpOvertaken() === true);
  }

  /** Keeps the block if it is a new one of the current file; says whether it was. */
  keepIfNew(input: BlockArrived, nowMs: number): boolean {
    if (this.current?.take(input, nowMs) !== "new") return false;
    this.keepBlock.fileId = input.fileId;
    this.keepBlock.blockId = input.blockId;
    this.commands = this.keepBlockOnly;
    return true;
  }

  /** Goes on: verifies what is complete, or sends the requests that the window has room for and arms the timer. */
  private ask(nowMs: number, urgent: boolean): void {
    const { current } = this;
    if (current === undefined) return;
    this.stage = current.complete ? "verifying" : "downloading";
    if (current.complete) {
      this.disarmTimer();
      this.command({ do: "verifyFile", file: current.file });
    } else if (this.online) {
      this.publish(current.nextRequests(urgent, nowMs, this.tokenSuffix), nowMs);
    }
  }

  private publish(requests: readonly GetRequest[], nowMs: number): void {
    for (const request of requests) this.command({ do: "publishGet", request });
    this.armTimer(nowMs);
  }

  finishFile(): void {
    const { current } = this;
    if (current === undefined) return;
    this.command({ do: "fileFinished", progress: current.progress() });
    this.files.finishFirst();
    this.restarts = 0;
    this.repairs = 0;
    this.openNextFile(false);
  }

  takeRejection(rejection: RejectedMessage, nowMs: number): void {
    const request = requestIn(this.stage);
    // What was asked before the connection went is given up; the stream is described anew when it is back.
    if (!this.online || (rejection.clientToken !== undefined && !this.isOutstanding(rejection.clientToken))) return;
    this.lastRejection = rejection;
    const reaction = reactTo(rejection.code, request);
    if (reaction === "fail") {
      this.fail(requestRejected(this.options, rejection, request === "describe"));
    } else if (reaction === "describe") {
      this.describeAgain(nowMs);
    } else if (reaction === "doWithout") {
      this.manifest = undefined;
      this.ask(nowMs, true);
    } else {
      this.current?.giveUpAll();
      this.timer.backOff();
      this.armTimer(nowMs);
    }
  }

  /** The stream changed under us: ask what it is now, at once the first time, after the backoff when that did not help. */
  private describeAgain(nowMs: number): void {
    this.current?.giveUpAll();
    if (this.fruitlessRounds++ === 0) {
      this.describe(nowMs);
      return;
    }
    this.stage = "describing";
    this.describeToken = "";
    this.timer.backOff();
    this.armTimer(nowMs);
  }

  private isOutstanding(clientToken: string): boolean {
    if (this.stage === "describing") return clientToken === this.describeToken;
    return this.manifest?.isOutstanding(clientToken) ?? this.current?.isOutstanding(clientToken) ?? false;
  }

  private get streamVersion(): number {
    return this.files.description?.streamVersion ?? 0;
  }
}
