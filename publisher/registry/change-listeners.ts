/** Whom a registry tells of its committed changes. No IO. */

/** Keeps listeners and calls them in the order they came. */
export class ChangeListeners {
  readonly #listeners = new Set<{ readonly call: (streamId: string) => void }>();

  /** Adds a listener; returns what takes it out again. The same function added twice is called twice. */
  add(call: (streamId: string) => void): () => void {
    const entry = { call };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** Calls every listener with the stream id of a committed change. */
  notify(streamId: string): void {
    for (const listener of [...this.#listeners]) listener.call(streamId);
  }
}
