/** The table of a download session is complete: every input in every stage has its step, or changes nothing. */
import { describe, expect, it } from "vitest";
import type { SessionInput } from "../../device/protocol/session-types.ts";
import { type Stage, type Step, TRANSITIONS } from "../../device/protocol/transitions.ts";
import { BLOCK_BYTES, bitmapOf, blocksOf, range, SessionDriver } from "../support/session-driver.ts";

const MANIFEST = { hasManifest: true, hasBase: true } as const;
const STAGES = Object.keys(TRANSITIONS) as readonly Stage[];

/** A session in each stage. */
const reach: Readonly<Record<Stage, () => SessionDriver>> = {
  describing() {
    const driver = new SessionDriver();
    driver.feed({ on: "connected" });
    return driver;
  },
  opening() {
    const driver = reach.describing();
    driver.describe();
    return driver;
  },
  downloading() {
    const driver = new SessionDriver();
    driver.start();
    return driver;
  },
  verifying() {
    const driver = new SessionDriver();
    driver.deliver(driver.start());
    return driver;
  },
  fetchingManifest() {
    const driver = new SessionDriver(MANIFEST);
    driver.start();
    return driver;
  },
  matching() {
    const driver = reach.fetchingManifest();
    driver.giveChecksums();
    return driver;
  },
  done() {
    const driver = reach.verifying();
    driver.feed({ on: "verified", fileId: 0 });
    return driver;
  },
  failed() {
    const driver = reach.downloading();
    driver.reject("Unauthorized");
    return driver;
  },
};

/** Each kind of input, as it would come if the session waited for it. */
const inputs: Readonly<{ [On in SessionInput["on"]]: (driver: SessionDriver) => SessionInput }> = {
  connected: () => ({ on: "connected" }),
  disconnected: () => ({ on: "disconnected" }),
  described: (driver) => {
    const { clientToken = "" } = driver.last("publishDescribe").request;
    return { on: "described", description: { clientToken, ...driver.stream } };
  },
  fileOpened: () => ({ on: "fileOpened", fileId: 0, held: bitmapOf([]), complete: false }),
  blockArrived: () => ({ on: "blockArrived", fileId: 0, blockId: 0, sizeBytes: BLOCK_BYTES }),
  rejected: () => ({ on: "rejected", rejection: { code: "Unauthorized", message: "no" } }),
  checksumsArrived: (driver) => {
    const isAsked = driver.kinds().includes("publishManifest");
    const { clientToken = "nobody's" } = isAsked ? driver.manifestRequest : {};
    const checksums = new Uint32Array(40);
    return {
      on: "checksumsArrived",
      message: { clientToken, fileId: 0, blockSizeBytes: BLOCK_BYTES, blockOffset: 0, checksums },
    };
  },
  matched: () => ({ on: "matched", fileId: 0, held: bitmapOf([]) }),
  verified: () => ({ on: "verified", fileId: 0 }),
  mismatched: () => ({
    on: "mismatched",
    fileId: 0,
    failure: { code: "DigestMismatch", message: "wrong" },
    held: bitmapOf([]),
  }),
  timeout: () => ({ on: "timeout" }),
};

/** What each step shows to the outside: its first command, or else the change of the deadline. */
const EFFECTS: Readonly<Record<Step, (stage: Stage) => string>> = {
  startDescribing: () => "publishDescribe",
  comeBack: () => "nothing to see",
  loseConnection: () => "the deadline of a lost connection",
  takeDescription: () => "openFile",
  startDownload: () => "publishGet",
  takeBlock: () => "keepBlock",
  keepLateBlock: (stage) => (stage === "describing" ? "nothing to see" : "keepBlock"),
  takeRejection: (stage) => (stage === "fetchingManifest" ? "publishGet" : "fail"),
  finishFile: () => "fileFinished",
  repairFile: () => "publishGet",
  takeChecksums: () => "matchBlocks",
  retryManifest: () => "publishManifest",
  resumeMatched: () => "publishGet",
  retryDescribe: () => "publishDescribe",
  retryBlocks: () => "publishGet",
  checkConnection: () => "nothing to see",
};

function effectOf(driver: SessionDriver, on: SessionInput["on"]): string {
  const before = driver.session.deadlineMs;
  const [first] = driver.feed(inputs[on](driver));
  if (first !== undefined) return first.do;
  const { deadlineMs } = driver.session;
  if (deadlineMs === before) return "nothing to see";
  return deadlineMs === driver.nowMs + 120_000 ? "the deadline of a lost connection" : "another deadline";
}

const PAIRS = STAGES.flatMap((stage) =>
  (Object.keys(inputs) as SessionInput["on"][]).map((on) => ({ stage, on, step: TRANSITIONS[stage][on] })),
);

describe("in every stage, every input", () => {
  it.each(PAIRS.filter(({ step }) => step !== undefined))("$stage, $on: $step", ({ stage, on, step }) => {
    expect(effectOf(reach[stage](), on)).toBe(EFFECTS[step as Step](stage));
  });

  it.each(PAIRS.filter(({ step }) => step === undefined))("$stage, $on: nothing", ({ stage, on }) => {
    const driver = reach[stage]();
    if (on === "described" && stage === "done") driver.stream = { streamVersion: 1, files: [] };
    const progress = driver.session.progress();
    expect(effectOf(driver, on)).toBe("nothing to see");
    expect(driver.session.progress()).toEqual(progress);
  });

  it("leaves a session able to finish, unless it ended it or nothing is connected", () => {
    for (const { stage, on } of PAIRS) {
      if (stage === "failed" || on === "disconnected" || (on === "rejected" && stage !== "fetchingManifest")) continue;
      const driver = reach[stage]();
      const from = driver.commands.findLastIndex(({ do: kind }) => !["keepBlock", "fileFinished"].includes(kind));
      const input = inputs[on](driver);
      driver.feed(input);
      // What the input answered is not answered twice.
      const answered = ["described", "fileOpened", "verified", "mismatched", "matched", "checksumsArrived"].includes(
        on,
      );
      runToEnd(driver, answered && TRANSITIONS[stage][on] !== undefined ? from + 1 : from);
      expect({ stage, on, end: driver.kinds().at(-1) }).toEqual({ stage, on, end: "finish" });
    }
  });
});

function runToEnd(driver: SessionDriver, from: number): void {
  for (let index = from; index < driver.commands.length; index++) {
    const command = driver.commands[index];
    if (command?.do === "publishDescribe") driver.describe();
    else if (command?.do === "openFile") driver.open();
    else if (command?.do === "publishManifest") driver.giveChecksums();
    else if (command?.do === "matchBlocks") driver.match(range(0, 40));
    else if (command?.do === "verifyFile") driver.feed({ on: "verified", fileId: 0 });
    else if (command?.do === "publishGet") {
      for (const blockId of blocksOf(command.request)) driver.arrive(blockId, command.request);
    }
  }
}
