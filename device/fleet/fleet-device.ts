/** One of thousands of simulated devices: the shell that drives a real download session over a connection of a fleet. */
import { crc32 } from "../../shared/crc32.ts";
import { decodeData } from "../../shared/protocol/decode-response.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";
import type { Random } from "../../shared/random.ts";
import { DownloadSession } from "../protocol/download-session.ts";
import type { SessionCommand, SessionInput, SessionOptions } from "../protocol/session-types.ts";
import type { FleetEvents, FleetPath } from "./fleet-connection.ts";
import type { FleetDeviceOptions, FleetJob } from "./fleet-job.ts";
import type { FleetMember } from "./fleet-member.ts";
import { FleetReceiver } from "./fleet-receiver.ts";
import { FleetRequests } from "./fleet-requests.ts";
import { addProgress, type DeviceStats, newDeviceStats, type SessionCounts } from "./fleet-stats.ts";
import type { Timed } from "./lean-timers.ts";
import { type ReceivedRun, takeOneByOne } from "./received-run.ts";
import { reconnectDelayMs } from "./reconnect-delay.ts";

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Downloads the job's files once, verifies them and disconnects. Nothing is stored: blocks go into a CRC-32. The first
 * connection must succeed; later losses are repaired, after `reconnectDelayMs`, until the session gives up.
 */
export class FleetDevice implements FleetEvents, FleetMember, Timed {
  wheelTick = 0;
  /** The thing name and MQTT client id. */
  readonly thing: string;
  readonly stats: DeviceStats;
  private readonly job: FleetJob;
  private readonly path: FleetPath;
  private readonly sessionOptions: SessionOptions;
  private readonly random: Random;
  private session: DownloadSession | undefined;
  /** Over the connection that stands or is being made. */
  private requests: FleetRequests | undefined;
  private readonly receiver: FleetReceiver;
  /** Of the payload that is arriving. */
  private blockCrc = 0;
  /** What a command was answered with: the next input. */
  private answer: SessionInput | undefined;
  private isHeld = false;
  private reconnectAtMs = NEVER;
  private fruitlessAttempts = 0;

  constructor(job: FleetJob, thing: string, options: FleetDeviceOptions = {}) {
    this.job = job;
    this.thing = thing;
    this.path = options.path ?? job.network;
    this.sessionOptions = options.session ?? job.session;
    this.random = options.random ?? job.random;
    this.stats = options.stats ?? newDeviceStats();
    this.receiver = new FleetReceiver(job, this.stats, options.place ?? 0);
  }

  /** Whether the device has ended, with its files or with a failure. */
  get isEnded(): boolean {
    return this.stats.endedAtMs !== undefined;
  }

  get isConnected(): boolean {
    return this.requests?.isOpen === true;
  }

  get progress(): SessionCounts | undefined {
    return this.session?.progress();
  }

  /**
   * Connects and downloads; the job's `ended` is called when that is over, one way or the other. A device that is held
   * connects and waits for its release, so that a whole fleet can begin at one moment.
   */
  start(isHeld = false): void {
    this.isHeld = isHeld;
    this.stats.startedAtMs = this.job.network.touch();
    this.session = new DownloadSession(this.sessionOptions);
    this.connect();
  }

