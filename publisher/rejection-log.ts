/** The log lines of rejected requests, so that an engineer can see what a device really sent; bounded for each thing. */
import type { Clock } from "../shared/clock.ts";
import { LineBudget } from "../shared/line-budget.ts";
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

/** Logs one line for each rejection; a thing has 100 of them in 5 seconds, and then one line that counts the others. */
export class RejectionLog {
  private readonly log: Log;
  /** By thing; those whose thing cannot be read share one. */
  private readonly lines: LineBudget<string | undefined>;

  constructor(log: Log, clock: Clock) {
    this.log = log;
    const ended = (thing: string | undefined, leftOut: number): void => {
      log.warn("rejected requests left out of the log", { thing, leftOut });
    };
    this.lines = new LineBudget({ clock, maxPerWindow: MAX_PER_WINDOW, windowMs: WINDOW_MS, ended });
  }

  /** Logs a rejection, or counts it. */
  write({ where, rejection: { code, message }, payload, payloadBytes, defect }: RejectedRequest): void {
    if (!this.lines.admits(where.thing)) return;
    if (defect !== undefined) this.log.error("a request failed", { thing: where.thing, error: defect });
    const shown = beginningOf(payload);
    const hex = encodeHex(shown);
    const request = payloadBytes > shown.length ? `${hex}... (${payloadBytes} bytes)` : hex;
    this.log.warn("request rejected", { ...where, code, message, request });
  }

  /** Says now what was left out. */
  close(): void {
    this.lines.close();
  }
}
