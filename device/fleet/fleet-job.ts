/** What all simulated devices of a process share: where they connect, what they fetch, and what can be reused. */
import type { OtaError } from "../../shared/protocol/errors.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { type Random, randomFraction } from "../../shared/random.ts";
import type { BlockArrived, SessionOptions } from "../protocol/session-types.ts";
import { CrcPlans } from "./crc-combine.ts";
import { FleetAnswers } from "./fleet-answers.ts";
import type { FleetNetwork, FleetPath } from "./fleet-connection.ts";
import type { DeviceStats } from "./fleet-stats.ts";
import type { HeatMap } from "./heat-map.ts";

/** What a {@link FleetJob} is made of. */
export interface FleetJobOptions extends Omit<SessionOptions, "randomFraction" | "hasBase"> {
  readonly network: FleetNetwork;
  readonly format: Format;
  readonly random: Random;
  /** Keep the CRC-32 of every block, 4 bytes each, so that one that came wrong is fetched again alone. */
  readonly keepBlockCrcs?: boolean;
  /** Takes a note of every new block. */
  readonly heat?: HeatMap;
  /** Called once for each device, when it is connected for the first time. */
  readonly connected?: () => void;
  /** Called whenever a device's connection could not be made, or broke. */
  readonly lost?: (error: OtaError) => void;
  /** Called once for each device, when it has its files or failed. */
  readonly ended: (thing: string, stats: DeviceStats) => void;
}

/** What tells one device of a job from the others; nothing does by default. */
export interface FleetDeviceOptions {
  /** Its place in the job's heat map, 0 by default. */
  readonly place?: number;
  /** The network by default. */
  readonly path?: FleetPath;
  readonly session?: SessionOptions;
  readonly random?: Random;
  readonly stats?: DeviceStats;
}

/** The one input object for blocks, used again for each: a session keeps none. */
export type BlockInput = { -readonly [Key in keyof BlockArrived]: BlockArrived[Key] } & {
  /** Of the block's bytes; the session does not look at it. */
  crc32: number;
};

const ignore = (): void => {};

/** One download by many devices. */
export class FleetJob {
  readonly network: FleetNetwork;
  readonly format: Format;
  readonly random: Random;
  readonly session: SessionOptions;
  readonly keepBlockCrcs: boolean;
  readonly crcPlans = new CrcPlans();
  readonly answers: FleetAnswers;
  readonly blockInput: BlockInput = {
    on: "blockArrived",
    fileId: 0,
    blockId: 0,
    sizeBytes: 0,
    clientToken: undefined,
    crc32: 0,
  };
  readonly heat: HeatMap | undefined;
  readonly connected: () => void;
  readonly lost: (error: OtaError) => void;
  readonly ended: (thing: string, stats: DeviceStats) => void;

  constructor(options: FleetJobOptions) {
    const { network, format, random, keepBlockCrcs = false, heat, ...others } = options;
    const { connected = ignore, lost = ignore, ended, ...session } = others;
    this.network = network;
    this.format = format;
    this.answers = new FleetAnswers(format);
    this.random = random;
    this.session = { ...session, randomFraction: () => randomFraction(random) };
    this.keepBlockCrcs = keepBlockCrcs;
    this.heat = heat;
    this.connected = connected;
    this.lost = lost;
    this.ended = ended;
  }

  /** The input for a block: `blockInput`, until the next block. */
  inputFor(
    fileId: number,
    blockId: number,
    sizeBytes: number,
    clientToken: string | undefined,
    crc32: number,
  ): BlockInput {
    const { blockInput } = this;
    blockInput.fileId = fileId;
    blockInput.blockId = blockId;
    blockInput.sizeBytes = sizeBytes;
    blockInput.clientToken = clientToken;
    blockInput.crc32 = crc32;
    return blockInput;
  }
}
