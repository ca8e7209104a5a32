/** One holder at a time per key, in the order of asking. No IO. */

/** Queues work by key; work under different keys runs side by side. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` once everything asked for earlier under `key` has ended, and gives its outcome. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const outcome = before.then(work);
    const tail = outcome.then(
      () => {},
      () => {},
    );
    this.#tails.set(key, tail);
    try {
      return await outcome;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}
