/** Fuzzes a server over the wire. */
import type { FuzzOptions, FuzzResult } from "./direct-run.ts";

/** What a run over the wire is given. */
export interface WireOptions extends FuzzOptions {
  readonly brokerUrl: string;
  readonly streamId: string;
}

export async function fuzzOverWire(options: WireOptions): Promise<FuzzResult> {
  throw new Error(`not yet: ${options.brokerUrl}`);
}
