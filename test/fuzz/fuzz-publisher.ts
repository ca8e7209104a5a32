/** The real publisher with a transport that keeps what each thing is sent and an object store in memory. */
import { FileCache } from "../../publisher/file-cache.ts";
import { Publisher } from "../../publisher/publisher.ts";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import { StreamDirectory } from "../../publisher/stream-directory.ts";
import type { Log } from "../../shared/log.ts";
import type { RequestProfile } from "../../shared/protocol/decode.ts";
import type { BlockRun, PublisherHandlers, PublisherTransport } from "../../shared/transport.ts";
import { type ControlClock, createControlClock } from "../support/control-clock.ts";
import { FuzzStore, fuzzRecords } from "./fuzz-streams.ts";

/** Something that a thing was sent: a small message, or the blocks of a run that were taken. */
export type Sent =
  | { readonly kind: "message"; readonly topic: string; readonly payload: Uint8Array }
  | { readonly kind: "blocks"; readonly run: BlockRun; readonly blockIds: readonly number[] };

/** A transport that takes at most so many blocks of an offer and asks for the rest when it is told to. */
export class FuzzTransport implements PublisherTransport {
  /** What each thing was sent, until it is taken out. */
  readonly sent = new Map<string, Sent[]>();
  /** Most blocks that an offer takes; the rest waits. */
  mostBlocks = Number.POSITIVE_INFINITY;
  private readonly waiting = new Set<string>();
  private handlers: PublisherHandlers | undefined;

  async start(handlers: PublisherHandlers): Promise<void> {
    this.handlers = handlers;
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number {
    const blockIds = [...run.blockIds.subarray(from, from + this.mostBlocks)];
    this.keep(thing, { kind: "blocks", run, blockIds });
    if (from + blockIds.length < run.blockIds.length) this.waiting.add(thing);
    return blockIds.length;
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    this.keep(thing, { kind: "message", topic, payload: Uint8Array.from(payload) });
  }

  async stop(): Promise<void> {}

  requestArrived(topic: string, payload: Uint8Array): void {
    this.handlers?.requestArrived({ topic, payload });
  }

  /** Lets every thing that waits take more; says whether there was one. */
  wakeWaiting(): boolean {
    const things = [...this.waiting];
    this.waiting.clear();
    for (const thing of things) this.handlers?.deviceReady(thing);
    return things.length > 0;
  }

  private keep(thing: string, sent: Sent): void {
    const sents = this.sent.get(thing);
    if (sents === undefined) this.sent.set(thing, [sent]);
    else sents.push(sent);
  }
}

/** A started publisher. */
export interface FuzzPublisher {
  readonly transport: FuzzTransport;
  readonly clock: ControlClock;
  /** Lines at the level of errors: each is a defect that the publisher noticed. */
  readonly errors: string[];
}

/** Starts a publisher of the fuzzer's streams. */
export async function startFuzzPublisher(profile: RequestProfile): Promise<FuzzPublisher> {
  const transport = new FuzzTransport();
  const clock = createControlClock(1_763_772_295_250);
  const records = fuzzRecords();
  const registry = openMemoryRegistry();
  for (const record of records) await registry.change(record.streamId, () => ({ state: "live", record }));
  const store = new FuzzStore(records);
  const files = new FileCache({ store, clock, maxBytes: 1 << 26, checkIntervalMs: 1000, serveStaleMs: 0 });
  const errors: string[] = [];
  const ignore = (): void => {};
  const error: Log["error"] = (message, fields) => {
    const reason = fields?.error instanceof Error ? fields.error.stack : JSON.stringify(fields);
    errors.push(`${message}: ${reason}`);
  };
  const log: Log = { debug: ignore, info: ignore, warn: ignore, error };
  const directory = new StreamDirectory(registry);
  await new Publisher({ transport, directory, files, clock, log, profile }).start();
  return { transport, clock, errors };
}
