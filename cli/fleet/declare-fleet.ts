/** Declares `otastream fleet` and its flags. */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { DEVICE_PROFILES } from "../../device/fleet/device-profiles.ts";
import { FLEET_CLIENTS } from "../../device/fleet/fleet-clients.ts";
import { LINK_PROFILES } from "../../device/fleet/link-profiles.ts";
import { ASSERTED_FIGURES, parseAssertion } from "../../device/fleet/report-assertions.ts";
import { HIGHEST_MAX_FILE_BYTES, MAX_BLOCK_SIZE_BYTES, MIN_BLOCK_SIZE_BYTES } from "../../shared/protocol/limits.ts";
import * as read from "../options.ts";
import { bandwidthOf, durationOf, mixOf, seedOf, shareOf } from "./fleet-values.ts";

const MOST_DEVICES = 1_000_000;
const MOST_PROCESSES = 64;

/** Adds the flags and the action to a command. */
export function declareFleet(command: Command): void {
  declareLoad(command);
  declareNetwork(command);
  declareReport(command);
  command.action(async (streamId: string | undefined, flags) => {
    const { loss, duplicate, reorder, corrupt, disconnectEvery, rebootEvery, bandwidth, latency, ...others } = flags;
    const faults = {
      ...(loss !== undefined && { loss }),
      ...(duplicate !== undefined && { duplicate }),
      ...(reorder !== undefined && { reorder }),
      ...(corrupt !== undefined && { corrupt }),
      ...(disconnectEvery !== undefined && { disconnectEveryMs: disconnectEvery }),
      ...(rebootEvery !== undefined && { rebootEveryMs: rebootEvery }),
      ...(bandwidth !== undefined && { bandwidthBytesPerSecond: bandwidth }),
      ...(latency !== undefined && { latencyMs: latency }),
    };
    const seed: number = flags.seed ?? randomBytes(4).readUInt32LE();
    const { runFleetCommand } = await import("./fleet-command.ts");
    await runFleetCommand({ ...others, ...(streamId !== undefined && { streamId }), faults, seed });
  });
}

function declareLoad(command: Command): void {
  command
    .argument(
      "[streamId]",
      "the stream, with --broker; otherwise a server and a stream of the run's own",
      read.streamId,
    )
    .option("--devices <N>", "simulated devices", read.integerFrom("--devices", 1, MOST_DEVICES), 100)
    .option(
      "--broker <URL>",
      "the broker; default: a server of the run's own; mqtts, ws, wss and passwords need --connection mqttjs",
      read.urlWith("--broker", ["mqtt", "mqtts", "ws", "wss"]),
    )
    .option(
      "--ramp <N>",
      "devices that start in a second; default: all at once",
      read.integerFrom("--ramp", 1, MOST_DEVICES),
    )
    .option(
      "--together",
      "all begin to download at one moment, once every one is connected; times count from there",
      false,
    )
    .option("--file <PATH>", "the file that the run's own server delivers", read.someText("--file"))
    .option(
      "--size <BYTES>",
      "or random bytes of this size; default: 262144",
      read.integerFrom("--size", 1, HIGHEST_MAX_FILE_BYTES),
    )
    .option(
      "--block-size <BYTES>",
      "block size",
      read.integerFrom("--block-size", MIN_BLOCK_SIZE_BYTES, MAX_BLOCK_SIZE_BYTES),
      4096,
    )
    .option("--format <FORMAT>", "cbor or json", read.format, "cbor")
    .addOption(
      command
        .createOption("--client <MIX>", `client models, name:share,...: ${Object.keys(FLEET_CLIENTS).join(", ")}`)
        .argParser(mixOf("--client", Object.keys(FLEET_CLIENTS)))
        .default([], "otastream"),
    )
    .option(
      "--connection <KIND>",
      "lean, or mqttjs: the real client library",
      read.oneOf("--connection", ["lean", "mqttjs"]),
      "lean",
    )
    .option(
      "--store <KIND>",
      "verify: check every block, keep nothing; disk: the real image store",
      read.oneOf("--store", ["verify", "disk"]),
      "verify",
    )
    .option(
      "--out <DIR>",
      "for --store disk: files become DIR/<thing>/<streamId>/<fileId>; default: removed at the end",
      read.someText("--out"),
    )
    .option("--processes <N>", "generator processes", read.integerFrom("--processes", 1, MOST_PROCESSES), 1)
    .option("--virtual", "on a virtual clock, without sockets: the same seed gives the same report", false);
}

function declareNetwork(command: Command): void {
  command
    .addOption(
      command
        .createOption("--link <MIX>", `links, name:share,...: ${Object.keys(LINK_PROFILES).join(", ")}`)
        .argParser(mixOf("--link", Object.keys(LINK_PROFILES)))
        .default([], "none"),
    )
    .addOption(
      command
        .createOption("--device <MIX>", `kinds of device, name:share,...: ${Object.keys(DEVICE_PROFILES).join(", ")}`)
        .argParser(mixOf("--device", Object.keys(DEVICE_PROFILES)))
        .default([], "linux"),
    )
    .option(
      "--loss <SHARE>",
      "share of messages lost, each way, beside the link's own; like 5% or 0.05",
      shareOf("--loss"),
    )
    .option("--duplicate <SHARE>", "share of messages that arrive twice", shareOf("--duplicate"))
    .option("--reorder <SHARE>", "share of messages that others overtake", shareOf("--reorder"))
    .option("--corrupt <SHARE>", "share of blocks with a wrong bit", shareOf("--corrupt"))
    .option(
      "--disconnect-every <TIME>",
      "mean time between two losses of a device's connection, like 30s",
      durationOf("--disconnect-every"),
    )
    .option(
      "--reboot-every <TIME>",
      "mean time between two reboots of a device, like 10m",
      durationOf("--reboot-every"),
    )
    .option(
      "--bandwidth <RATE>",
      "instead of the link's: bytes a second, or with kB, MB, kbit, Mbit",
      bandwidthOf("--bandwidth"),
    )
    .option("--latency <TIME>", "one way, instead of the link's", durationOf("--latency"))
    .option(
      "--seed <N>",
      "decides every fault and mix; default: a random one, which the report names",
      seedOf("--seed"),
    );
}

function declareReport(command: Command): void {
  command
    .option("--report <FILE>", "write the report as JSON", read.someText("--report"))
    .option("--html <FILE>", "write the report as a page with plots", read.someText("--html"))
    .option("--json", "print the report in short as one line of JSON, and no progress", false)
    .option(
      "--allow-failures <N>",
      "devices that may fail with exit status 0",
      read.integerFrom("--allow-failures", 0, MOST_DEVICES),
      0,
    )
    .addOption(
      command
        .createOption(
          "--assert <CONDITION>",
          `exit status 1 unless it holds; repeatable; like 'p99<30s' or 'redundancy<1.1'; of ${ASSERTED_FIGURES.join(", ")}`,
        )
        .argParser(read.repeated(parseAssertion))
        .default([], "none"),
    );
}
