/** What the process of a fleet uses while its devices run: processor time, and memory at its highest. */
import type { FleetOutcome } from "./fleet-outcome.ts";
import { toTenths } from "./member-outcome.ts";
import type { ProcessProbe } from "./process-probe.ts";

/** Measures from its making; without a probe it has nothing to say. */
export class FleetMeter {
  private readonly probe: ProcessProbe | undefined;
  private readonly idleBytes: number;
  private peakBytes = 0;
  private cpuBeforeMs: number;

  /** `idleBytes` is what the process took before it did anything; what it takes now by default. */
  constructor(probe: ProcessProbe | undefined, idleBytes?: number) {
    this.probe = probe;
    this.idleBytes = idleBytes ?? probe?.residentBytes() ?? 0;
    this.cpuBeforeMs = probe?.cpuMs() ?? 0;
  }

  /** Counts processor time from here. */
  restart(): void {
    this.cpuBeforeMs = this.probe?.cpuMs() ?? 0;
  }

  /** Looks at the memory. */
  sample(): void {
    this.peakBytes = Math.max(this.peakBytes, this.probe?.residentBytes() ?? 0);
  }

  read(): Pick<FleetOutcome, "cpuMs" | "memory"> {
    if (this.probe === undefined) return {};
    this.sample();
    const { idleBytes, peakBytes } = this;
    return { cpuMs: toTenths(this.probe.cpuMs() - this.cpuBeforeMs), memory: { idleBytes, peakBytes } };
  }
}
