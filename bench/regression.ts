/** Compares the ratios of a run with saved ones. No IO. */
import type { BenchResult } from "./report.ts";

/** A ratio that moves by more than this is named. */
const TOLERATED_SHARE = 0.15;

/** A sentence for each row that moved by more than 15 %, for better or worse, or is gone. */
export function findMoves(
  saved: Pick<BenchResult, "rows">,
  now: Pick<BenchResult, "rows">,
): { worse: string[]; better: string[] } {
  const moves = { worse: [] as string[], better: [] as string[] };
  for (const row of saved.rows) {
    const match = now.rows.find(({ id }) => id === row.id);
    if (match === undefined) {
      moves.worse.push(`${row.label}: not measured this time`);
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
