/** The random port: a source of randomness, seeded where a run must be repeatable. */
import { getRandomValues } from "node:crypto";

/** Draws random numbers. */
export interface Random {
  /** A uniform integer, 0 to 2^32 - 1. */
  uint32(): number;
}

/** Draws a uniform number, 0 inclusive to 1 exclusive, with 32 bits of resolution. */
export function randomFraction(random: Random): number {
  return random.uint32() / 0x1_0000_0000;
}

/** Draws a uniform integer from `low` to `high`, both inclusive; the span is at most 2^32. */
export function randomInteger(random: Random, low: number, high: number): number {
  return low + Math.floor(randomFraction(random) * (high - low + 1));
}

/** Numbers drawn from the operating system at once: a call costs as much for one as for hundreds. */
const drawn = new Uint32Array(1024);
let used = drawn.length;

/** The operating system's randomness. */
export const systemRandom: Random = {
  uint32() {
    if (used === drawn.length) {
      getRandomValues(drawn);
      used = 0;
    }
    return drawn[used++] as number;
  },
};

/**
 * Makes a repeatable source from a 32-bit seed: the same seed, the same numbers, on every machine.
 * The generator is Weyl-sequence mixing (splitmix32); it is not for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    uint32() {
      state = (state + 0x9e37_79b9) >>> 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0_aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a_2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    },
  };
}
