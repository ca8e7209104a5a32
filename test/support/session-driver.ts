/** A download session under a test's hand: every input is given, every command kept, and time passes only when it is told to. */
import { DownloadSession } from "../../device/protocol/download-session.ts";
import type {
  RunArrived,
  SessionCommand,
  SessionFailure,
  SessionInput,
  SessionOptions,
} from "../../device/protocol/session-types.ts";
import { createBitmap, hasBit, setBit } from "../../shared/protocol/bitmap.ts";
import { blockLength, countBlocks } from "../../shared/protocol/blocks.ts";
import type { DescribedFile, Description, GetRequest, ManifestRequest } from "../../shared/protocol/messages.ts";
import type { RejectionCode } from "../../shared/protocol/rejection.ts";

type Kind = SessionCommand["do"];
type CommandOf<K extends Kind> = Extract<SessionCommand, { do: K }>;

/** The block size of a driver whose options name none. */
export const BLOCK_BYTES = 4096;

/** What a driver can be told beside the session's own options. */
export interface DriverOptions extends Partial<SessionOptions> {
  /** The files of the stream; one of 40 blocks when absent. */
  readonly files?: readonly DescribedFile[];
  readonly hasManifest?: boolean;
}

/** Feeds a session and answers for its shell and its publisher. */
export class SessionDriver {
  readonly session: DownloadSession;
  readonly blockSizeBytes: number;
  /** Every command so far. */
  readonly commands: SessionCommand[] = [];
  nowMs = 1000;
  /** The file that was opened last. */
  file: DescribedFile = { fileId: 0, sizeBytes: 0 };
  /** What the publisher says the stream is. */
  stream: Pick<Description, "streamVersion" | "files" | "hasManifest">;

  constructor({ files, hasManifest, ...options }: DriverOptions = {}) {
    this.blockSizeBytes = options.blockSizeBytes ?? BLOCK_BYTES;
    this.stream = {
      streamVersion: 0,
      files: files ?? [{ fileId: 0, sizeBytes: 40 * this.blockSizeBytes }],
      ...(hasManifest !== undefined && { hasManifest }),
    };
    this.session = new DownloadSession({
      streamId: "firmware",
      blockSizeBytes: this.blockSizeBytes,
      randomFraction: () => 0,
      ...options,
    });
  }

  /** Hands over one input; returns the commands it led to. */
  feed(input: SessionInput): readonly SessionCommand[] {
    return this.note(this.session.handle(input, this.nowMs));
  }

  /** Hands over blocks that came at once; returns the commands, or undefined when the session does not take them so. */
  feedRun(run: RunArrived): readonly SessionCommand[] | undefined {
    const commands = this.session.handleRun(run, this.nowMs);
    return commands && this.note(commands);
  }

  private note(commands: readonly SessionCommand[]): readonly SessionCommand[] {
    // A command may be used again.
    this.commands.push(...commands.map((command) => ({ ...command })));
    for (const command of commands) if (command.do === "openFile") this.file = command.file;
    return commands;
  }

  /** The newest command of a kind; throws when there was none. */
  last<K extends Kind>(kind: K): CommandOf<K> {
    const found = this.commands.findLast((command) => command.do === kind);
    if (found === undefined) throw new Error(`no ${kind} among ${this.kinds().join(", ") || "no commands"}`);
    return found as CommandOf<K>;
  }

  /** The kinds of all commands so far, in order. */
  kinds(): Kind[] {
    return this.commands.map((command) => command.do);
  }

  /** All GetStream requests so far. */
  get gets(): GetRequest[] {
    return getsOf(this.commands);
  }

  get failure(): SessionFailure | undefined {
    return this.commands.flatMap((command) => (command.do === "fail" ? [command.failure] : []))[0];
  }

  /** Answers the newest describe with what the stream is now. */
  describe(): readonly SessionCommand[] {
    const { clientToken = "" } = this.last("publishDescribe").request;
    return this.feed({ on: "described", description: { clientToken, ...this.stream } });
  }

  /** Answers the newest openFile; `held` lists the blocks that are in the store. */
  open(held: readonly number[] = [], complete = false): readonly SessionCommand[] {
    return this.feed({ on: "fileOpened", fileId: this.file.fileId, held: bitmapOf(held), complete });
  }

  /** Connects, describes and opens; returns the first GetStream requests. */
  start(held: readonly number[] = []): GetRequest[] {
    this.feed({ on: "connected" });
    this.describe();
    return getsOf(this.open(held));
  }

