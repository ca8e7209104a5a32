/** The file cache checks a file in use before its last check is too old, and keeps its promise all the same. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import {
  BYTES,
  failureOf,
  CACHED_FILE as file,
  INTERVAL_MS,
  openFilledCache,
} from "../support/publisher-file-cache.ts";

const OTHER_BYTES = Buffer.from("the bytes of its heir");

it("begins one check at a peek in the last half of the interval, and serves meanwhile", async () => {
  const { cache, clock, store } = await openFilledCache();
  clock.advance(INTERVAL_MS / 2);
  expect(cache.peek(file)).toBe(BYTES);
  expect(store.calls).toEqual(["read"]);
  clock.advance(1);
  expect(cache.peek(file)).toBe(BYTES);
  expect(cache.peek(file)).toBe(BYTES);
  expect(store.calls).toEqual(["read", "head"]);
});

it("never lets a file in use wait while the store answers in time", async () => {
  const { cache, clock, store } = await openFilledCache();
  for (let step = 0; step < 50; step++) {
    clock.advance(INTERVAL_MS / 5);
    expect(cache.peek(file)).toBe(BYTES);
    for (const call of store.open.splice(0)) call.answer(BYTES);
    await eventLoopTurn();
  }
  expect(store.calls.filter((call) => call === "read")).toHaveLength(1);
});

it("counts from when that check was begun", async () => {
  const { cache, clock, store } = await openFilledCache();
  clock.advance(600);
  cache.peek(file);
  clock.advance(300);
  store.take().answer(BYTES);
  await eventLoopTurn();
  clock.advance(700);
  expect(cache.peek(file)).toBe(BYTES);
  clock.advance(1);
  expect(cache.peek(file)).toBeUndefined();
});

it("serves nothing past the interval while that check has no answer; who asks then joins it", async () => {
  const { cache, clock, store } = await openFilledCache();
  clock.advance(600);
  cache.peek(file);
  clock.advance(401);
  expect(cache.peek(file)).toBeUndefined();
  const loading = cache.load(file);
  expect(store.calls).toEqual(["read", "head"]);
  store.take().answer(BYTES);
  expect(await loading).toBe(BYTES);
});

it("serves bytes no more once that check finds another object", async () => {
  const { cache, clock, store } = await openFilledCache();
  clock.advance(600);
  cache.peek(file);
  store.take().answer(OTHER_BYTES);
  await eventLoopTurn();
  expect(cache.peek(file)).toBeUndefined();
  expect(await failureOf(cache.load(file))).toBe("Changed");
  clock.advance(INTERVAL_MS + 1);
  const again = cache.load(file);
  store.take().answer(BYTES);
  expect(await again).toBe(BYTES);
  expect(store.calls).toEqual(["read", "head", "head"]);
});

it("serves on to the end of the interval when that check fails, and does not repeat it at once", async () => {
  const { cache, clock, store } = await openFilledCache();
  clock.advance(600);
  cache.peek(file);
  store.take().fail("Unavailable");
  await eventLoopTurn();
  clock.advance(400);
  expect(cache.peek(file)).toBe(BYTES);
  expect(store.calls).toEqual(["read", "head"]);
  clock.advance(1);
  expect(cache.peek(file)).toBeUndefined();
  expect(await failureOf(cache.load(file))).toBe("Unavailable");
});
