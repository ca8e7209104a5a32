/** A download session whose every request is answered in order and in full, by calls alone, in virtual time. No IO. */
import { DownloadSession } from "../../device/protocol/download-session.ts";
import type { SessionCommand, SessionInput } from "../../device/protocol/session-types.ts";
import { hasBit } from "../../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../../shared/protocol/blocks.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import type { SourceFile } from "./tasks.ts";

/** A stream that consists of one file, several times. */
export interface AnsweredStream {
  readonly files: number;
  readonly file: SourceFile;
  readonly blockSizeBytes: number;
}

/** Virtual time between two blocks, in milliseconds: 800 MB/s with blocks of 4 KiB. */
const BLOCK_MS = 0.005;
/** Virtual time from a request to its first block. */
const LATENCY_MS = 1;

/** Runs a session to its end; throws when it fails. */
export function runSession(stream: AnsweredStream): void {
  new AnsweredSession(stream).run();
}

class AnsweredSession {
  private readonly stream: AnsweredStream;
  private readonly session: DownloadSession;
  private readonly requests: { readonly request: GetRequest; readonly dueMs: number }[] = [];
  private readonly inputs: SessionInput[] = [{ on: "connected" }];
  /** One object for all blocks, as the shells have it: a session keeps none. */
  private readonly block = { on: "blockArrived" as const, fileId: 0, blockId: 0, sizeBytes: 0, clientToken: "" };
  private nowMs = 0;
  private isFinished = false;

  constructor(stream: AnsweredStream) {
    this.stream = stream;
    const { blockSizeBytes } = stream;
    this.session = new DownloadSession({ streamId: "answered", blockSizeBytes, randomFraction: () => 0 });
  }

  run(): void {
    while (!this.isFinished) {
      const input = this.inputs.shift();
      const due = input === undefined ? this.requests.shift() : undefined;
      if (input !== undefined) {
        this.handle(input);
      } else if (due !== undefined) {
        this.nowMs = Math.max(this.nowMs, due.dueMs);
        this.answer(due.request);
      } else {
        throw new Error("the session waits for something that is not coming");
      }
    }
  }

  private answer({ blockBitmap, blockOffset = 0, blockCount, clientToken = "", fileId }: GetRequest): void {
    const { file, blockSizeBytes } = this.stream;
    const end = countBlocks(file.sizeBytes, blockSizeBytes);
    const { block } = this;
    block.fileId = fileId;
    block.clientToken = clientToken;
    let left = blockCount ?? end;
    for (let blockId = blockOffset; blockId < end && left > 0; blockId++) {
      if (blockBitmap !== undefined && !hasBit(blockBitmap, blockId - blockOffset)) continue;
      left--;
      this.nowMs += BLOCK_MS;
      block.blockId = blockId;
      block.sizeBytes = blockLength(blockId, file.sizeBytes, blockSizeBytes);
      this.performAll(this.session.handleBlock(block, this.nowMs));
    }
  }

  private handle(input: SessionInput): void {
    this.performAll(this.session.handle(input, this.nowMs));
  }

  private performAll(commands: readonly SessionCommand[]): void {
    for (const command of commands) this.perform(command);
  }

  private perform(command: SessionCommand): void {
    const { files, file } = this.stream;
    switch (command.do) {
      case "publishDescribe": {
        const { clientToken = "" } = command.request;
        const described = Array.from({ length: files }, (_, fileId) => ({ fileId, ...file }));
        this.inputs.push({ on: "described", description: { clientToken, streamVersion: 0, files: described } });
        break;
      }
      case "openFile":
        this.inputs.push({ on: "fileOpened", fileId: command.file.fileId, held: new Uint8Array(0), complete: false });
        break;
      case "publishGet":
        this.requests.push({ request: command.request, dueMs: this.nowMs + LATENCY_MS });
        break;
      case "verifyFile":
        this.inputs.push({ on: "verified", fileId: command.file.fileId });
        break;
      case "finish":
        this.isFinished = true;
        break;
      case "fail":
        throw new Error(command.failure.message);
    }
  }
}
