/** A run's snapshots at regular times; when they become too many, every other one goes. No IO. */
import type { FleetSnapshot } from "./fleet-outcome.ts";

/** Most snapshots that are kept. */
const MOST_SNAPSHOTS = 600;

/** Keeps at most 600 snapshots, the first and the last among them, evenly spread over the run. */
export class FleetTimeline {
  private snapshots: FleetSnapshot[] = [];
  /** Of the snapshots that come, every so-many-th is kept. */
  private step = 1;
  private came = 0;

  /** Takes the next snapshot. */
  add(snapshot: FleetSnapshot): void {
    if (this.came++ % this.step !== 0) return;
    this.snapshots.push(snapshot);
    if (this.snapshots.length < MOST_SNAPSHOTS) return;
    this.snapshots = this.snapshots.filter((_, index) => index % 2 === 0);
    this.step *= 2;
  }

  /** All that are kept, and the last one of the run. */
  end(last: FleetSnapshot): readonly FleetSnapshot[] {
    return [...this.snapshots.filter(({ atMs }) => atMs < last.atMs), last];
  }
}
