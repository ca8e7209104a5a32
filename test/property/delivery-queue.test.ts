/** The delivery queue against a naive model, over random histories of requests, offers and wake-ups. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { DeliveryQueue } from "../../publisher/protocol/delivery-queue.ts";
import {
  crowded,
  expectSameThings,
  lively,
  offerNext,
  QUEUE_THINGS,
  type QueueCommand,
  QueueModel,
} from "../support/publisher-queue-model.ts";

/** Plays a history, wakes everybody and takes all that is left; nothing may remain on either side. */
function play(commands: Iterable<QueueCommand>): QueueModel {
  const model = new QueueModel();
  const queue = new DeliveryQueue();
  fc.modelRun(() => ({ model, real: queue }), commands);
  for (const thing of QUEUE_THINGS) {
    queue.markReady(thing);
    model.markReady(thing);
  }
  while (offerNext(model, queue, 1));
  expect(model.owed.size).toBe(0);
  expectSameThings(model, queue);
  expect(queue.next()).toBeUndefined();
  return model;
}

it("owes what the model owes, in its order, and gives everybody a turn before anybody has two", () => {
  fc.assert(
    fc.property(lively(), (commands) => {
      play(commands);
    }),
    { numRuns: 400 },
  );
});

it("keeps at most 32 runs of a thing, whatever piles up", () => {
  let pushedOut = 0;
  fc.assert(
    fc.property(crowded(), (commands) => {
      pushedOut += play(commands).pushedOut;
    }),
    { numRuns: 100 },
  );
  expect(pushedOut).toBeGreaterThan(0);
});
