/** A publisher between a recording transport, a registry in memory and a store that a test breaks; time stands still. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { FileCache } from "../../publisher/file-cache.ts";
import type { ObjectStore } from "../../publisher/object-store/object-store.ts";
import type { StreamFile, StreamRecord } from "../../publisher/protocol/stream.ts";
import { Publisher } from "../../publisher/publisher.ts";
import { openMemoryRegistry } from "../../publisher/registry/memory-registry.ts";
import type { StreamRegistry } from "../../publisher/registry/stream-registry.ts";
import { StreamDirectory } from "../../publisher/stream-directory.ts";
import type { Log, LogFields } from "../../shared/log.ts";
import type { RequestProfile } from "../../shared/protocol/decode.ts";
import { encodeJson } from "../../shared/protocol/json.ts";
import type { BlockRun, PublisherHandlers, PublisherTransport } from "../../shared/transport.ts";
import { type ControlClock, createControlClock } from "./control-clock.ts";
import { ControlObjectStore } from "./control-object-store.ts";
import { recordedFile, streamRecord } from "./publisher-stream.ts";

/** What reached a device: a small message, or the part of a run that was taken. */
export type Sent =
  | { readonly kind: "message"; readonly thing: string; readonly topic: string; readonly payload: Uint8Array }
  | { readonly kind: "blocks"; readonly thing: string; readonly run: BlockRun; readonly blockIds: readonly number[] };

/** A transport without a broker: it keeps what is sent and takes as much of an offer as the test says. */
export class RecordingTransport implements PublisherTransport {
  readonly sent: Sent[] = [];
  /** How many of the blocks on offer are taken; all of them unless a test says otherwise. */
  take: (thing: string, offered: number, run: BlockRun) => number | undefined = (_thing, offered) => offered;
  private handlers: PublisherHandlers | undefined;

  async start(handlers: PublisherHandlers): Promise<void> {
    this.handlers = handlers;
  }

  sendBlocks(thing: string, run: BlockRun, from: number): number | undefined {
    const taken = this.take(thing, run.blockIds.length - from, run);
    if (taken !== undefined && taken > 0) {
      this.sent.push({ kind: "blocks", thing, run, blockIds: [...run.blockIds.subarray(from, from + taken)] });
    }
    return taken;
  }

  sendMessage(thing: string, topic: string, payload: Uint8Array): void {
    this.sent.push({ kind: "message", thing, topic, payload: Uint8Array.from(payload) });
  }

  async stop(): Promise<void> {
    this.handlers = undefined;
  }

  requestArrived(topic: string, payload: Uint8Array): void {
    this.handlers?.requestArrived({ topic, payload });
  }

  deviceReady(thing: string): void {
    this.handlers?.deviceReady(thing);
  }

  /** Takes out what was sent so far. */
  drain(): Sent[] {
    return this.sent.splice(0);
  }
}

/** One line of the publisher's log. */
export interface RigLogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: LogFields;
}

/** A publisher and everything around it. */
export interface PublisherRig {
  readonly publisher: Publisher;
  readonly transport: RecordingTransport;
  readonly registry: StreamRegistry;
  /** Where {@link PublisherRig.putStream} puts its objects. */
  readonly store: ControlObjectStore;
  readonly clock: ControlClock;
  readonly logLines: RigLogLine[];
  /** Puts one object per file, id 0 first, and writes the stream's record. */
  putStream(files: readonly Uint8Array[], overrides?: Partial<StreamRecord>): Promise<StreamRecord>;
  /** Hands over a request and returns what was sent once every promise that can settle has. */
  request(topic: string, payload: unknown): Promise<Sent[]>;
}

/** How a rig differs from the usual one. */
export interface RigOptions {
  readonly profile?: RequestProfile;
  readonly serveStaleMs?: number;
  /** Read from instead of the rig's own store. */
  readonly objectStore?: ObjectStore;
}

/** The check interval of a rig's file cache, in milliseconds. */
export const RIG_CHECK_INTERVAL_MS = 1000;

/** Starts a publisher. */
export async function startRig(options: RigOptions = {}): Promise<PublisherRig> {
  const { profile = "lenient", serveStaleMs = 0 } = options;
  const transport = new RecordingTransport();
  const registry = openMemoryRegistry();
  const store = new ControlObjectStore();
  const clock = createControlClock(1_763_772_295_250);
  const logLines: RigLogLine[] = [];
  const files = new FileCache({
    store: options.objectStore ?? store,
    clock,
    maxBytes: 1 << 26,
    checkIntervalMs: RIG_CHECK_INTERVAL_MS,
    serveStaleMs,
  });
  const directory = new StreamDirectory(registry);
  const publisher = new Publisher({ transport, directory, files, clock, log: collectLog(logLines), profile });
  await publisher.start();
  return {
    publisher,
    transport,
    registry,
    store,
    clock,
    logLines,
    async putStream(contents, overrides) {
      const record = streamRecord(
        contents.map((bytes, fileId): StreamFile => {
          const s3Location = { bucket: "firmware", key: `image-${fileId}` };
          store.put(s3Location.bucket, s3Location.key, bytes);
          return recordedFile(bytes, { fileId, s3Location });
        }),
        overrides,
      );
      await registry.change(record.streamId, () => ({ state: "live", record }));
      return record;
    },
    async request(topic, payload) {
      transport.requestArrived(topic, payload instanceof Uint8Array ? payload : encodeJson(payload));
      await eventLoopTurn();
      return transport.drain();
    },
  };
}

function collectLog(lines: RigLogLine[]): Log {
  const at =
    (level: keyof Log) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, message, fields });
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
