/** The download of a stream as a state machine: what to ask for, when to ask again, when to give up. No IO. */
import type { DescribedFile, Description, RejectedMessage } from "../../shared/protocol/messages.ts";
import { FileDownload } from "./file-download.ts";
import { FlowWindow } from "./flow-window.ts";
import { RetryTimer } from "./retry-timer.ts";
import { connectionLost, fileNotFound, noProgress, requestRejected } from "./session-failures.ts";
import type { FileProgress, SessionCommand, SessionFailure, SessionInput, SessionOptions } from "./session-types.ts";
import { type Stage, type Step, TRANSITIONS } from "./transitions.ts";

type InputOf<On extends SessionInput["on"]> = Extract<SessionInput, { on: On }>;

/** Eight full answers. */
const DEFAULT_MAX_WINDOW_BYTES = 1_048_576;
const DEFAULT_FRUITLESS_ROUNDS = 8;
const DEFAULT_RESTARTS = 1;
const DEFAULT_DISCONNECTED_MS = 120_000;

/**
 * Downloads the files of a stream, one after another. Inputs come one at a time, each with the monotonic time in
 * milliseconds; the commands it returns are performed in order before the next input. The shell arms one timer for
 * `deadlineMs` and hands over `timeout` when it passed. Only a new block leads to a further request, never a duplicate.
 */
export class DownloadSession {
  /** When the next `timeout` is due, in monotonic milliseconds; undefined when nothing is waited for. */
  deadlineMs: number | undefined;
  private readonly options: SessionOptions;
  private readonly timer: RetryTimer;
  private readonly window: FlowWindow;
  private stage: Stage = "describing";
  private online = false;
  private description: Description | undefined;
  /** The files that are not in place yet; the first is the current one. */
  private pending: readonly DescribedFile[] = [];
  private current: FileDownload | undefined;
  /** Files of the described version that are in place. */
  private readonly finished = new Set<number>();
  /** Rises when what is downloaded changes, so that an answer to a request from before it can be told. */
  private epoch = 0;
  private requestNumber = 0;
  private describeToken = "";
  private describeSentAtMs = 0;
  private fruitlessRounds = 0;
  private restarts = 0;
  private commands: SessionCommand[] = [];

  constructor(options: SessionOptions) {
    this.options = options;
    this.timer = new RetryTimer(options.randomFraction);
    const {
      blockSizeBytes,
      bufferBlocks = Number.POSITIVE_INFINITY,
      maxWindowBytes = DEFAULT_MAX_WINDOW_BYTES,
    } = options;
    this.window = new FlowWindow({ blockSizeBytes, maxBytes: Math.min(maxWindowBytes, bufferBlocks * blockSizeBytes) });
  }

  /** Takes one input; returns what to do about it. */
  handle(input: SessionInput, nowMs: number): readonly SessionCommand[] {
    this.commands = [];
    const step = TRANSITIONS[this.stage][input.on];
    if (step !== undefined) this.steps[step](input as never, nowMs);
    return this.commands;
  }

  /** How far the current file is; undefined while none is open. */
  progress(): FileProgress | undefined {
    return this.current?.progress();
  }

  private readonly steps: { readonly [S in Step]: (input: never, nowMs: number) => void } = {
    startDescribing: (_input: InputOf<"connected">, nowMs: number) => {
      this.online = true;
      this.describe(nowMs);
    },
    comeBack: () => {
      this.online = true;
      this.deadlineMs = undefined;
    },
    loseConnection: (_input: InputOf<"disconnected">, nowMs: number) => {
      this.online = false;
      this.current?.giveUpAll();
      this.deadlineMs = nowMs + (this.options.maxDisconnectedMs ?? DEFAULT_DISCONNECTED_MS);
    },
    takeDescription: ({ description }: InputOf<"described">, nowMs: number) => this.takeDescription(description, nowMs),
    startDownload: (input: InputOf<"fileOpened">, nowMs: number) => this.startDownload(input, nowMs),
    takeBlock: (input: InputOf<"blockArrived">, nowMs: number) => this.takeBlock(input, nowMs),
    keepLateBlock: (input: InputOf<"blockArrived">, nowMs: number) => {
      this.keepIfNew(input, nowMs);
    },
    takeRejection: ({ rejection }: InputOf<"rejected">, nowMs: number) => this.takeRejection(rejection, nowMs),
    finishFile: () => this.finishFile(),
    restartFile: ({ failure }: InputOf<"mismatched">) => this.restartFile(failure),
    retryDescribe: (_input: InputOf<"timeout">, nowMs: number) => {
      if (!this.isConnectionOverdue() && this.countFruitlessRound("DescribeStream")) this.describe(nowMs);
    },
    retryBlocks: (_input: InputOf<"timeout">, nowMs: number) => {
      if (this.isConnectionOverdue() || !this.countFruitlessRound("GetStream")) return;
      this.timer.backOff();
      // One lost message is no news; a second silence may be another link.
      if (this.fruitlessRounds > 1) this.window.forget();
      this.probe(nowMs);
    },
    checkConnection: () => {
      this.isConnectionOverdue();
    },
  };

  private describe(nowMs: number): void {
    this.stage = "describing";
    this.describeToken = `d${this.nextNumber()}`;
    this.describeSentAtMs = nowMs;
    this.armTimer(nowMs);
    this.timer.backOff();
    this.commands.push({ do: "publishDescribe", request: { clientToken: this.describeToken } });
  }

