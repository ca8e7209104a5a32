/** Receives one file after another for a simulated device and keeps none: the file side of its download. */
import type { SessionCommand, SessionInput } from "../protocol/session-types.ts";
import type { BlockInput, FleetJob } from "./fleet-job.ts";
import type { DeviceStats } from "./fleet-stats.ts";
import type { ReceivedRun } from "./received-run.ts";
import { VerifyStore } from "./verify-store.ts";

type CommandOf<Do extends SessionCommand["do"]> = Extract<SessionCommand, { do: Do }>;

const NO_BLOCKS = new Uint8Array(0);

/** What it answers is the session's next input. What was received outlives the session, as on a disk. */
export class FleetReceiver {
  private readonly job: FleetJob;
  private readonly stats: DeviceStats;
  private store: VerifyStore | undefined;
  /** What the store is for. */
  private streamVersion = -1;
  private fileId = -1;
  private blockCount = 0;
  private readonly place: number;
  /** Files of this version that are verified. */
  private readonly finishedFileIds: number[] = [];

  /** `place` is the device's in the job's heat map. */
  constructor(job: FleetJob, stats: DeviceStats, place: number) {
    this.place = place;
    this.job = job;
    this.stats = stats;
  }

  /** Begins a file, or goes on with it. */
  open({ file, streamVersion, afresh }: CommandOf<"openFile">): SessionInput {
    const { fileId, sizeBytes } = file;
    const isOtherVersion = streamVersion !== this.streamVersion;
    this.streamVersion = streamVersion;
    if (isOtherVersion) this.finishedFileIds.length = 0;
    // The store is that of the file in work, also while a rebooted device goes through the finished ones again.
    if (this.finishedFileIds.includes(fileId)) return { on: "fileOpened", fileId, held: NO_BLOCKS, complete: true };
    if (afresh || this.store === undefined || isOtherVersion || fileId !== this.fileId) {
      const plan = this.job.crcPlans.planFor(sizeBytes, this.job.session.blockSizeBytes);
      this.blockCount = plan.blockCount;
      this.store = new VerifyStore(plan, this.job.keepBlockCrcs);
    }
    this.fileId = fileId;
    return { on: "fileOpened", fileId, held: this.store.heldBlocks, complete: false };
  }

  /** Takes a new block by the CRC-32 of its bytes. */
  keep({ blockId, sizeBytes, crc32 }: BlockInput): void {
    this.store?.take(blockId, crc32);
    this.job.heat?.note(this.place, blockId, this.blockCount, this.job.network.nowMs);
    this.stats.blocks++;
    this.stats.bytes += sizeBytes;
  }

  /** Takes new blocks that came at once. */
  keepRun(run: ReceivedRun): void {
    const { blockId, blockCount, sizeBytes } = run;
    const { heat, network } = this.job;
    this.store?.takeRun(run);
    for (let index = 0; index < blockCount; index++) {
      heat?.note(this.place, blockId + index, this.blockCount, network.nowMs);
    }
    this.stats.blocks += blockCount;
    this.stats.bytes += blockCount * sizeBytes;
  }

  /** Compares what was received with the manifest. */
  match({ fileId, checksums }: CommandOf<"matchBlocks">): SessionInput {
    return { on: "matched", fileId, held: this.store?.match(checksums) ?? NO_BLOCKS };
  }

  /** Compares what was received with the description. */
  verify({ file }: CommandOf<"verifyFile">): SessionInput {
    const { fileId } = file;
    const store = this.store as VerifyStore;
    const verification = store.verify(file);
    if (verification.ok) {
      if (verification.verified === "size") this.stats.filesWithoutDigest++;
      return { on: "verified", fileId };
    }
    this.stats.failedVerifications++;
    const { code, message } = verification;
    return { on: "mismatched", fileId, failure: { code, message }, held: store.heldBlocks };
  }

  /** Closes the books of a file that is verified; once. */
  finish({ progress }: CommandOf<"fileFinished">): void {
    if (this.finishedFileIds.includes(progress.fileId)) return;
    this.finishedFileIds.push(progress.fileId);
    this.stats.files++;
  }

  /** Forgets what was received. */
  close(): void {
    this.store = undefined;
  }
}
