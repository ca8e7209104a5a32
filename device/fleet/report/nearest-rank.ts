/** Percentiles by nearest rank: always one of the values. No IO. */

/** The smallest of `sorted` (ascending) that at least `percent` (above 0, to 100) of them do not exceed; null of nothing. */
export function nearestRank(sorted: readonly number[], percent: number): number | null {
  // The product first: 0.99 * 100 is above 99 in binary fractions where 99 * 100 / 100 is not.
  return sorted[Math.ceil((percent * sorted.length) / 100) - 1] ?? null;
}
