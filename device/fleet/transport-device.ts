/** A device of a fleet that is a whole client of its own, the real agent or a model of a stock library, over a transport. */
import type { Clock, Timer } from "../../shared/clock.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import type { Random } from "../../shared/random.ts";
import type { DeviceTransport } from "../../shared/transport.ts";
import { boundsOf } from "../protocol/session-bounds.ts";
import { DownloadBooks } from "./download-books.ts";
import type { FleetPath } from "./fleet-connection.ts";
import type { FleetJob } from "./fleet-job.ts";
import type { FleetMember } from "./fleet-member.ts";
import type { DeviceStats, SessionCounts } from "./fleet-stats.ts";
import { FleetTransport } from "./fleet-transport.ts";
import type { HeatMap } from "./heat-map.ts";

/** One run of a client, from a boot to its end. */
export interface ClientRun {
  readonly transport: DeviceTransport;
  readonly thing: string;
  readonly signal: AbortSignal;
  readonly books: DownloadBooks;
  readonly stats: DeviceStats;
}

/** Runs the client until it has its files. Rejects with OtaError. */
export type RunClient = (run: ClientRun) => Promise<void>;

/** What a device is made of. */
export interface TransportDeviceOptions {
  readonly job: FleetJob;
  readonly thing: string;
  readonly stats: DeviceStats;
  readonly place: number;
  readonly heat: HeatMap;
  readonly path: FleetPath;
  readonly clock: Clock;
  readonly random: Random;
  /** Starts a run after each boot. */
  readonly runClient: RunClient;
}

/** Runs its client once, and again after each reboot. */
export class TransportDevice implements FleetMember {
  readonly thing: string;
  readonly stats: DeviceStats;
  private readonly options: TransportDeviceOptions;
  private readonly books: DownloadBooks;
  private transport: FleetTransport | undefined;
  private abort = new AbortController();
  private boot: Timer | undefined;
  private isHeld = false;
  /** Settles when the last run has let go of what it had. */
  running: Promise<void> = Promise.resolve();

  constructor(options: TransportDeviceOptions) {
    const { thing, stats, heat, place, job } = options;
    this.thing = thing;
    this.stats = stats;
    this.options = options;
    this.books = new DownloadBooks(stats, heat, place, job.session.blockSizeBytes);
  }

  get isEnded(): boolean {
    return this.stats.endedAtMs !== undefined;
  }

  get isConnected(): boolean {
    return this.transport?.isConnected === true;
  }

  get progress(): SessionCounts | undefined {
    return this.books.progress;
  }

  start(isHeld = false): void {
    this.isHeld = isHeld;
    this.stats.startedAtMs = this.options.clock.monotonicMs();
    this.run();
  }

  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.stats.startedAtMs = this.options.clock.monotonicMs();
    this.transport?.release();
  }

  stop(): void {
    if (this.isEnded) return;
    this.end(new OtaError("Interrupted", "interrupted", { retryable: true }));
    this.abort.abort();
  }

  disconnect(): void {
    this.transport?.disconnect();
  }

  reboot(downMs: number): void {
    // One that is down already stays down.
    if (this.isEnded || this.abort.signal.aborted) return;
    this.stats.reboots++;
    this.transport?.drop();
    this.abort.abort();
    this.boot = this.options.clock.setTimer(downMs, () => {
      void this.running.then(() => {
        if (!this.isEnded) this.run();
      });
    });
  }

  private run(): void {
    const { job, thing, path, clock, random, runClient } = this.options;
    const { books, stats } = this;
    const abort = new AbortController();
    this.abort = abort;
    const transport = new FleetTransport({
      clientId: thing,
      path,
      clock,
      random,
      patienceMs: stats.connections > 0 ? boundsOf(job.session).maxDisconnectedMs : 0,
      isHeld: this.isHeld,
      connected: () => {
        if (stats.connections++ > 0) return;
        stats.connectedAtMs = clock.monotonicMs();
        job.connected();
      },
      lost: (error) => job.lost(error),
      messageArrived: (topic, payload) => books.note(topic, payload, clock.monotonicMs()),
    });
    this.transport = transport;
    this.running = runClient({ transport, thing, signal: abort.signal, books, stats }).then(
      () => books.close(),
      (error: unknown) => {
        books.close();
        // A reboot is no end.
        if (!abort.signal.aborted) this.end(asOtaError(error));
      },
    );
    void this.running.then(() => {
      if (!abort.signal.aborted) this.end(undefined);
    });
  }

  private end(failure: OtaError | undefined): void {
    if (this.isEnded) return;
    this.boot?.cancel();
    this.stats.endedAtMs = this.options.clock.monotonicMs();
    this.stats.failure = failure;
    this.options.job.ended(this.thing, this.stats);
  }
}

/** Everything that a client rejects with is one, but for a bug. */
function asOtaError(error: unknown): OtaError {
  if (error instanceof OtaError) return error;
  return new OtaError("NoProgress", error instanceof Error ? error.message : String(error), { cause: error });
}
