/** The stream records that requests need, kept in memory so that a request costs no registry access. */
import { LRUCache } from "lru-cache";
import type { StreamRecord } from "./protocol/stream.ts";
import type { StreamRegistry } from "./registry/stream-registry.ts";

/** Most streams remembered, the unknown ones among them. */
const MAX_STREAMS = 20_000;

/** Remembers live streams until the registry says that they changed. */
export class StreamDirectory {
  private readonly registry: StreamRegistry;
  private readonly known = new LRUCache<string, { readonly record: StreamRecord | undefined }>({ max: MAX_STREAMS });
  private readonly forgetChanges: () => void;
  /** Rises with every change, so that an answer from before it is not remembered. */
  private generation = 0;

  constructor(registry: StreamRegistry) {
    this.registry = registry;
    this.forgetChanges = registry.onChange((streamId) => {
      this.generation++;
      this.known.delete(streamId);
    });
  }

  /** What is remembered of a stream: undefined when nothing is; `record` undefined when there is no such stream. */
  peek(streamId: string): { readonly record: StreamRecord | undefined } | undefined {
    return this.known.get(streamId);
  }

  /** Asks the registry and remembers its answer. */
  async load(streamId: string): Promise<StreamRecord | undefined> {
    const generation = this.generation;
    const entry = await this.registry.find(streamId);
    const record = entry?.state === "live" ? entry.record : undefined;
    if (generation === this.generation) this.known.set(streamId, { record });
    return record;
  }

  close(): void {
    this.forgetChanges();
  }
}
