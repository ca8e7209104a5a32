/** Who waits until when: a heap, so that the earliest is at hand however many wait. No IO. */

interface Due {
  readonly thing: string;
  readonly atMs: number;
}

/** Keeps each thing once, with the time it was first entered with. */
export class DueList {
  /** A binary heap: no entry is later than the two at twice its index and one or two more. */
  private readonly heap: Due[] = [];
  private readonly entered = new Set<string>();

  /** When the earliest is due, or undefined when nobody waits. */
  get earliestMs(): number | undefined {
    return this.heap[0]?.atMs;
  }

  /** Enters a thing; one that waits already goes on waiting as before. */
  add(thing: string, atMs: number): void {
    if (this.entered.has(thing)) return;
    this.entered.add(thing);
    const { heap } = this;
    const due = { thing, atMs };
    let at = heap.push(due) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Due;
      if (parent.atMs <= atMs) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = due;
  }

  /** Takes out those that are due, the earliest first. */
  takeDue(nowMs: number): string[] {
    const due: string[] = [];
    for (let first = this.heap[0]; first !== undefined && first.atMs <= nowMs; first = this.heap[0]) {
      due.push(first.thing);
      this.entered.delete(first.thing);
      this.removeFirst();
    }
    return due;
  }

  private removeFirst(): void {
    const { heap } = this;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] as Due).atMs < (heap[below] as Due).atMs) below++;
      const child = heap[below] as Due;
      if (child.atMs >= last.atMs) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}
