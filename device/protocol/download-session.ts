/** The download of a stream as a state machine: inputs in, commands out, one deadline. No IO. */
import { NO_COMMANDS } from "./session-core.ts";
import type {
  BlockArrived,
  FileProgress,
  RunArrived,
  SessionCommand,
  SessionInput,
  SessionOptions,
} from "./session-types.ts";
import { StreamDownload } from "./stream-download.ts";
import { type Step, TRANSITIONS } from "./transitions.ts";

type InputOf<On extends SessionInput["on"]> = Extract<SessionInput, { on: On }>;

/** What each step of the transition table does. */
const STEPS: { readonly [S in Step]: (download: StreamDownload, input: never, nowMs: number) => void } = {
  startDescribing: (download, _input: InputOf<"connected">, nowMs) => download.startDescribing(nowMs),
  comeBack: (download) => download.comeBack(),
  loseConnection: (download, _input: InputOf<"disconnected">, nowMs) => download.loseConnection(nowMs),
  takeDescription: (download, input: InputOf<"described">, nowMs) => download.takeDescription(input.description, nowMs),
  startDownload: (download, input: InputOf<"fileOpened">, nowMs) => download.startDownload(input, nowMs),
  takeBlock: (download, input: BlockArrived, nowMs) => download.takeBlock(input, nowMs),
  keepLateBlock: (download, input: BlockArrived, nowMs) => {
    download.keepIfNew(input, nowMs);
  },
  takeRejection: (download, input: InputOf<"rejected">, nowMs) => download.takeRejection(input.rejection, nowMs),
  finishFile: (download) => download.finishFile(),
  repairFile: (download, input: InputOf<"mismatched">, nowMs) => download.repairFile(input, nowMs),
  takeChecksums: (download, input: InputOf<"checksumsArrived">, nowMs) => download.takeChecksums(input.message, nowMs),
  resumeMatched: (download, input: InputOf<"matched">, nowMs) => download.resumeMatched(input.held, nowMs),
  retryDescribe: (download, _input: InputOf<"timeout">, nowMs) => download.retryDescribe(nowMs),
  retryManifest: (download, _input: InputOf<"timeout">, nowMs) => download.retryManifest(nowMs),
  retryBlocks: (download, _input: InputOf<"timeout">, nowMs) => download.retryBlocks(nowMs),
  checkConnection: (download) => {
    download.isConnectionOverdue();
  },
};

/**
 * Downloads the files of a stream, one after another. Inputs come one at a time, each with the monotonic time in
 * milliseconds; the commands it returns are performed in order before the next input. The shell arms one timer for
 * `deadlineMs` and hands over `timeout` when it passed. Only a new block leads to a further request, never a duplicate.
 */
export class DownloadSession {
  private readonly download: StreamDownload;

  constructor(options: SessionOptions) {
    this.download = new StreamDownload(options);
  }

  /** When the next `timeout` is due, in monotonic milliseconds; undefined when nothing is waited for. */
  get deadlineMs(): number | undefined {
    return this.download.deadlineMs;
  }

  /** Takes one input; returns what to do about it. */
  handle(input: SessionInput, nowMs: number): readonly SessionCommand[] {
    const { download } = this;
    download.commands = NO_COMMANDS;
    const step = TRANSITIONS[download.stage][input.on];
    if (step !== undefined) STEPS[step](download, input as never, nowMs);
    return download.commands;
  }

  /** `handle` for the input that comes for every block: it meets no other kind of input, which is what makes it quick. */
  handleBlock(input: BlockArrived, nowMs: number): readonly SessionCommand[] {
    const { download } = this;
    download.commands = NO_COMMANDS;
    const step = TRANSITIONS[download.stage].blockArrived;
    if (step !== undefined) STEPS[step](download, input as never, nowMs);
    return download.commands;
  }

  /**
   * Takes blocks that came at once as `handleBlock` would one by one, but asks for further ones only behind the last of
   * them. When every one of them is new, the shell keeps them all and then performs what is returned. Undefined otherwise:
   * none was taken, and each has to be handed over by itself.
   */
  handleRun(run: RunArrived, nowMs: number): readonly SessionCommand[] | undefined {
    const { download } = this;
    download.commands = NO_COMMANDS;
    if (TRANSITIONS[download.stage].blockArrived !== "takeBlock" || !download.takeRun(run, nowMs)) return undefined;
    return download.commands;
  }

  /** How far the current file is; undefined while none is open. */
  progress(): FileProgress | undefined {
    return this.download.progress();
  }
}