  /** Delivers one block as the answer to a request, or without a token; returns the requests it led to. */
  arrive(
    blockId: number,
    request?: GetRequest | string,
    more: { fileId?: number; sizeBytes?: number } = {},
  ): GetRequest[] {
    const { fileId, sizeBytes } = this.file;
    const clientToken = typeof request === "string" ? request : request?.clientToken;
    return getsOf(
      this.feed({
        on: "blockArrived",
        fileId,
        blockId,
        sizeBytes: blockLength(blockId, sizeBytes, this.blockSizeBytes),
        ...(clientToken !== undefined && { clientToken }),
        ...more,
      }),
    );
  }

  /** Answers requests one after another, and those that follow, until none is left; blocks in `lost` do not arrive. */
  deliver(requests: readonly GetRequest[], lost: ReadonlySet<number> = new Set()): void {
    const waiting = [...requests];
    for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
      for (const blockId of blocksOf(request)) if (!lost.has(blockId)) waiting.push(...this.arrive(blockId, request));
    }
  }

  /** Lets the deadline pass; throws when there is none. */
  timeOut(): readonly SessionCommand[] {
    const { deadlineMs } = this.session;
    if (deadlineMs === undefined) throw new Error("there is no deadline");
    this.nowMs = Math.max(this.nowMs, deadlineMs);
    return this.feed({ on: "timeout" });
  }

  /** Rejects a request. */
  reject(
    code: RejectionCode,
    { clientToken }: { readonly clientToken?: string } = {},
    message = "no",
  ): readonly SessionCommand[] {
    return this.feed({
      on: "rejected",
      rejection: { code, message, ...(clientToken !== undefined && { clientToken }) },
    });
  }

  /** Answers the newest manifest request, with zeros, up to `most` checksums. */
  giveChecksums(
    most = Number.POSITIVE_INFINITY,
    { clientToken = "", ...request } = this.manifestRequest,
  ): readonly SessionCommand[] {
    const { fileId, blockSizeBytes, blockOffset = 0, blockCount = 0 } = request;
    const checksums = new Uint32Array(Math.min(most, blockCount));
    return this.feed({
      on: "checksumsArrived",
      message: { clientToken, fileId, blockSizeBytes, blockOffset, checksums },
    });
  }

  get manifestRequest(): ManifestRequest {
    return this.last("publishManifest").request;
  }

  /** Says that the assembled file is wrong; `damaged` lists the blocks that changed on the disk. */
  mismatch(damaged: readonly number[] = []): readonly SessionCommand[] {
    const { fileId } = this.file;
    const failure = { code: "DigestMismatch", message: "the digest is another" } as const;
    return this.feed({ on: "mismatched", fileId, failure, held: this.allBut(damaged) });
  }

  /** Says that every block agrees with the manifest, but for `differing`. */
  match(differing: readonly number[] = []): readonly SessionCommand[] {
    return this.feed({ on: "matched", fileId: this.file.fileId, held: this.allBut(differing) });
  }

  /** A bitmap of all blocks of the current file but some. */
  allBut(missing: readonly number[]): Uint8Array {
    const blocks = countBlocks(this.file.sizeBytes, this.blockSizeBytes);
    return bitmapOf(
      Array.from({ length: blocks }, (_, blockId) => blockId).filter((blockId) => !missing.includes(blockId)),
    );
  }
}

/** The block ids that a request asks for. */
export function blocksOf({ blockOffset = 0, blockBitmap = new Uint8Array() }: GetRequest): number[] {
  const bits = Array.from({ length: blockBitmap.length * 8 }, (_, bit) => bit);
  return bits.filter((bit) => hasBit(blockBitmap, bit)).map((bit) => blockOffset + bit);
}

/** The GetStream requests among some commands. */
export function getsOf(commands: readonly SessionCommand[]): GetRequest[] {
  return commands.flatMap((command) => (command.do === "publishGet" ? [command.request] : []));
}

/** The bitmap of some blocks. */
export function bitmapOf(blockIds: readonly number[]): Uint8Array {
  const bitmap = createBitmap(Math.max(0, ...blockIds.map((blockId) => blockId + 1)));
  for (const blockId of blockIds) setBit(bitmap, blockId);
  return bitmap;
}

/** Whole numbers from `first` up to and without `end`. */
export function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}
