/** Token buckets, one for each thing that has used its rate lately. No IO. */

/** What a thing may use. */
export interface Rate {
  readonly perSecond: number;
  /** How much may be saved up while nothing is used. */
  readonly burst: number;
  /** Most that is ever wanted at once; more than `burst` can be waited for, and never saved up otherwise. */
  readonly largest: number;
}

interface Account {
  credit: number;
  atMs: number;
}

/**
 * Keeps what each thing may use now. In any time a thing uses at most the rate times that time, and once the burst or
 * the largest amount, whichever is more. `nowMs` is monotonic milliseconds.
 */
export class RateBook {
  private readonly rate: Rate;
  /** Those that were used last are last. */
  private readonly accounts = new Map<string, Account>();

  constructor(rate: Rate) {
    this.rate = rate;
  }

  /** How much may be used now by who wants `wanted` at once, which is at most `largest`. */
  credit(thing: string, wanted: number, nowMs: number): number {
    const most = Math.max(this.rate.burst, wanted);
    const account = this.accounts.get(thing);
    if (account === undefined) return most;
    return Math.min(most, account.credit + ((nowMs - account.atMs) / 1000) * this.rate.perSecond);
  }

  /** How long `wanted` has to wait, in milliseconds; 0 when it can be used now. */
  waitMs(thing: string, wanted: number, nowMs: number): number {
    const missing = wanted - this.credit(thing, wanted, nowMs);
    return missing <= 0 ? 0 : (missing / this.rate.perSecond) * 1000;
  }

  /** Uses an amount, at most what {@link credit} said it may for an amount wanted no larger than `largest`. */
  use(thing: string, amount: number, wanted: number, nowMs: number): void {
    const credit = this.credit(thing, wanted, nowMs) - amount;
    this.accounts.delete(thing);
    this.accounts.set(thing, { credit, atMs: nowMs });
    this.forgetFull(nowMs);
  }

  /** Whoever could have saved up all there is to save is as one who was never here. */
  private forgetFull(nowMs: number): void {
    const { perSecond, burst, largest } = this.rate;
    const fullAfterMs = (Math.max(burst, largest) / perSecond) * 1000;
    for (const [thing, { atMs }] of this.accounts) {
      if (nowMs - atMs < fullAfterMs) return;
      this.accounts.delete(thing);
    }
  }
}
