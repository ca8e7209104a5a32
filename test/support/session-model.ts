/** What must hold of a download session whatever comes in: a model that watches every input and command. */
import { expect } from "vitest";
import type { RunArrived, SessionCommand, SessionInput } from "../../device/protocol/session-types.ts";
import { hasBit } from "../../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../../shared/protocol/blocks.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import { blocksOf, type DriverOptions, range, SessionDriver } from "./session-driver.ts";

/** A piece of work that the shell was given and has not answered. */
export type PendingWork = Extract<SessionCommand, { do: "openFile" | "verifyFile" | "matchBlocks" }>;

/** A session with its model; throws when something does not hold. */
export class ModelledSession {
  readonly driver: SessionDriver;
  pending: PendingWork | undefined;
  /** Blocks in the store. */
  held = new Set<number>();
  ended = false;
  /** How often the session took blocks that came at once. */
  runsTaken = 0;
  private online = false;
  private wasOnline = false;
  private arriving: Extract<SessionInput, { on: "blockArrived" }> | undefined;

  constructor(options: DriverOptions) {
    this.driver = new SessionDriver(options);
  }

  /** Hands over an input and looks at everything that follows. */
  feed(input: SessionInput): void {
    const wasEnded = this.ended;
    this.note(input);
    const commands = this.driver.feed(input);
    if (wasEnded) expect(commands).toEqual([]);
    for (const command of commands) this.check(command, input);
    this.arriving = undefined;
    this.checkBooks();
  }

  private checkBooks(): void {
    this.checkDeadline();
    const progress = this.driver.session.progress();
    if (progress !== undefined && this.pending?.do !== "openFile") {
      expect(progress.heldBlocks).toBe(this.held.size);
      expect(progress.heldBlocks).toBeLessThanOrEqual(progress.blocks);
    }
  }

  /** Hands over blocks that came at once, and one by one if the session does not take them so. */
  feedRun(run: RunArrived): void {
    const { blockId, blockCount, ...block } = run;
    const blockIds = range(blockId, blockId + blockCount);
    const commands = this.driver.feedRun(run);
    if (commands === undefined) {
      for (const each of blockIds) this.feed({ on: "blockArrived", ...block, blockId: each });
      return;
    }
    this.runsTaken++;
    const { fileId, sizeBytes } = this.driver.file;
    expect({ ended: this.ended, pending: this.pending, fileId: run.fileId }).toEqual({ ended: false, fileId });
    for (const each of blockIds) {
      expect(block.sizeBytes).toBe(blockLength(each, sizeBytes, this.driver.blockSizeBytes));
      expect(this.held.has(each)).toBe(false);
      this.held.add(each);
    }
    for (const command of commands) this.check(command, { on: "blockArrived", ...block, blockId });
    this.checkBooks();
  }

  /** The number of blocks of the current file. */
  get blockCount(): number {
    return countBlocks(this.driver.file.sizeBytes, this.driver.blockSizeBytes);
  }

  private note(input: SessionInput): void {
    if (input.on === "connected") this.online = this.wasOnline = true;
    if (input.on === "disconnected") {
      this.online = false;
      this.wasOnline = true;
    }
    if (input.on === "blockArrived") this.arriving = input;
    const isAnswer = input.on === "fileOpened" || input.on === "matched" || input.on === "mismatched";
    // Work that ends after the session has given up changes nothing in it.
    if (isAnswer && !this.ended) this.holdOnly(input.held);
    if (["fileOpened", "matched", "mismatched", "verified"].includes(input.on)) this.pending = undefined;
  }

  private holdOnly(held: Uint8Array): void {
    this.held.clear();
    for (let blockId = 0; blockId < this.blockCount; blockId++) if (hasBit(held, blockId)) this.held.add(blockId);
  }

  private check(command: SessionCommand, input: SessionInput): void {
    expect(this.ended).toBe(false);
    switch (command.do) {
      case "keepBlock":
        this.checkKept(command);
        break;
      case "publishGet":
        this.checkSending();
        this.checkRequest(command.request);
        break;
      case "publishManifest":
        this.checkSending();
        expect(this.driver.stream.hasManifest).toBe(true);
        break;
      case "publishDescribe":
        this.checkSending();
        break;
      case "openFile":
      case "verifyFile":
      case "matchBlocks":
        expect(this.pending).toBeUndefined();
        if (command.do === "verifyFile") expect(this.held.size).toBe(this.blockCount);
        if (command.do === "openFile") this.held.clear();
        this.pending = command;
        break;
      case "fileFinished":
        expect(input.on === "verified" || (input.on === "fileOpened" && input.complete)).toBe(true);
        break;
      case "finish":
      case "fail":
        this.ended = true;
        break;
    }
  }

  /** Nothing is sent without a connection, nor while the shell works. */
  private checkSending(): void {
    expect({ online: this.online, pending: this.pending?.do }).toEqual({ online: true, pending: undefined });
  }

  private checkKept({ blockId, fileId }: Extract<SessionCommand, { do: "keepBlock" }>): void {
    const { sizeBytes } = this.driver.file;
    expect(this.arriving).toMatchObject({ blockId, fileId });
    expect(blockId).toBeLessThan(this.blockCount);
    expect(this.arriving?.sizeBytes).toBe(blockLength(blockId, sizeBytes, this.driver.blockSizeBytes));
    expect(this.held.has(blockId)).toBe(false);
    this.held.add(blockId);
  }

  private checkRequest(request: GetRequest): void {
    const blockIds = blocksOf(request);
    expect(blockIds.length).toBeGreaterThan(0);
    expect(blockIds.length).toBe(request.blockCount);
    expect(blockIds.length * request.blockSizeBytes).toBeLessThanOrEqual(131_072);
    expect(request.blockBitmap?.length).toBeLessThanOrEqual(12_288);
    expect(blockIds.filter((blockId) => this.held.has(blockId) || blockId >= this.blockCount)).toEqual([]);
    expect(request.fileId).toBe(this.driver.file.fileId);
  }

  private checkDeadline(): void {
    const { deadlineMs } = this.driver.session;
    const waitsForNetwork = !this.ended && this.wasOnline && (!this.online || this.pending === undefined);
    if (waitsForNetwork) expect(deadlineMs).toBeGreaterThan(this.driver.nowMs);
    else expect(deadlineMs).toBeUndefined();
  }
}
