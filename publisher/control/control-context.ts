/** What every operation of the control plane works with. */
import type { Clock } from "../../shared/clock.ts";
import type { ObjectStore } from "../object-store/object-store.ts";
import type { StreamRules } from "../protocol/stream-rules.ts";
import type { StreamRegistry } from "../registry/stream-registry.ts";
import type { DigestMemory } from "./digest-memory.ts";

/** The parts and rules behind the operations. */
export interface ControlContext {
  readonly registry: StreamRegistry;
  readonly objectStore: ObjectStore;
  readonly digests: DigestMemory;
  readonly clock: Clock;
  readonly rules: StreamRules;
  /** Says whether something still needs a stream, so that it must not be deleted. */
  readonly isInUse: (streamId: string) => boolean;
}

/** One request as an operation sees it: decoded, its body parsed. */
export interface ControlRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** The parsed JSON body; undefined when there is none. */
  readonly body: unknown;
}

/** One operation: where it is and what it answers with status 200. Throws ApiException. */
export interface ControlRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `:streamId` where the id goes. */
  readonly path: string;
  readonly handle: (request: ControlRequest) => Promise<object>;
}
