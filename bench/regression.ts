/** Compares the ratios of a run with saved ones. No IO. */
import type { BenchResult } from "./report.ts";

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
    if (match === undefined) {
      moves.missing.push(row.label);
      continue;
    }
    const change = match.value.median / row.value.median - 1;
    if (Math.abs(change) <= TOLERATED_SHARE) continue;
    const isBetter = row.kind === "throughput" ? change > 0 : change < 0;
    const percent = `${change > 0 ? "+" : ""}${(change * 100).toFixed(0)} %`;
    const line = `${row.label}: ${row.value.median.toFixed(2)} -> ${match.value.median.toFixed(2)} (${percent})`;
    (isBetter ? moves.better : moves.worse).push(line);
  }
  return moves;
}
