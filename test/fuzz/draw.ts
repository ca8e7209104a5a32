/** Draws of all kinds from one seeded source. */
import { type Random, randomFraction, randomInteger } from "../../shared/random.ts";

/** A seeded source with the draws that a fuzzer makes. */
export class Draw {
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** A uniform integer, both ends inclusive. */
  integer(low: number, high: number): number {
    return randomInteger(this.random, low, high);
  }

  /** True with a probability. */
  chance(probability: number): boolean {
    return randomFraction(this.random) < probability;
  }

  /** One of some values. */
  one<T>(values: readonly T[]): T {
    return values[this.integer(0, values.length - 1)] as T;
  }

  /** One of some makers, by weight. */
  weighted<T>(makers: readonly (readonly [weight: number, make: () => T])[]): T {
    const total = makers.reduce((sum, [weight]) => sum + weight, 0);
    let at = randomFraction(this.random) * total;
    for (const [weight, make] of makers) {
      at -= weight;
      if (at < 0) return make();
    }
    return (makers.at(-1) as readonly [number, () => T])[1]();
  }

  /** Random bytes. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 4) {
      const word = this.random.uint32();
      for (let byte = 0; byte < 4 && at + byte < length; byte++) bytes[at + byte] = word >>> (8 * byte);
    }
    return bytes;
  }

  /** Text of some characters. */
  text(alphabet: readonly string[], length: number): string {
    return Array.from({ length }, () => this.one(alphabet)).join("");
  }
}
