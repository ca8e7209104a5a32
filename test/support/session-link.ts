/** A download session at the end of a link of known rate and round trip, whose publisher answers at once and in order. */
import { blockLength } from "../../shared/protocol/blocks.ts";
import type { GetRequest } from "../../shared/protocol/messages.ts";
import { blocksOf, type DriverOptions, getsOf, SessionDriver } from "./session-driver.ts";

/** What a link is like. */
export interface LinkOptions {
  readonly bytesPerMs: number;
  /** May change while blocks flow. */
  readonly roundTripMs: number | ((nowMs: number) => number);
  /** Says which data messages are lost: counted from 0, with the time since the start. */
  readonly isLost?: (message: number, atMs: number) => boolean;
}

/** What a download came to. */
export interface LinkOutcome {
  readonly finishedAtMs: number;
  readonly requests: number;
  /** Blocks that left for the device. */
  readonly sentBlocks: number;
  readonly duplicates: number;
  readonly timeouts: number;
  /** The bytes asked for and not arrived just after each request, in the order of the requests. */
  readonly aheadBytes: readonly { readonly atMs: number; readonly bytes: number }[];
}

interface Event {
  readonly atMs: number;
  run(): void;
}

/** Downloads one file; throws when the session fails, or has not finished in an hour. */
export function downloadOverLink(options: DriverOptions, link: LinkOptions): LinkOutcome {
  const driver = new SessionDriver(options);
  const sizeBytes = driver.stream.files[0]?.sizeBytes as number;
  const events: Event[] = [];
  const counts = { sentBlocks: 0, timeouts: 0 };
  const aheadBytes: { atMs: number; bytes: number }[] = [];
  const startedMs = driver.nowMs;
  const isLost = link.isLost ?? (() => false);
  let freeAtMs = 0;
  const schedule = (event: Event): void => {
    events.splice(events.findLastIndex(({ atMs }) => atMs <= event.atMs) + 1, 0, event);
  };
  const halfTripMs = (): number =>
    (typeof link.roundTripMs === "number" ? link.roundTripMs : link.roundTripMs(driver.nowMs)) / 2;
  const asked = new Set<number>();
  const send = (requests: readonly GetRequest[]): void => {
    for (const request of requests) {
      for (const blockId of blocksOf(request)) asked.add(blockId);
      aheadBytes.push({ atMs: driver.nowMs - startedMs, bytes: asked.size * driver.blockSizeBytes });
      schedule({ atMs: driver.nowMs + halfTripMs(), run: () => answer(request) });
    }
  };
  const answer = (request: GetRequest): void => {
    for (const blockId of blocksOf(request)) {
      freeAtMs =
        Math.max(freeAtMs, driver.nowMs) + blockLength(blockId, sizeBytes, driver.blockSizeBytes) / link.bytesPerMs;
      if (isLost(counts.sentBlocks++, driver.nowMs - startedMs)) continue;
      schedule({
        atMs: freeAtMs + halfTripMs(),
        run: () => {
          asked.delete(blockId);
          send(driver.arrive(blockId, request));
        },
      });
    }
  };
  send(driver.start());
  while (driver.commands.at(-1)?.do !== "verifyFile") {
    const deadlineMs = driver.session.deadlineMs ?? Number.POSITIVE_INFINITY;
    const event = events[0] !== undefined && events[0].atMs <= deadlineMs ? events.shift() : undefined;
    if (event === undefined && deadlineMs === Number.POSITIVE_INFINITY) throw new Error("nothing is left to happen");
    driver.nowMs = Math.max(driver.nowMs, event?.atMs ?? deadlineMs);
    if (event !== undefined) {
      event.run();
    } else {
      counts.timeouts++;
      send(getsOf(driver.timeOut()));
    }
    if (driver.commands.at(-1)?.do === "fail") throw new Error(driver.failure?.message);
    if (driver.nowMs > startedMs + 3_600_000) throw new Error("not finished in an hour");
  }
  const { duplicates, requests } = driver.session.progress() ?? { duplicates: 0, requests: 0 };
  return { finishedAtMs: driver.nowMs - startedMs, requests, duplicates, ...counts, aheadBytes };
}
