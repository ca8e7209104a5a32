/** A simulated device: the real agent and the real image store on a disk that can lose power. */
import { type DownloadResult, downloadStream } from "../../device/agent.ts";
import type { DeviceProfile } from "../../device/fleet/device-profiles.ts";
import type { LinkProfile } from "../../device/fleet/link-profiles.ts";
import type { Clock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import type { Random } from "../../shared/random.ts";
import { PowerCutDisk } from "../support/power-cut-disk.ts";
import type { SimBroker } from "./sim-broker.ts";

/** What a device is. */
export interface SimDeviceOptions {
  readonly thing: string;
  readonly streamId: string;
  readonly blockSizeBytes: number;
  readonly format: Format;
  readonly link: LinkProfile;
  readonly profile: DeviceProfile;
  readonly clock: Clock;
  readonly random: Random;
  readonly broker: SimBroker;
  readonly trace: (line: string) => void;
}

/** How long a device that failed, or lost power, waits before it starts again, in milliseconds. */
const RESTART_MS = 2_000;
const OUT_DIRECTORY = "/out";

/** A disk that notes which images were put in place. */
class WatchedDisk extends PowerCutDisk {
  readonly renamed: string[] = [];

  override async rename(from: string, to: string): Promise<void> {
    await super.rename(from, to);
    if (/\/\d+$/.test(to)) this.renamed.push(to);
  }
}

/** Starts the agent again whenever it ends without the files, until it has them. */
export class SimDevice {
  readonly thing: string;
  readonly disk: WatchedDisk;
  result: DownloadResult | undefined;
  /** Set once its images were compared with the newest version, so that they need not be again. */
  isConfirmed = false;
  finishedAtMs: number | undefined;
  /** What the agent failed with, as long as it went on. */
  readonly failures: OtaError[] = [];
  /** A failure that is a bug: not an OtaError. */
  bug: unknown;
  private readonly options: SimDeviceOptions;
  /** Rises with every boot; what belongs to an earlier one is dead. */
  private boot = 0;
  private isRunning = false;

  constructor(options: SimDeviceOptions) {
    this.options = options;
    this.thing = options.thing;
    this.disk = new WatchedDisk({ random: options.random });
  }

  /** An image that was put in place since the last look. */
  takeNewImage(): { readonly fileId: number; readonly bytes: Uint8Array } | undefined {
    const path = this.disk.renamed.pop();
    const bytes = path === undefined ? undefined : this.disk.peek(path);
    return path === undefined || bytes === undefined ? undefined : { fileId: Number(path.split("/").at(-1)), bytes };
  }

  /** Boots: the agent runs until it has the files. */
  start(): void {
    // An agent that still runs is killed: its locks are gone with its process. One that ended must have let go of them.
    if (this.isRunning) this.disk.killProcess();
    this.isRunning = true;
    const boot = ++this.boot;
    const { broker, clock, link, profile, thing, trace } = this.options;
    const isAlive = (): boolean => boot === this.boot;
    const transport = broker.connectDevice({
      thing,
      link,
      bufferBlocks: profile.bufferBlocks,
      flashMs: (bytes) => bytes * profile.flashMsPerByte,
      isAlive,
    });
    trace(`${thing} boots`);
    downloadStream({
      transport,
      thing,
      streamId: this.options.streamId,
      blockSizeBytes: this.options.blockSizeBytes,
      format: this.options.format,
      ...(profile.bufferBlocks !== undefined && { bufferBlocks: profile.bufferBlocks }),
      directory: OUT_DIRECTORY,
      fileSystem: this.disk,
      clock: mortalClock(clock, isAlive),
      random: this.options.random,
      log: silentLog,
    }).then(
      (result) => {
        if (isAlive()) this.finish(result);
      },
      (error: unknown) => {
        if (isAlive()) this.fail(error);
      },
    );
  }

  /** Takes the power away and gives it back a little later. */
  cutPower(): void {
    this.boot++;
    this.isRunning = false;
    this.options.trace(`${this.thing} loses power`);
    this.options.broker.disconnect(this.thing);
    this.disk.powerCut();
    this.options.clock.setTimer(RESTART_MS, () => {
      this.disk.restart();
      this.start();
    });
  }

  /** Starts over after the end, as a device does that is told of an update; one without power does so when it is back. */
  runAgain(): void {
    this.result = undefined;
    if (this.disk.hasPower) this.start();
  }

  /** Says whether the finished image of a file is in place with these bytes. */
  hasImage(fileId: number, bytes: Uint8Array): boolean {
    const image = this.disk.peek(`${OUT_DIRECTORY}/${this.options.streamId}/${fileId}`);
    return image !== undefined && Buffer.compare(image, bytes) === 0;
  }

  private finish(result: DownloadResult): void {
    this.options.trace(`${this.thing} has version ${result.streamVersion}`);
    this.isRunning = false;
    this.result = result;
    this.finishedAtMs = this.options.clock.monotonicMs();
  }

  private fail(error: unknown): void {
    this.isRunning = false;
    this.options.trace(`${this.thing} fails: ${error instanceof Error ? error.message : String(error)}`);
    if (!(error instanceof OtaError)) {
      this.bug ??= error;
      return;
    }
    this.failures.push(error);
    const { boot } = this;
    this.options.clock.setTimer(RESTART_MS, () => {
      if (boot === this.boot) this.start();
    });
  }
}

/** A clock whose timers die with the boot that armed them. */
function mortalClock(clock: Clock, isAlive: () => boolean): Clock {
  return {
    epochMs: () => clock.epochMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, callback) =>
      clock.setTimer(delayMs, () => {
        if (isAlive()) callback();
      }),
  };
}