  private takeDescription(description: Description, nowMs: number): void {
    // A late answer to an earlier describe may be of an earlier version.
    const isLate = description.clientToken !== undefined && description.clientToken !== this.describeToken;
    if (!this.online || isLate) return;
    if (description.clientToken !== undefined) this.timer.measure(nowMs - this.describeSentAtMs);
    const isSameVersion = this.description?.streamVersion === description.streamVersion;
    if (isSameVersion && this.current !== undefined) {
      this.stage = "downloading";
      this.ask(nowMs, true);
      return;
    }
    this.timer.progress();
    this.fruitlessRounds = 0;
    // Another version may have other bytes under the same file ids: what is in place is looked at again.
    if (!isSameVersion) this.finished.clear();
    this.description = description;
    const wanted = description.files.filter(({ fileId }) => (this.options.fileId ?? fileId) === fileId);
    this.pending = wanted.filter(({ fileId }) => !this.finished.has(fileId));
    if (wanted.length === 0) this.fail(fileNotFound(this.options, description));
    else this.openNextFile();
  }

  private openNextFile(): void {
    const [file] = this.pending;
    this.epoch++;
    this.current = undefined;
    if (this.online) this.deadlineMs = undefined;
    if (file === undefined) {
      this.stage = "done";
      this.deadlineMs = undefined;
      this.commands.push({ do: "finish" });
      return;
    }
    this.stage = "opening";
    this.commands.push({ do: "openFile", file, streamVersion: this.streamVersion });
  }

  private startDownload({ held, complete }: InputOf<"fileOpened">, nowMs: number): void {
    this.current = new FileDownload({
      file: this.pending[0] as DescribedFile,
      streamVersion: this.streamVersion,
      blockSizeBytes: this.options.blockSizeBytes,
      held,
      tokenPrefix: `${this.epoch.toString(36)}-`,
      window: this.window,
    });
    this.stage = "downloading";
    if (complete) this.finishFile();
    else this.ask(nowMs, true);
  }

  private takeBlock(input: InputOf<"blockArrived">, nowMs: number): void {
    if (!this.keepIfNew(input, nowMs)) return;
    this.timer.progress();
    this.fruitlessRounds = 0;
    this.ask(nowMs, this.current?.giveUpOvertaken() === true);
  }

  /** Keeps the block if it is a new one of the current file; says whether it was. */
  private keepIfNew(input: InputOf<"blockArrived">, nowMs: number): boolean {
    const taken = this.current?.take(input, nowMs);
    if (taken?.roundTripMs !== undefined) this.timer.measure(taken.roundTripMs);
    if (taken?.arrival !== "new") return false;
    this.commands.push({ do: "keepBlock", fileId: input.fileId, blockId: input.blockId });
    return true;
  }

  /** Goes on: verifies what is complete, or sends the requests that the window has room for and arms the timer. */
  private ask(nowMs: number, urgent: boolean): void {
    const { current } = this;
    if (current === undefined) return;
    if (current.complete) {
      this.stage = "verifying";
      if (this.online) this.deadlineMs = undefined;
      this.commands.push({ do: "verifyFile", file: current.file });
    } else if (this.online) {
      const requests = current.nextRequests(urgent, nowMs, () => this.nextNumber());
      for (const request of requests) this.commands.push({ do: "publishGet", request });
      this.armTimer(nowMs);
    }
  }

  /** Asks again for a few blocks, because nothing arrived in time. */
  private probe(nowMs: number): void {
    this.current?.countTimeout();
    const requests = this.current?.probe(nowMs, () => this.nextNumber()) ?? [];
    for (const request of requests) this.commands.push({ do: "publishGet", request });
    this.armTimer(nowMs);
  }

  private armTimer(nowMs: number): void {
    this.deadlineMs = nowMs + this.timer.nextTimeoutMs(this.current?.isFlowing === true);
  }

  private finishFile(): void {
    const { current } = this;
    if (current === undefined) return;
    this.finished.add(current.file.fileId);
    this.commands.push({ do: "fileFinished", progress: current.progress() });
    this.pending = this.pending.slice(1);
    this.restarts = 0;
    this.openNextFile();
  }

  private restartFile(failure: SessionFailure): void {
    if (this.restarts++ < (this.options.maxRestarts ?? DEFAULT_RESTARTS)) this.openNextFile();
    else this.fail(failure);
  }

  private takeRejection(rejection: RejectedMessage, nowMs: number): void {
    const { clientToken, code } = rejection;
    const describing = this.stage === "describing";
    const isLate =
      clientToken !== undefined &&
      (describing ? clientToken !== this.describeToken : this.current?.isOutstanding(clientToken) !== true);
    if (isLate) return;
    if (code === "InternalError") {
      this.current?.giveUpAll();
      this.timer.backOff();
      this.armTimer(nowMs);
    } else if (!describing && (code === "VersionMismatch" || code === "ETagMismatch")) {
      this.describeAgain(nowMs);
    } else {
      this.fail(requestRejected(this.options, rejection, describing));
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

  /** Ends the session when the connection is gone, and was for as long as is waited for; says whether it is gone. */
  private isConnectionOverdue(): boolean {
    if (this.online) return false;
    this.fail(connectionLost(this.options.maxDisconnectedMs ?? DEFAULT_DISCONNECTED_MS));
    return true;
  }

  /** Counts a round without an answer; ends the session after too many. Says whether it goes on. */
  private countFruitlessRound(request: "DescribeStream" | "GetStream"): boolean {
    const most = this.options.maxFruitlessRounds ?? DEFAULT_FRUITLESS_ROUNDS;
    if (++this.fruitlessRounds <= most) return true;
    this.fail(noProgress(this.options, request, most, this.progress()));
    return false;
  }

  private fail(failure: SessionFailure): void {
    this.stage = "failed";
    this.deadlineMs = undefined;
    this.commands.push({ do: "fail", failure });
  }

  private get streamVersion(): number {
    return this.description?.streamVersion ?? 0;
  }

  private nextNumber(): string {
    return (this.requestNumber++).toString(36);
  }
}
