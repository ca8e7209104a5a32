/** How long a simulated device waits before it connects again. No IO. */
import { type Random, randomFraction } from "../../shared/random.ts";

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/** 250 ms after the first loss, twice as long for each attempt in vain up to 10 s, shortened by up to half at random. */
export function reconnectDelayMs(fruitlessAttempts: number, random: Random): number {
  const longestMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(fruitlessAttempts, 16));
  return longestMs * (0.5 + 0.5 * randomFraction(random));
}
