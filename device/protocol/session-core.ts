/** What every step of a download session shares: the stage, the commands, the deadline, and the patience. No IO. */
import type { RejectedMessage } from "../../shared/protocol/messages.ts";
import { FlowWindow } from "./flow-window.ts";
import { RetryTimer } from "./retry-timer.ts";
import { boundsOf, type SessionBounds } from "./session-bounds.ts";
import { connectionLost, connectionUnsteady, noProgress } from "./session-failures.ts";
import type { FileProgress, SessionCommand, SessionFailure, SessionOptions } from "./session-types.ts";
import type { Stage } from "./transitions.ts";

/** How many beginnings of tokens there are: four characters. */
const TOKEN_PREFIXES = 36 ** 4;
/** What a step begins with. */
export const NO_COMMANDS: readonly SessionCommand[] = [];

/** The part of a session that knows about time and connection, and nothing about files. */
export abstract class SessionCore {
  /** When the next `timeout` is due, in monotonic milliseconds; undefined when nothing is waited for. */
  deadlineMs: number | undefined;
  stage: Stage = "describing";
  /** What the current step wants done, in order. */
  commands: readonly SessionCommand[] = NO_COMMANDS;
  protected readonly options: SessionOptions;
  protected readonly bounds: SessionBounds;
  protected readonly timer: RetryTimer;
  protected readonly window: FlowWindow;
  protected online = false;
  /** Rounds in a row that brought nothing new. */
  protected fruitlessRounds = 0;
  /** Why the publisher did not answer, if it said so, since something new arrived. */
  protected lastRejection: RejectedMessage | undefined;
  /** Begins every token: what an earlier run of this device asked for may still arrive. */
  protected readonly tokenPrefix: string;
  private fruitlessConnections = 0;
  private requestNumber = 0;

  constructor(options: SessionOptions) {
    this.options = options;
    this.bounds = boundsOf(options);
    this.timer = new RetryTimer(options.randomFraction);
    this.window = new FlowWindow({ blockSizeBytes: options.blockSizeBytes, maxBytes: this.bounds.windowBytes });
    this.tokenPrefix = `${Math.floor(options.randomFraction() * TOKEN_PREFIXES).toString(36)}-`;
  }

  /** How far the current file is; undefined while none is open. */
  abstract progress(): FileProgress | undefined;

  /** Whether blocks of the current file have begun to come. */
  protected abstract get isFlowing(): boolean;

  /** Notes that the connection is back, while nothing has to be sent. */
  comeBack(): void {
    this.online = true;
    this.deadlineMs = undefined;
  }

  /** Waits for the connection to come back, unless it came back too often already and brought nothing. */
  loseConnection(nowMs: number): void {
    const most = this.bounds.maxFruitlessRounds;
    this.online = false;
    this.deadlineMs = nowMs + this.bounds.maxDisconnectedMs;
    if (++this.fruitlessConnections > most) this.fail(connectionUnsteady(this.options, most, this.progress()));
  }

  /** Ends the session when the connection is gone, and was for as long as is waited for; says whether it is gone. */
  isConnectionOverdue(): boolean {
    if (this.online) return false;
    this.fail(connectionLost(this.bounds.maxDisconnectedMs));
    return true;
  }

  /** Notes that something new arrived. */
  protected noteProgress(): void {
    this.timer.progress();
    this.fruitlessRounds = 0;
    this.fruitlessConnections = 0;
    this.lastRejection = undefined;
  }

  /** Counts a round without an answer; ends the session after too many. Says whether it goes on. */
  protected countFruitlessRound(request: "DescribeStream" | "GetStream" | "manifest"): boolean {
    const most = this.bounds.maxFruitlessRounds;
    if (++this.fruitlessRounds <= most) return true;
    this.fail(
      noProgress(this.options, request, { rounds: most, rejection: this.lastRejection, kept: this.progress() }),
    );
    return false;
  }

  /** Arms the timer for the answer to what was just sent; without a connection, its loss has the deadline. */
  protected armTimer(nowMs: number): void {
    if (this.online) this.deadlineMs = nowMs + this.timer.nextTimeoutMs(this.isFlowing);
  }

  /** Waits for the shell; only a lost connection has a deadline then. */
  protected disarmTimer(): void {
    if (this.online) this.deadlineMs = undefined;
  }

  /** Adds a command. Most steps have one, and a list of one is small, unlike one that grew. */
  protected command(command: SessionCommand): void {
    this.commands = this.commands.length === 0 ? [command] : [...this.commands, command];
  }

  protected fail(failure: SessionFailure): void {
    this.stage = "failed";
    this.deadlineMs = undefined;
    this.command({ do: "fail", failure });
  }

  /** A number no request of this session had before, for its token. */
  protected nextNumber(): string {
    return (this.requestNumber++).toString(36);
  }
}
