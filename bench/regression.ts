/** Compares the ratios of a run with saved ones. No IO. */
import type { BenchResult, RowResult } from "./report.ts";

/** A ratio that moves by more than this is named. */
const TOLERATED_SHARE = 0.15;

type Rows = Pick<BenchResult, "rows">;

/** What changed: a line for each row that moved by more than 15 %, and the rows that were not measured this time. */
interface Moves {
  readonly worse: string[];
  readonly better: string[];
  readonly missing: string[];
}

/** Compares every saved row with this run's. */
export function findMoves(saved: Rows, now: Rows): Moves {
  const moves: Moves = { worse: [], better: [], missing: [] };
  for (const row of saved.rows) {
    const match = now.rows.find(({ id }) => id === row.id);
    const change = changeOf(row.value.median, match?.value.median);
    if (match === undefined || change === undefined) {
      moves.missing.push(row.label);
      continue;
    }
    if (Math.abs(change) <= TOLERATED_SHARE) continue;
    const isBetter = row.kind === "throughput" ? change > 0 : change < 0;
    (isBetter ? moves.better : moves.worse).push(lineOf(row, match, change));
  }
  return moves;
}

/** What a row's figure gained, as a share of the saved one; undefined when one of them is unknown, which JSON saves as null. */
function changeOf(saved: number | null | undefined, now: number | null | undefined): number | undefined {
  const change = typeof saved === "number" && typeof now === "number" ? now / saved - 1 : Number.NaN;
  return Number.isFinite(change) ? change : undefined;
}

function lineOf(saved: RowResult, now: RowResult, change: number): string {
  const byCpu = changeOf(saved.busierRatio, now.busierRatio);
  const beside = byCpu === undefined ? "" : `, ${percent(byCpu)} by busier CPU`;
  return `${saved.label}: ${saved.value.median.toFixed(2)} -> ${now.value.median.toFixed(2)} (${percent(change)}${beside})`;
}

function percent(change: number): string {
  return `${change > 0 ? "+" : ""}${(change * 100).toFixed(0)} %`;
}
