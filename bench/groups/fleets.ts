/** Many devices at once, with the real download session, and many streams. */
import { type BenchContext, interleave, type Lanes, measure, type Results } from "../harness/bench-context.ts";
import type { Measurement } from "../harness/measurement.ts";
import { type OwnServer, startOwnServer } from "../harness/own-server.ts";
import type { Receiver } from "../harness/receiver.ts";
import type { FleetTask } from "../receivers/tasks.ts";
import { type ReferenceServer, startAedesServer } from "../references/reference-servers.ts";
import { ONE_FILE, windowTask } from "./one-device.ts";

/** A stream of one file of 256 KiB. */
export const SMALL_FILE = "small";

const LIMIT_MS = 60_000;
const WARM_UP_MS = 100;
const STREAMS = 10_000;
const STREAM_DEVICES = 100;
/** How often a fleet is measured while it runs, on a lane that does not finish or for long. */
const WINDOWS = 5;
/** While 5,000 devices with 2 MiB are all at work. */
const LONG_FLEET_WINDOW_MS = 400;

/** The task of a fleet on one server. */
export function fleetTask(server: ReferenceServer, devices: number, streamId: string): FleetTask {
  const { url, pids: serverPids } = server;
  return { kind: "fleet", url, serverPids, streamId, devices, blockSizeBytes: 4096, format: "cbor", limitMs: LIMIT_MS };
}

/** Measures 1,000 devices with 2 MiB each, and 5,000 with 256 KiB and with 2 MiB, beside broker.publish for a while. */
export async function measureFleets(context: BenchContext, own: OwnServer, receiver: Receiver): Promise<Results> {
  const longFleet = {
    ...fleetTask(own, 5_000, ONE_FILE),
    windows: { count: WINDOWS, lengthMs: LONG_FLEET_WINDOW_MS, toEnd: true },
  };
  const lanes: Lanes = {
    // First: what thousands of devices do once each, such as asking for a description, is compiled when blocks are counted.
    "own, 5,000 devices x 2 MiB": inSlowRounds(context, () => receiver.ask(longFleet)),
    // Measured here once more: the machine is another one a minute later.
    "own, 1 device": () => measure(receiver, windowTask(context, own)),
    "own, 1,000 devices": () => measure(receiver, fleetTask(own, 1_000, ONE_FILE)),
    "broker.publish, 1,000 devices": onBroker(context, own, receiver, (broker) => fleetTask(broker, 1_000, ONE_FILE)),
    "own, 5,000 devices": () => measure(receiver, fleetTask(own, 5_000, SMALL_FILE)),
    "broker.publish, 5,000 devices": onBroker(context, own, receiver, (broker) => fleetTask(broker, 5_000, SMALL_FILE)),
  };
  return interleave(context, lanes, { repeats: false, budgetMs: context.pace.fleetBudgetMs });
}

/** Measures in the rounds of the slowest fleets, and nothing in the others. */
function inSlowRounds({ pace }: BenchContext, run: () => Promise<readonly Measurement[]>): Lanes[string] {
  const rounds = pace.slowFleetRounds === "first" ? [0] : [0, pace.rounds - 1];
  return async (round) => (rounds.includes(round) ? await run() : []);
}

/** Measures for {@link WINDOWS} windows while devices download that would take too long. */
function onBroker(
  context: BenchContext,
  own: OwnServer,
  receiver: Receiver,
  taskFor: (broker: ReferenceServer) => FleetTask,
): Lanes[string] {
  const { group, pace } = context;
  return inSlowRounds(context, async () => {
    // A new one each time: what is still queued for devices that are gone would be delivered to nobody in the next round,
    // and Aedes walks such a queue in one call, which overflows the stack.
    const broker = await startAedesServer(group, "broker", own);
    try {
      await measure(receiver, windowTask(context, broker, { measureMs: WARM_UP_MS }));
      const windows = { count: WINDOWS, lengthMs: pace.fleetWindowMs, toEnd: false };
      return await receiver.ask({ ...taskFor(broker), windows });
    } finally {
      await group.end(broker.pids);
    }
  });
}

/** Measures 100 devices on 100 of 10,000 streams, and on one of them, beside a server that has no other. */
export async function measureStreams(context: BenchContext, own: OwnServer, receiver: Receiver): Promise<Results> {
  const { directory, group, report, source } = context;
  const small = await startOwnServer(group, directory);
  await small.publish(ONE_FILE, source);
  const startedMs = performance.now();
  await own.registerLike(ONE_FILE, STREAMS - 1);
  report(`${STREAMS - 1} streams registered in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  const onOneStream = (server: OwnServer) => () => measure(receiver, fleetTask(server, STREAM_DEVICES, ONE_FILE));
  const lanes: Lanes = {
    "own, 10,000 streams": onStreams(receiver, own, STREAMS),
    "own, 1 stream": onOneStream(small),
    "own, 1 stream of 10,000": onOneStream(own),
  };
  await lanes["own, 1 stream"]?.(-1);
  const results = await interleave(context, lanes, { warmUp: true });
  await group.end(small.pids);
  return results;
}

/** 100 devices on as many of the streams `<ONE_FILE>-<n>`, others each time; `streams` is how many there are. */
export function onStreams(receiver: Receiver, server: OwnServer, streams: number): () => Promise<Measurement> {
  let from = 0;
  return () => {
    const streamIds = Array.from(
      { length: Math.min(STREAM_DEVICES, streams) },
      (_, index) => `${ONE_FILE}-${((from + index) % (streams - 1)) + 1}`,
    );
    from += STREAM_DEVICES;
    return measure(receiver, { ...fleetTask(server, STREAM_DEVICES, ONE_FILE), streamIds });
  };
}
