/** Decides when written bytes are made durable: at a distance, in the background, one at a time. */

/** Starts a sync each time enough bytes were written, and slows a writer that outruns the disk. */
export class SyncPacer {
  readonly #distanceBytes: number;
  readonly #sync: () => Promise<void>;
  #writtenBytes = 0;
  #coveredBytes = 0;
  #durableBytes = 0;
  #hasStarted = false;
  #isHurried = false;
  #running: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;

  /** `sync` makes everything written before its call durable; it is never called while it runs. */
  constructor(distanceBytes: number, sync: () => Promise<void>) {
    this.#distanceBytes = distanceBytes;
    this.#sync = sync;
  }

  /** Whether a sync failed; from then on it is unknown what is durable, and every later call fails the same way. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Throws what a sync failed with, if one did. */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /**
   * Counts bytes just written. Returns a promise only when two distances are not durable yet: a writer that waits for it
   * keeps what a power cut can cost within bounds.
   */
  wrote(bytes: number): Promise<void> | undefined {
    this.#writtenBytes += bytes;
    this.#startWhenDue();
    if (this.#running === undefined || this.#writtenBytes - this.#durableBytes < 2 * this.#distanceBytes)
      return undefined;
    const caughtUp = this.#running.then(() => this.throwIfFailed());
    caughtUp.catch(() => {}); // a caller need not wait: the next call fails the same way
    return caughtUp;
  }

  /** Makes everything written so far durable. */
  async flush(): Promise<void> {
    await this.settle();
    this.throwIfFailed();
    this.#start();
    await this.#running;
    this.throwIfFailed();
  }

  /**
   * Makes everything written so far durable without waiting for the distance. Once a sync was made, nothing more happens
   * when nothing was written since; before, bytes of an earlier process may not be durable.
   */
  hurry(): void {
    this.#isHurried = !this.#hasStarted || this.#coveredBytes < this.#writtenBytes;
    this.#startWhenDue();
  }

  /** Does the same, and waits for it. */
  async catchUp(): Promise<void> {
    this.hurry();
    await this.settle();
    this.throwIfFailed();
  }

  /** Waits until no sync runs; never rejects. */
  async settle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #startWhenDue(): void {
    const isDue = this.#isHurried || this.#writtenBytes - this.#coveredBytes >= this.#distanceBytes;
    if (this.#running === undefined && isDue) this.#start();
  }

  #start(): void {
    if (this.#failure !== undefined) return;
    const target = this.#writtenBytes;
    this.#coveredBytes = target;
    this.#hasStarted = true;
    this.#isHurried = false;
    this.#running = this.#sync().then(
      () => {
        this.#durableBytes = target;
        this.#running = undefined;
        this.#startWhenDue();
      },
      (error: unknown) => {
        this.#failure = { error };
        this.#running = undefined;
      },
    );
  }
}
