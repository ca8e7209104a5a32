/** The log lines of rejected requests, so that an engineer can see what a device really sent; bounded for each thing. */
import type { Clock, Timer } from "../shared/clock.ts";
import type { Log, LogFields } from "../shared/log.ts";
import { encodeHex } from "../shared/protocol/json.ts";
import type { Rejection } from "../shared/protocol/rejection.ts";
import { beginningOf } from "./arrival.ts";

/** Most rejections of one thing that are logged in one window: 20 a second, and what one tries by hand all at once. */
const MAX_PER_WINDOW = 100;
const WINDOW_MS = 5000;

/** What is logged of one rejected request. */
export interface RejectedRequest {
  readonly where: LogFields & { readonly thing: string | undefined };
  readonly rejection: Rejection;
  /** All of the request, or its beginning. */
  readonly payload: Uint8Array;
  readonly payloadBytes: number;
  /** A defect of the publisher that is the reason; logged as an error of its own. */
  readonly defect?: unknown;
}

interface Window {
  readonly startedAtMs: number;
  written: number;
  leftOut: number;
}

/** Logs one line for each rejection; a thing has 100 of them in 5 seconds, and then one line that counts the others. */
export class RejectionLog {
  private readonly log: Log;
  private readonly clock: Clock;
  /** By thing, in the order in which they were begun; those whose thing cannot be read share one. */
  private readonly windows = new Map<string | undefined, Window>();
  private timer: Timer | undefined;

  constructor(log: Log, clock: Clock) {
    this.log = log;
    this.clock = clock;
  }

  /** Logs a rejection, or counts it. */
  write({ where, rejection: { code, message }, payload, payloadBytes, defect }: RejectedRequest): void {
    if (!this.admits(where.thing)) return;
    if (defect !== undefined) this.log.error("a request failed", { thing: where.thing, error: defect });
    const shown = beginningOf(payload);
    const hex = encodeHex(shown);
    const request = payloadBytes > shown.length ? `${hex}... (${payloadBytes} bytes)` : hex;
    this.log.warn("request rejected", { ...where, code, message, request });
  }

  /** Says now what was left out. */
  close(): void {
    this.timer?.cancel();
    this.endWindows(Number.POSITIVE_INFINITY);
  }

  private admits(thing: string | undefined): boolean {
    const nowMs = this.clock.monotonicMs();
    this.endWindows(nowMs);
    let window = this.windows.get(thing);
    if (window === undefined) {
      window = { startedAtMs: nowMs, written: 0, leftOut: 0 };
      this.windows.set(thing, window);
    }
    if (window.written < MAX_PER_WINDOW) {
      window.written++;
      return true;
    }
    window.leftOut++;
    this.timer ??= this.clock.setTimer(window.startedAtMs + WINDOW_MS - nowMs, () => this.wake());
    return false;
  }

  private wake(): void {
    this.timer = undefined;
    const nowMs = this.clock.monotonicMs();
    this.endWindows(nowMs);
    for (const { startedAtMs, leftOut } of this.windows.values()) {
      if (leftOut === 0) continue;
      this.timer = this.clock.setTimer(startedAtMs + WINDOW_MS - nowMs, () => this.wake());
      return;
    }
  }

  private endWindows(nowMs: number): void {
    for (const [thing, { startedAtMs, leftOut }] of this.windows) {
      if (nowMs - startedAtMs < WINDOW_MS) return;
      this.windows.delete(thing);
      if (leftOut > 0) this.log.warn("rejected requests left out of the log", { thing, leftOut });
    }
  }
}
