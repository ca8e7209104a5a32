/** The outcome of a run as a table for people and as JSON for programs. */
import type { Outcome } from "./run-rules.ts";

const ID_WIDTH = 44;
const SOURCE_WIDTH = 54;

/** The heading of the table. */
export const TABLE_HEADING = `result   ${"rule".padEnd(ID_WIDTH)}  ${"source (docs/PROTOCOL.md)".padEnd(SOURCE_WIDTH)}  text`;

/** One outcome as lines of the table; a failure has what was expected and what came below it. */
export function formatOutcome(outcome: Outcome): string {
  const { id, source, origin, text } = outcome.rule;
  const line = `${outcome.result.padEnd(7)}  ${id.padEnd(ID_WIDTH)}  ${`${source} (${origin})`.padEnd(SOURCE_WIDTH)}  ${text}`;
  if (outcome.result === "pass") return line;
  if (outcome.result === "skipped") return `${line} [${outcome.reason}]`;
  const { problem, expected, actual } = outcome.difference;
  return [
    line,
    `         ${problem}`,
    `         expected ${expected || "nothing"}`,
    `         actual   ${actual || "nothing"}`,
  ].join("\n");
}

/** The last line. */
export function formatSummary(outcomes: readonly Outcome[], profile: string): string {
  const { pass, fail, skipped } = countResults(outcomes);
  return `${outcomes.length} rules under the ${profile} profile: ${pass} passed, ${fail} failed, ${skipped} skipped`;
}

/** How many outcomes there are of each kind. */
export function countResults(outcomes: readonly Outcome[]): Readonly<Record<Outcome["result"], number>> {
  const counts = { pass: 0, fail: 0, skipped: 0 };
  for (const { result } of outcomes) counts[result]++;
  return counts;
}

/** All of it as JSON. */
export function formatJson(outcomes: readonly Outcome[], profile: string): string {
  const rules = outcomes.map((outcome) => {
    const { id, text, source, origin } = outcome.rule;
    const detail = outcome.result === "fail" ? outcome.difference : {};
    return { id, text, source, origin, result: outcome.result, ...detail };
  });
  return `${JSON.stringify({ profile, ...countResults(outcomes), rules }, undefined, 2)}\n`;
}
