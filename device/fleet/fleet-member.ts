/** The port to one device of a running fleet, whatever it is made of. */
import type { DeviceStats, SessionCounts } from "./fleet-stats.ts";

/** One device; it is started once. */
export interface FleetMember {
  readonly thing: string;
  readonly stats: DeviceStats;
  readonly isEnded: boolean;
  /** Whether its connection stands. */
  readonly isConnected: boolean;
  /** What its session counts for the file in work, which is not in the stats yet. */
  readonly progress: SessionCounts | undefined;
  /** Settles when it has let go of what it had, where that takes time. */
  readonly running?: Promise<void>;
  /** Connects and downloads; one that is held connects only, until its release. */
  start(isHeld: boolean): void;
  /** Lets a held device begin; its time counts from here. */
  release(): void;
  /** Ends it with the failure `Interrupted`, if it has not ended. */
  stop(): void;
  /** Cuts its connection, if there is one; it comes back by itself. */
  disconnect(): void;
  /** Restarts it without a word; it comes back after `downMs`. */
  reboot(downMs: number): void;
}