  /** Lets a held device begin. */
  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.stats.startedAtMs = this.job.network.touch();
    if (this.requests?.isOpen) this.handle({ on: "connected" });
  }

  /** Ends the download, if it has not ended. */
  stop(): void {
    if (!this.isEnded) this.end(new OtaError("Interrupted", "interrupted", { retryable: true }));
  }

  /** Cuts the connection; the device comes back by itself. */
  disconnect(): void {
    if (!this.isConnected) return;
    this.requests?.drop();
    this.lost(new OtaError("ConnectionLost", "the device cut its connection"));
  }

  /** Restarts without a word, with a new session, which gives up as after a loss; what was received is kept. Back after `downMs`. */
  reboot(downMs: number): void {
    if (this.isEnded || this.session === undefined) return;
    addProgress(this.stats, this.session.progress());
    this.requests?.drop();
    this.requests = undefined;
    this.blockCrc = 0;
    this.session = new DownloadSession(this.sessionOptions);
    this.stats.reboots++;
    this.reconnectAtMs = this.job.network.touch() + downMs;
    this.handle({ on: "disconnected" });
  }

  connected(): void {
    if (this.stats.connections++ === 0) {
      this.stats.connectedAtMs = this.job.network.nowMs;
      this.job.connected();
    }
    this.fruitlessAttempts = 0;
    if (!this.isHeld) this.handle({ on: "connected" });
  }

  lost(error: OtaError): void {
    this.requests = undefined;
    if (this.isEnded) return;
    this.blockCrc = 0;
    this.job.lost(error);
    if (this.stats.connections === 0) {
      this.end(error);
      return;
    }
    this.reconnectAtMs = this.job.network.touch() + reconnectDelayMs(this.fruitlessAttempts++, this.random);
    // An attempt that failed is no news to the session, and changes nothing in it.
    if (error.code === "ConnectionLost") this.handle({ on: "disconnected" });
    else this.arm();
  }

  subscribed(isGranted: boolean): void {
    const input = this.requests?.subscribed(isGranted);
    if (input !== undefined) this.handle(input);
  }

  runArrived(run: ReceivedRun): void {
    const { blockCount, sizeBytes } = run;
    const { stats, session } = this;
    const { network } = this.job;
    const commands = session?.handleRun(run, network.nowMs);
    if (commands === undefined) {
      takeOneByOne(run, this);
      return;
    }
    stats.messages += blockCount;
    stats.receivedBytes += blockCount * sizeBytes;
    stats.firstBlockAtMs ??= network.nowMs;
    this.receiver.keepRun(run);
    this.performAll(commands);
    this.arm();
  }

  payloadArrived(bytes: Uint8Array, start: number, end: number): void {
    this.blockCrc = crc32(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), this.blockCrc);
  }

  blockSpoiled(): void {
    this.blockCrc = 0;
    this.stats.malformedMessages++;
  }

  blockArrived(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined): void {
    const crc = this.blockCrc;
    this.blockCrc = 0;
    this.takeBlock(fileId, blockId, sizeBytes, clientToken, crc);
  }

  /** Takes a block by its name and the CRC-32 of its bytes, unsigned. */
  takeBlock(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined, crc: number): void {
    const { stats } = this;
    const { network } = this.job;
    stats.messages++;
    stats.receivedBytes += sizeBytes;
    stats.firstBlockAtMs ??= network.nowMs;
    if (this.session === undefined) return;
    const block = this.job.inputFor(fileId, blockId, sizeBytes, clientToken, crc);
    const commands = this.session.handleBlock(block, network.nowMs);
    // To keep it is all that most blocks lead to.
    if (commands.length === 1 && commands[0]?.do === "keepBlock") this.receiver.keep(block);
    else this.performAll(commands);
    this.arm();
  }

  messageArrived(name: string, message: Uint8Array): void {
    const { format } = this.job;
    const topic = parseTopic(name);
    const operation = topic?.kind === "stream" ? topic.operation : undefined;
    if (operation === "data") {
      const data = decodeData(format, message);
      if (data === undefined) this.stats.malformedMessages++;
      else this.takeBlock(data.fileId, data.blockId, data.payload.length, data.clientToken, crc32(data.payload));
      return;
    }
    const input = this.job.answers.decode(operation, message);
    if (input === undefined) this.stats.malformedMessages++;
    else this.handle(input);
  }

  fallDue(nowMs: number): void {
    this.job.network.nowMs = nowMs;
    if (nowMs >= this.reconnectAtMs) this.connect();
    const dueMs = this.session?.deadlineMs ?? NEVER;
    if (nowMs >= dueMs) this.handle({ on: "timeout" });
    else this.arm();
  }

  private connect(): void {
    this.reconnectAtMs = NEVER;
    this.requests = new FleetRequests(this.job, this.thing, this.path, this);
  }

  private handle(input: SessionInput): void {
    if (this.session === undefined) return;
    this.performAll(this.session.handle(input, this.job.network.nowMs));
    this.arm();
  }

  /** Performs commands, and hands over what they are answered with. */
  private performAll(commands: readonly SessionCommand[]): void {
    this.answer = undefined;
    for (let index = 0; index < commands.length; index++) this.perform(commands[index] as SessionCommand);
    if (this.answer !== undefined && this.session !== undefined) {
      this.performAll(this.session.handle(this.answer, this.job.network.nowMs));
    }
  }

  private arm(): void {
    const dueMs = Math.min(this.session?.deadlineMs ?? NEVER, this.reconnectAtMs);
    if (dueMs !== NEVER) this.job.network.timers.schedule(this, dueMs);
  }

  private perform(command: SessionCommand): void {
    switch (command.do) {
      case "keepBlock":
        this.receiver.keep(this.job.blockInput);
        break;
      case "publishGet":
      case "publishDescribe":
      case "publishManifest":
        this.requests?.send(command);
        break;
      case "openFile":
        this.answer = this.receiver.open(command);
        break;
      case "matchBlocks":
        this.answer = this.receiver.match(command);
        break;
      case "verifyFile":
        this.answer = this.receiver.verify(command);
        break;
      case "fileFinished":
        addProgress(this.stats, command.progress);
        this.receiver.finish(command);
        break;
      case "finish":
        this.end(undefined);
        break;
      case "fail":
        this.end(new OtaError(command.failure.code, command.failure.message));
        break;
    }
  }

  private end(failure: OtaError | undefined): void {
    if (failure !== undefined) addProgress(this.stats, this.session?.progress());
    this.stats.endedAtMs = this.job.network.nowMs;
    this.stats.failure = failure;
    this.session = undefined;
    this.receiver.close();
    this.answer = undefined;
    this.reconnectAtMs = NEVER;
    this.job.network.timers.cancel(this);
    this.requests?.close();
    this.requests = undefined;
    this.job.ended(this.thing, this.stats);
  }
}
