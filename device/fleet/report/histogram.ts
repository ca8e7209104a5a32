/** Bins that read well, and how many values fall into each. No IO. */

/** Values counted in bins. */
export interface Histogram {
  /** One more than there are bins, ascending. A bin includes its lower edge; the outermost take what lies beyond. */
  readonly edges: readonly number[];
  /** For each group, one count a bin. */
  readonly counts: readonly (readonly number[])[];
}

/** The preferred numbers of ISO 3, R20: twenty even steps a decade. */
const PREFERRED = [1, 1.12, 1.25, 1.4, 1.6, 1.8, 2, 2.24, 2.5, 2.8, 3.15, 3.55, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9];
/** From this ratio of the largest to the smallest value on, the bins grow with the values. */
const WIDE_RATIO = 8;
/** Bins that grow reach down from the largest value by this factor at most. */
const DEEPEST = 1e-6;
const LINEAR_BINS = 40;
const FEWEST_BINS = 12;

/** Counts groups of values, 0 or more each, in common bins; empty without any value. */
export function countInBins(groups: readonly (readonly number[])[]): Histogram {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const values of groups) {
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return { edges: [], counts: groups.map(() => []) };
  const edges =
    low > 0 && high / low > WIDE_RATIO ? growingEdges(Math.max(low, high * DEEPEST), high) : evenEdges(low, high);
  return { edges, counts: groups.map((values) => countGroup(values, edges)) };
}

/** Where a value stands, in bins from the left: 2.5 is the middle of the third bin. */
export function binPosition(edges: readonly number[], value: number): number {
  const bin = binOf(edges, value);
  const low = edges[bin] ?? 0;
  const high = edges[bin + 1] ?? low;
  return high === low ? bin : bin + Math.min(1, (value - low) / (high - low));
}

/** The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `least` (above 0). */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= least * (1 - 1e-9)) ?? 10;
  return tidy(factor * power);
}

function evenEdges(low: number, high: number): number[] {
  // Values that are all but equal get bins of a hundredth of them, so that they look it.
  const step = niceStep(Math.max((high - low) / LINEAR_BINS, high / 1000, 1e-9));
  // Quotients are off by their last digits: the nearest whole number is an edge if the value is not beyond it.
  const edge = (index: number): number => tidy(index * step);
  const near = (value: number): number => Math.round(value / step);
  const first = near(low) - (edge(near(low)) > low ? 1 : 0);
  const last = near(high) + (edge(near(high)) < high ? 1 : 0);
  const count = Math.max(FEWEST_BINS, last - first);
  return Array.from({ length: count + 1 }, (_, index) => edge(first + index));
}

function growingEdges(low: number, high: number): number[] {
  const edges: number[] = [];
  // One decade before: the logarithm of 999.9999999999999 rounds up to 3.
  for (let decade = Math.floor(Math.log10(low)) - 1; edges.length === 0 || (edges.at(-1) as number) <= high; decade++) {
    for (const factor of PREFERRED) edges.push(tidy(factor * 10 ** decade));
  }
  const first = edges.findLastIndex((edge) => edge <= low);
  const last = edges.findIndex((edge) => edge > high);
  return edges.slice(first, last + 1);
}

function countGroup(values: readonly number[], edges: readonly number[]): number[] {
  const counts = new Array<number>(edges.length - 1).fill(0);
  for (const value of values) counts[binOf(edges, value)] = (counts[binOf(edges, value)] as number) + 1;
  return counts;
}

/** The bin that holds a value, by halving. */
function binOf(edges: readonly number[], value: number): number {
  let low = 0;
  let high = edges.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((edges[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A number without the noise of binary fractions. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}
