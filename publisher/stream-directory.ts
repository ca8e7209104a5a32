/** The stream records that requests need, kept in memory so that a request costs no registry access. */
import { LRUCache } from "lru-cache";
import type { StreamRecord } from "./protocol/stream.ts";
import type { StreamRegistry } from "./registry/stream-registry.ts";

/** Most live streams remembered. */
const MAX_STREAMS = 20_000;
/** Most ids remembered under which there is no stream; a bound of their own, so that made-up ids push out no stream. */
const MAX_UNKNOWN = 1_000;

/** What is remembered under a stream id: `record` is undefined when there is no such stream. */
export interface KnownStream {
  readonly record: StreamRecord | undefined;
}

const UNKNOWN: KnownStream = { record: undefined };

/** Remembers streams until the registry says that they changed. */
export class StreamDirectory {
  private readonly registry: StreamRegistry;
  private readonly live = new LRUCache<string, KnownStream>({ max: MAX_STREAMS });
  private readonly unknown = new LRUCache<string, true>({ max: MAX_UNKNOWN });
  /** Lookups under way whose streams did not change meanwhile. */
  private readonly lookups = new Map<string, Promise<StreamRecord | undefined>>();
  private readonly forgetChanges: () => void;

  constructor(registry: StreamRegistry) {
    this.registry = registry;
    this.forgetChanges = registry.onChange((streamId) => {
      this.live.delete(streamId);
      this.unknown.delete(streamId);
      this.lookups.delete(streamId);
    });
  }

  /** What is remembered of a stream; undefined when nothing is. */
  peek(streamId: string): KnownStream | undefined {
    return this.live.get(streamId) ?? (this.unknown.get(streamId) === true ? UNKNOWN : undefined);
  }

  /** Asks the registry, once for all who ask at the same time, and remembers its answer. */
  load(streamId: string): Promise<StreamRecord | undefined> {
    const running = this.lookups.get(streamId);
    if (running !== undefined) return running;
    // An answer from before a change of the stream is no longer among the lookups, and is not remembered.
    const isCurrent = (): boolean => this.lookups.get(streamId) === lookup;
    const lookup = this.registry
      .find(streamId)
      .then((entry) => {
        const record = entry?.state === "live" ? entry.record : undefined;
        if (isCurrent()) this.remember(streamId, record);
        return record;
      })
      .finally(() => {
        if (isCurrent()) this.lookups.delete(streamId);
      });
    this.lookups.set(streamId, lookup);
    return lookup;
  }

  close(): void {
    this.forgetChanges();
  }

  private remember(streamId: string, record: StreamRecord | undefined): void {
    if (record !== undefined) this.live.set(streamId, { record });
    else this.unknown.set(streamId, true);
  }
}
