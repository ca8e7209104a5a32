/** What is drawn for the devices of a fleet: for each from sources of its own, whatever process it is in. No IO. */
import { type Random, randomFraction, seededRandom } from "../../shared/random.ts";
import type { MixPart } from "./fleet-plan.ts";

/** What a source is for: a draw for one purpose does not move those for another. */
const PURPOSES = ["traits", "down", "up", "disconnect", "reboot", "session"] as const;

/** One of the purposes. */
type Purpose = (typeof PURPOSES)[number];

/** The source of a device's draws for one purpose; the same for the same seed and index. */
export function deviceRandom(seed: number, index: number, purpose: Purpose): Random {
  // Each step mixes, so that neighbours get sources that have nothing in common.
  const ofDevice = seededRandom(seededRandom(seed).uint32() ^ index).uint32();
  return seededRandom(seededRandom(ofDevice ^ PURPOSES.indexOf(purpose)).uint32());
}

/** Draws the name of a part of a mix by the parts' shares; `fallback` when there are none. */
export function drawName(mix: readonly MixPart[], fallback: string, random: Random): string {
  const total = mix.reduce((sum, { share }) => sum + share, 0);
  let left = randomFraction(random) * total;
  for (const { name, share } of mix) {
    left -= share;
    if (left < 0) return name;
  }
  return mix.at(-1)?.name ?? fallback;
}

/** Draws a time from the exponential distribution with this mean, in milliseconds. */
export function drawExponentialMs(meanMs: number, random: Random): number {
  return -meanMs * Math.log(1 - randomFraction(random));
}
