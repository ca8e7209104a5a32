/** Who waits until when, against a sorted list. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { DueList } from "../../publisher/protocol/due-list.ts";

const step = fc.oneof(
  fc.record({ thing: fc.nat({ max: 30 }).map(String), atMs: fc.nat({ max: 100 }) }),
  fc.record({ nowMs: fc.nat({ max: 100 }) }),
);

it("gives out what is due, the earliest first, each thing once and with its first time", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const list = new DueList();
      const model = new Map<string, number>();
      for (const entry of [...steps, { nowMs: 100 }]) {
        if ("thing" in entry) {
          list.add(entry.thing, entry.atMs);
          if (!model.has(entry.thing)) model.set(entry.thing, entry.atMs);
        } else {
          const due = [...model].filter(([, atMs]) => atMs <= entry.nowMs);
          const taken = list.takeDue(entry.nowMs);
          expect(taken.map((thing) => model.get(thing))).toEqual(due.map(([, atMs]) => atMs).sort((a, b) => a - b));
          expect(taken.sort()).toEqual(due.map(([thing]) => thing).sort());
          for (const thing of taken) model.delete(thing);
        }
        expect(list.earliestMs).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
      }
    }),
    { numRuns: 300 },
  );
});
