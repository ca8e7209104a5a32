/** The core that all client models share: one request at a time, file after file, asked again when a fixed timer fires. No IO. */
import { encodeDescribe } from "../../../shared/protocol/encode.ts";
import type { DescribedFile, Description, RejectedMessage } from "../../../shared/protocol/messages.ts";
import type { Format, ResponseOperation } from "../../../shared/protocol/topics.ts";
import type {
  ClientModel,
  ClientModelCommand,
  ClientModelCounts,
  ClientModelInput,
  ClientModelOptions,
} from "./client-model.ts";
import { MissingBlocks } from "./missing-blocks.ts";

/** A request as it goes out, and how many new blocks have to come before the next one does. */
export interface PlannedRequest {
  readonly payload: Uint8Array;
  /** At least 1. */
  readonly awaitedBlocks: number;
}

/** What tells one library from another. */
export interface RequestStyle {
  readonly format: Format;
  readonly blockSizeBytes: number;
  /** Sent with a describe; none when absent. */
  readonly clientToken?: string;
  /** Writes the next request; some blocks are missing. */
  plan(missing: MissingBlocks): PlannedRequest;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_SILENT_ROUNDS = 32;

/**
 * Downloads files in the order of their list. Only new blocks count towards the next request, so that an answer that
 * was late and not lost is taken twice at most. The timer starts again with every request and every new block.
 */
export class FixedTimerClient implements ClientModel {
  readonly format: Format;
  readonly subscriptions: readonly ResponseOperation[];
  readonly counts: ClientModelCounts = { requests: 0, timeouts: 0, blocks: 0, duplicates: 0, foreign: 0 };
  deadlineMs: number | undefined;
  private readonly style: RequestStyle;
  private readonly timeoutMs: number;
  private readonly maxSilentRounds: number;
  /** The files not finished yet, the open one first; undefined before they are known. */
  private pending: readonly DescribedFile[] | undefined;
  private open: MissingBlocks | undefined;
  private awaitedBlocks = 0;
  private silentRounds = 0;
  private ended = false;
  private commands: ClientModelCommand[] = [];

  constructor(style: RequestStyle, options: ClientModelOptions) {
    this.style = style;
    this.format = style.format;
    this.pending = options.files;
    this.subscriptions = options.files === undefined ? ["description", "data", "rejected"] : ["data"];
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.maxSilentRounds = options.maxSilentRounds ?? DEFAULT_SILENT_ROUNDS;
  }

  /** Takes one input; returns what to do about it. */
  handle(input: ClientModelInput, nowMs: number): readonly ClientModelCommand[] {
    this.commands = [];
    if (!this.ended) this.take(input, nowMs);
    return this.commands;
  }

  private take(input: ClientModelInput, nowMs: number): void {
    switch (input.on) {
      case "connected":
        this.goOn(nowMs);
        break;
      case "described":
        this.takeDescription(input.description, nowMs);
        break;
      case "blockArrived":
        this.takeBlock(input, nowMs);
        break;
      case "rejected":
        this.takeRejection(input.rejection);
        break;
      case "timeout":
        this.takeTimeout(nowMs);
        break;
    }
  }

  /** Does whatever is next: describe the stream, open a file, ask for blocks. */
  private goOn(nowMs: number): void {
    if (this.pending === undefined) this.describe(nowMs);
    else if (this.open === undefined) this.openNextFile(nowMs);
    else this.ask(this.open, nowMs);
  }

  private describe(nowMs: number): void {
    const { format, clientToken } = this.style;
    const request = clientToken === undefined ? {} : { clientToken };
    this.commands.push({ do: "publishDescribe", payload: encodeDescribe(format, request) });
    this.deadlineMs = nowMs + this.timeoutMs;
  }

  private takeDescription({ files }: Description, nowMs: number): void {
    if (this.pending !== undefined) return;
    this.pending = files;
    this.silentRounds = 0;
    this.openNextFile(nowMs);
  }

  private openNextFile(nowMs: number): void {
    this.open = undefined;
    const [file] = this.pending ?? [];
    if (file === undefined) {
      this.end({ do: "finish" });
      return;
    }
    this.open = new MissingBlocks(file, this.style.blockSizeBytes);
    this.commands.push({ do: "openFile", file });
    if (this.open.count === 0) this.finishFile(file, nowMs);
    else this.ask(this.open, nowMs);
  }

  private ask(missing: MissingBlocks, nowMs: number): void {
    const { payload, awaitedBlocks } = this.style.plan(missing);
    this.awaitedBlocks = awaitedBlocks;
    this.counts.requests++;
    this.commands.push({ do: "publishGet", payload });
    this.deadlineMs = nowMs + this.timeoutMs;
  }

  private takeBlock(block: Extract<ClientModelInput, { on: "blockArrived" }>, nowMs: number): void {
    const { open } = this;
    const isOurs = open?.file.fileId === block.fileId;
    const verdict = open !== undefined && isOurs ? open.take(block.blockId, block.sizeBytes) : "impossible";
    if (open === undefined || verdict === "impossible") this.counts.foreign++;
    else if (verdict === "duplicate") this.counts.duplicates++;
    else {
      this.counts.blocks++;
      this.silentRounds = 0;
      this.deadlineMs = nowMs + this.timeoutMs;
      this.commands.push({ do: "keepBlock", offsetBytes: block.blockId * open.blockSizeBytes });
      if (open.count === 0) this.finishFile(open.file, nowMs);
      else if (--this.awaitedBlocks <= 0) this.ask(open, nowMs);
    }
  }

  private finishFile(file: DescribedFile, nowMs: number): void {
    this.commands.push({ do: "finishFile", file });
    this.pending = this.pending?.slice(1);
    this.openNextFile(nowMs);
  }

  private takeRejection({ code, message }: RejectedMessage): void {
    // The timer asks again: the publisher could not read its store, or read it too late.
    if (code === "InternalError") return;
    const request = this.pending === undefined ? "DescribeStream" : "GetStream";
    const isUnknown = code === "ResourceNotFound" && this.pending === undefined;
    this.end({
      do: "fail",
      code: isUnknown ? "StreamNotFound" : "RequestRejected",
      message: `the publisher rejected ${request} with ${code}: ${message}`,
    });
  }

  private takeTimeout(nowMs: number): void {
    this.counts.timeouts++;
    if (++this.silentRounds > this.maxSilentRounds) {
      const message = `no new block after ${this.maxSilentRounds} more requests, ${this.timeoutMs} ms apart`;
      this.end({ do: "fail", code: "NoProgress", message });
    } else this.goOn(nowMs);
  }

  private end(command: ClientModelCommand): void {
    this.ended = true;
    this.deadlineMs = undefined;
    this.commands.push(command);
  }
}
